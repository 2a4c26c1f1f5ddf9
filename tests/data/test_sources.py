import json

import polars as pl
import pytest

from maple.data.row_files import SourceError
from maple.data.sources import (
    LocalSource,
    RowFile,
    RowFolders,
    local_rows,
    read_rows,
    resolve,
    row_keys,
    text_columns,
)
from maple.definitions.language import LanguageIdentity
from maple.definitions.task import HubRows, LocalRows, Splits

SWAHILI = LanguageIdentity("swh_Latn", "Swahili", "sw", "Latn")


def source(path, **columns):
    return LocalSource(local=RowFile(path=str(path), columns=columns))


def test_a_path_is_filled_from_the_language_row():
    rows = LocalRows(path="{data}/xcopa/{iso639_1}.jsonl", languages="all")
    resolved = resolve(rows, SWAHILI, RowFolders("rows", "hub"))
    assert resolved.params() == {"local": {"path": "rows/xcopa/sw.jsonl"}}


def test_columns_come_under_our_names(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"sentence1": "Jua limetoka."}\n\n')
    assert read_rows(source(tmp_path / "a.jsonl", premise="sentence1"), ["premise"]) == [{"premise": "Jua limetoka."}]


def test_a_nested_value_is_reached(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"instances": [{"output": "Habari."}]}\n{"instances": []}\n')
    assert read_rows(source(tmp_path / "a.jsonl", output="instances.0.output"))[0]["output"] == "Habari."
    with pytest.raises(SourceError, match="row 2 has no column output; it has instances"):
        read_rows(source(tmp_path / "a.jsonl", output="instances.0.output"), ["output"])


def test_parquet_reads_like_json_lines(tmp_path):
    pl.DataFrame({"text": ["a", "b"]}).write_parquet(tmp_path / "a.parquet")
    assert local_rows(tmp_path / "a.parquet", ["text"]) == [{"text": "a"}, {"text": "b"}]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"text": "a"}\n{"text": ', "line 2 is not JSON"),
        ('{"text": "a"}\n{"other": "b"}', "row 2 has no column text; it has other"),
        ("[1, 2]", "row 1 must be a JSON object or an array of values, found int"),
    ],
)
def test_a_broken_row_is_named(tmp_path, content, says):
    path = tmp_path / "rows.jsonl"
    path.write_text(content)
    with pytest.raises(SourceError, match=says) as error:
        local_rows(path, ["text"])
    assert str(path) in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"nothing\.jsonl: no such file"):
        local_rows(tmp_path / "nothing.jsonl")


def test_rows_of_the_hub_are_read_from_the_fetched_revision(tmp_path):
    rows = HubRows(
        dataset="facebook/xnli",
        revision="b8dd" * 10,
        files="{iso639_1}/{split}-*.parquet",
        splits=Splits(test="validation"),
        languages="all",
    )
    source = resolve(rows, SWAHILI, RowFolders(None, str(tmp_path)), "test")
    folder = tmp_path / f"datasets--facebook--xnli--{'b8dd' * 10}"
    assert source.params() == {"hub": {"folder": str(folder), "files": "sw/validation-*.parquet"}}
    with pytest.raises(SourceError, match=r"facebook--xnli--\w+: no file sw/validation-\*\.parquet; mend `files`"):
        read_rows(source)
    (folder / "sw").mkdir(parents=True)
    for number in (1, 0):
        frame = pl.DataFrame({"text": [str(number)]})
        frame.write_parquet(folder / f"sw/validation-0000{number}-of-00002.parquet")
    assert read_rows(source, ["text"]) == [{"text": "0"}, {"text": "1"}]


def renamed(folder, row, columns):
    (folder / "rows.jsonl").write_text(json.dumps(row) + "\n")
    return read_rows(source(folder / "rows.jsonl", **columns))[0]


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        ({"a": "b", "b": "a"}, {"a": 2, "b": 1, "c": 3}),
        ({"a": "b", "b": "c"}, {"a": 2, "b": 3}),
        ({"a": "b", "b": "c", "c": "a"}, {"a": 2, "b": 3, "c": 1}),
        ({"a": "c"}, {"a": 3, "b": 2}),
        ({"x": "a", "y": "a"}, {"x": 1, "y": 1, "b": 2, "c": 3}),
    ],
    ids=["swap", "chain", "circle", "target is another column", "one column twice"],
)
def test_columns_are_renamed_all_at_once(tmp_path, columns, row):
    for ordered in (columns, dict(reversed(columns.items()))):
        assert renamed(tmp_path, {"a": 1, "b": 2, "c": 3}, ordered) == row


def test_a_value_within_a_renamed_column_is_reached_in_any_order(tmp_path):
    columns = {"text": "answers", "answers": "answers.text.0"}
    for ordered in (columns, dict(reversed(columns.items()))):
        row = renamed(tmp_path, {"answers": {"text": ["jua"]}}, ordered)
        assert row == {"text": {"text": ["jua"]}, "answers": "jua"}


def test_a_column_that_no_row_has_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"rows\.jsonl: no row has contxt, which `columns` .* names for input"):
        renamed(tmp_path, {"context": "a"}, {"input": "contxt"})


def test_nan_is_none_in_json_lines_and_parquet(tmp_path):
    pl.DataFrame({"n": [float("nan"), 1.0], "l": [[float("nan")], [2.0]]}).write_parquet(tmp_path / "a.parquet")
    assert local_rows(tmp_path / "a.parquet") == [{"n": None, "l": [None]}, {"n": 1.0, "l": [2.0]}]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (["a", "b", "a"], "2 rows have the id 'a': 1, 3;"),
        ([7] * 9, "9 rows have the id '7': 1, 2, 3, 4, 5 and more;"),
        ([1, "1"], "2 rows have the id '1': 1, 2;"),
        (["1", "1 "], "2 rows have the id '1': 1, 2;"),
        (["a", None, " ", ""], "3 rows have no id: 2, 3, 4;"),
        (["a", ["b"]], "row 2: id is a list"),
    ],
)
def test_ids_that_do_not_tell_rows_apart_are_refused_with_the_rows(values, says):
    with pytest.raises(SourceError, match=f"rows.jsonl: {says}"):
        row_keys([{"id": value} for value in values], "id", "rows.jsonl")


def test_ids_are_told_apart_as_text():
    assert row_keys([{"id": 0}, {"id": " 1"}, {"id": 1.5}], "id", "rows.jsonl") == ["0", "1", "1.5"]


def test_a_structure_in_the_place_of_a_text_is_refused_with_its_row_and_column():
    rows = [{"output": 0}, {"output": None}, {}, {"output": {"a": 1}}]
    assert text_columns(rows[:3], ["output"], "f") == [{"output": "0"}, {"output": ""}, {"output": ""}]
    with pytest.raises(SourceError, match="f: row 4: output is a dict, and no text"):
        text_columns(rows, ["output"], "f")
