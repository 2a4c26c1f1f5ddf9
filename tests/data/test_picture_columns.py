import polars as pl
import pytest

from maple.data import picture_columns
from maple.data.picture_columns import StoredPicture, stored_pictures
from maple.data.row_files import SourceError, read_file

STORED = pl.Struct({"bytes": pl.Binary, "path": pl.String})


def parquet(path, **columns):
    pl.DataFrame(columns, schema_overrides={"image": STORED}).write_parquet(path)
    return path


@pytest.fixture
def rows(tmp_path):
    images = [{"bytes": b"one", "path": "a.png"}, None, {"bytes": None, "path": "c.png"}]
    return parquet(tmp_path / "test[1].parquet", question=["a", "b", "c"], image=images, raw=[b"1", b"2", b"3"])


def test_a_name_stands_in_the_place_of_a_picture_that_is_not_read(rows):
    first, *_ = read_file(rows)
    assert first == {"question": "a", "image": "test[1].parquet: row 1: image", "raw": "test[1].parquet: row 1: raw"}
    assert [row["question"] for row in read_file(rows, limit=2)] == ["a", "b"]


@pytest.mark.parametrize("at_once", [1, 2, 64])
def test_pictures_are_read_a_few_at_a_time_under_their_names(rows, monkeypatch, at_once):
    monkeypatch.setattr(picture_columns, "_ROWS", at_once)
    found = list(stored_pictures(rows))
    assert found[0] == StoredPicture("test[1].parquet: row 1: image", b"one")
    assert [picture.content for picture in found] == [b"one", None, None, b"1", b"2", b"3"]
    names = [row[column] for column in ("image", "raw") for row in read_file(rows)]
    assert [picture.name for picture in found] == names


def test_a_file_without_pictures_is_read_as_it_is(tmp_path):
    file = tmp_path / "test.parquet"
    pl.DataFrame({"question": ["a"], "answers": [{"text": ["b"]}]}).write_parquet(file)
    assert read_file(file) == [{"question": "a", "answers": {"text": ["b"]}}] and not list(stored_pictures(file))


def test_a_cut_file_is_refused_by_name(rows):
    rows.write_bytes(rows.read_bytes()[:-20])
    with pytest.raises(SourceError, match=r"test\[1\]\.parquet: is no whole Parquet file"):
        read_file(rows)
