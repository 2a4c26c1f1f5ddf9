import pytest

from maple.runtime.journal import Journal, JournaledRows, incomplete_batches


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


def test_rows_of_an_earlier_attempt_are_not_missing_and_new_ones_are_journaled(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append([{"key": "a", "text": "journaled"}])
    rows = JournaledRows(journal, [{"key": "a", "text": "carried over"}, {"key": "b", "text": "carried over"}])
    assert rows["a"]["text"] == "journaled" and rows["b"]["text"] == "carried over"
    assert rows.missing(["d", "a", "c", "d"]) == ["d", "c"]
    rows.compute(iter([[{"key": "c"}], [{"key": "d"}]]))
    assert rows.missing("abcd") == []
    assert [row["key"] for row in journal.read()] == ["a", "c", "d"]


def test_a_batch_that_fails_costs_itself_alone(tmp_path):
    def batches():
        yield [{"key": "a"}]
        raise RuntimeError("killed")

    rows = JournaledRows(Journal(tmp_path / "journal.jsonl"))
    with pytest.raises(RuntimeError, match="killed"):
        rows.compute(batches())
    assert list(JournaledRows(rows.journal)) == ["a"]


def test_batches_with_a_missing_key_are_computed_whole():
    assert list(incomplete_batches("abcdefg", 3, {"a", "b", "c", "e", "g"})) == [["d", "e", "f"]]
