import polars as pl
import pytest

from maple.data.sources import SourceError, read_rows, resolve

SWAHILI = {"code": "swh_Latn", "name": "Swahili", "iso639_1": "sw", "script": "Latn"}


def test_a_path_is_filled_from_the_language_row():
    source = {"local": {"path": "{data}/xcopa/{iso639_1}.jsonl"}}
    assert resolve(source, SWAHILI, "rows") == {"local": {"path": "rows/xcopa/sw.jsonl"}}


def test_rows_come_with_our_names(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"sentence1": "Jua limetoka."}\n\n')
    source = {"local": {"path": str(tmp_path / "a.jsonl"), "columns": {"premise": "sentence1"}}}
    assert read_rows(source, ["premise"]) == [{"premise": "Jua limetoka."}]


def test_a_value_within_a_row_is_reached(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"instances": [{"output": "Habari."}]}\n{"instances": []}\n')
    source = {"local": {"path": str(tmp_path / "a.jsonl"), "columns": {"output": "instances.0.output"}}}
    assert read_rows(source)[0]["output"] == "Habari."
    with pytest.raises(SourceError, match="row 2 has no column output; it has instances"):
        read_rows(source, ["output"])


def test_parquet_reads_like_json_lines(tmp_path):
    pl.DataFrame({"text": ["a", "b"]}).write_parquet(tmp_path / "a.parquet")
    assert read_rows({"local": {"path": str(tmp_path / "a.parquet")}}, ["text"]) == [{"text": "a"}, {"text": "b"}]


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
        read_rows({"local": {"path": str(path)}}, ["text"])
    assert str(path) in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"nothing\.jsonl: no such file"):
        read_rows({"local": {"path": str(tmp_path / "nothing.jsonl")}}, [])


def test_rows_of_the_hub_are_read_from_what_was_fetched_at_their_revision(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = {"dataset": "facebook/xnli", "revision": "b8dd", "files": "{iso639_1}/{split}-*.parquet"}
    source = resolve({"hub": place | {"splits": {"test": "validation"}}}, SWAHILI, None, "test")
    folder = "results/hub/datasets--facebook--xnli--b8dd"
    assert source == {"hub": {"folder": folder, "files": "sw/validation-*.parquet"}}
    with pytest.raises(SourceError, match=r"facebook--xnli--b8dd: no file sw/validation-\*\.parquet; mend `files`"):
        read_rows(source)
    (tmp_path / folder / "sw").mkdir(parents=True)
    for number in (1, 0):
        rows = pl.DataFrame({"text": [str(number)]})
        rows.write_parquet(tmp_path / folder / f"sw/validation-0000{number}-of-00002.parquet")
    assert read_rows(source, ["text"]) == [{"text": "0"}, {"text": "1"}]
