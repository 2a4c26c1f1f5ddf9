import pytest

from maple.runtime.files import folder_written_aside, read_json, write_json, written_aside


def test_a_file_that_fails_half_way_leaves_the_old_one(tmp_path):
    path = tmp_path / "scores"
    path.write_text("old")
    with pytest.raises(RuntimeError), written_aside(path) as aside:
        aside.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_fails_half_way_leaves_the_old_one(tmp_path):
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
