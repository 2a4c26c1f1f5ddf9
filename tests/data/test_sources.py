import polars as pl
import pytest

from maple.data.sources import LocalSource, RowFile, RowFolders, SourceError, local_rows, read_rows, resolve
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
        ("[1, 2]", "line 1 must be a JSON object, found list"),
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
