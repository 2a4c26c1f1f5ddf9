import polars as pl
import pytest

from maple.runtime.files import (
    folder_written_aside,
    read_all,
    read_json,
    remove_leftovers,
    write_csv,
    write_json,
    write_parquet,
    written_aside,
)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "scores"
    path.write_text("old")
    with pytest.raises(RuntimeError), written_aside(path) as aside:
        aside.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_folder(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights").write_text("old")
    with pytest.raises(RuntimeError), folder_written_aside(folder) as aside:
        (aside / "weights").write_text("half")
        raise RuntimeError
    assert (folder / "weights").read_text() == "old"
    assert list(tmp_path.iterdir()) == [folder]


def test_json_comes_back_as_it_was_written(tmp_path):
    write_json({"language": "Kiswahili", "n": 3}, tmp_path / "card.json")
    assert read_json(tmp_path / "card.json") == {"language": "Kiswahili", "n": 3}


def test_a_config_with_an_infinity_is_read_as_transformers_wrote_it(tmp_path):
    (tmp_path / "config.json").write_text('{"time_step_limit": [0.0, Infinity]}')
    assert read_json(tmp_path / "config.json") == {"time_step_limit": [0.0, float("inf")]}


def test_what_another_study_left_goes_and_what_somebody_else_put_there_stays(tmp_path):
    folder = tmp_path / "results/lm_eval"
    kept, dropped, note = (folder / name for name in ("toy/lora/r.json", "toy/dora/seed1/r.json", "toy/notes.txt"))
    for path in (kept, dropped, note):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "results/r.json").touch()
    remove_leftovers(folder, ["r.json"], [kept])
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == [kept, note, tmp_path / "results/r.json"]
    assert not (folder / "toy/dora").exists()
    remove_leftovers(folder, ["r.json"], [])
    assert [path.name for path in folder.rglob("*")] == ["toy", "notes.txt"]
    remove_leftovers(tmp_path / "nothing", ["r.json"], [])


def test_no_cell_of_a_csv_is_a_formula_or_hides_anything(tmp_path):
    texts = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\x1b[31m=1", "＝1", "plain", "a=b", None]
    write_csv(pl.DataFrame({"name": texts, "score": [-1.5] * len(texts)}), tmp_path / "a.csv")
    read = pl.read_csv(tmp_path / "a.csv")
    assert read["name"].to_list() == ["'=1+1", "'+1", "'-1", "'@SUM(A1)", "'=1", "'=1", "'＝1", "plain", "a=b", None]
    assert read["score"].to_list() == [-1.5] * len(texts)


def test_files_of_prompts_with_and_without_pictures_are_read_as_one_table(tmp_path):
    write_parquet(pl.DataFrame({"prompt": ["a"]}), tmp_path / "text.parquet")
    write_parquet(pl.DataFrame({"pictures": [["p.png"]], "prompt": ["b"]}), tmp_path / "looks.parquet")
    read = read_all([tmp_path / "text.parquet", tmp_path / "looks.parquet"])
    assert read.to_dict(as_series=False) == {"prompt": ["a", "b"], "pictures": [None, ["p.png"]]}
