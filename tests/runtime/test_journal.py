from maple.runtime.journal import Journal


def test_a_row_is_read_as_it_was_written_whatever_stands_in_its_text(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    marks = "\n\r\x85\u2028\u2029\x0b"
    rows = [{"key": str(place), "text": f"one{mark} 5{mark}two"} for place, mark in enumerate(marks)]
    journal.append(rows[:2])
    journal.append(rows[2:])
    assert journal.read() == rows


def test_a_line_that_was_torn_costs_itself_alone(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append([{"key": "a"}, {"key": "b", "text": "é"}])
    journal.path.write_bytes(journal.path.read_bytes()[:-4])
    journal.append([{"key": "c"}])
    assert [row["key"] for row in journal.read()] == ["a", "c"]
