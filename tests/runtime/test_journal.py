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


@pytest.mark.parametrize(
    "line", ["5", "null", "[]", "{}", '{"key": 1}', '{"key": "a", "key": "b"}', '{"key": "a", "n": NaN}',
             '{"key": "a", "n": -Infinity}', '{"key": "a", "n": 1e400}', "[" * 100_000, "\xff"],
)  # fmt: skip
def test_a_line_that_is_no_record_is_left_out_and_counted(tmp_path, capsys, line):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append([{"key": "good", "n": 1.5}])
    with open(journal.path, "ab") as file:
        file.write(line.encode("latin-1") + b"\n")
    assert journal.read() == [{"key": "good", "n": 1.5}]
    assert "1 of 2 lines are no whole records" in capsys.readouterr().out


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("-inf")], "\ud83d"])
def test_what_is_no_number_or_no_text_is_not_written(tmp_path, value):
    journal = Journal(tmp_path / "journal.jsonl")
    with pytest.raises(ValueError, match=r"journal\.jsonl: the row b has NaN"):
        journal.append([{"key": "a"}, {"key": "b", "value": value}])
    assert journal.read() == []


def test_a_record_of_another_kind_is_none(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append([{"key": "a", "text": "x"}, {"key": "b"}])
    assert list(JournaledRows(journal, is_row=lambda row: "text" in row)) == ["a"]
