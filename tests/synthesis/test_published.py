import json

import polars as pl
import pytest

from maple.data.row_files import SourceError
from maple.data.sources import RowFile
from maple.definitions.language import LanguageIdentity
from maple.synthesis.published import load
from maple.synthesis.recipe import LoadedRows
from maple.synthesis.self_instruct import seed_tasks

SWAHILI = LanguageIdentity("swh_Latn", "Swahili", "sw", "Latn")


def loaded(folder, *rows, **columns):
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps({"instruction": "Sema.", "output": "Ndiyo."} | row) + "\n" for row in rows))
    return load(LoadedRows(local=RowFile(path=str(path), columns=columns)), SWAHILI)


def test_numbers_are_texts_and_nan_is_no_input(tmp_path):
    rows = loaded(tmp_path, {"input": float("nan"), "output": 0}, {"instruction": 7, "input": False, "output": 0.5})
    assert rows.select("instruction", "input", "output").rows() == [("Sema.", "", "0"), ("7", "false", "0.5")]


@pytest.mark.parametrize("field", ["instruction", "input", "output"])
@pytest.mark.parametrize(("value", "kind"), [(["x", "y"], "list"), ({"text": "x"}, "dict"), ([], "list")])
def test_a_structure_is_no_text(tmp_path, field, value, kind):
    with pytest.raises(SourceError, match=rf"rows\.jsonl: row 2: {field} is a {kind}, and no text"):
        loaded(tmp_path, {}, {field: value})


def test_nan_in_parquet_is_no_text(tmp_path):
    frame = pl.DataFrame({"instruction": ["Sema.", "Sema."], "input": [float("nan"), 1.5], "output": [0, 1]})
    frame.write_parquet(tmp_path / "rows.parquet")
    rows = load(LoadedRows(local=RowFile(path=str(tmp_path / "rows.parquet"))), SWAHILI)
    assert rows.select("input", "output").rows() == [("", "0"), ("1.5", "1")]


@pytest.mark.parametrize(
    ("ids", "says"),
    [
        (["a", "b", "a"], "2 rows have the id 'a': 1, 3"),
        (["x", "x", "x"], "3 rows have the id 'x': 1, 2, 3"),
        ([1, "1"], "2 rows have the id '1': 1, 2"),
        ([1, "1 "], "2 rows have the id '1': 1, 2"),
        (["", "a"], "1 rows have no id: 1"),
        (["1", None], "2 rows have the id '1': 1, 2"),
        ([["a"], "b"], "row 1: id is a list"),
    ],
)
def test_rows_whose_ids_do_not_tell_them_apart_are_refused(tmp_path, ids, says):
    with pytest.raises(SourceError, match=rf"rows\.jsonl: {says}"):
        loaded(tmp_path, *({"id": id} for id in ids))


def test_rows_without_ids_have_their_numbers(tmp_path):
    assert loaded(tmp_path, {}, {"id": None}, {"id": float("nan")})["id"].to_list() == ["0", "1", "2"]


def test_input_and_output_may_change_places(tmp_path):
    for names in (["input", "output"], ["output", "input"]):
        columns = {name: {"input": "output", "output": "input"}[name] for name in names}
        rows = loaded(tmp_path, {"input": "swali", "output": "jibu"}, **columns)
        assert rows.select("input", "output").rows() == [("jibu", "swali")]


def test_seed_tasks_of_a_file_are_texts(tmp_path):
    path = tmp_path / "sw.jsonl"
    path.write_text('{"instruction": "Hesabu.", "input": null, "output": 0}\n')
    tasks = seed_tasks(RowFile(path=str(path)), SWAHILI, {})
    assert tasks == [{"instruction": "Hesabu.", "input": "", "output": "0"}]
    path.write_text('{"instruction": "Hesabu.", "input": "", "output": [1]}\n')
    with pytest.raises(SourceError, match=r"sw\.jsonl: row 1: output is a list"):
        seed_tasks(RowFile(path=str(path)), SWAHILI, {})
