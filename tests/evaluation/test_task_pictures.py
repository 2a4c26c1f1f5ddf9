"""The folder of a task's pictures: what is put there, and what is refused with file, row and picture."""

import os
from hashlib import sha256

import polars as pl
import pytest
from PIL import Image
from toy_pictures import SPEC, TWO, painted, places, task, written

from maple.data.picture_index import INDEX_SCHEMA, PictureIndex
from maple.data.sources import EmbeddedSource, SourceError
from maple.definitions.language import LanguageIdentity
from maple.embedded.drawing import draw, png
from maple.embedded.pictures import item_pictures
from maple.evaluation.task_pictures import SplitPictures, collect
from maple.runtime.pictures import PictureError

STORED = pl.Struct({"bytes": pl.Binary, "path": pl.String})


def digest_of(content):
    return sha256(content).hexdigest()


def files_in(folder):
    return sorted(path.name for path in folder.iterdir() if path.suffix in (".png", ".jpg", ".gif", ".webp"))


def test_each_picture_is_there_once_named_by_its_digest(tmp_path):
    red = painted(tmp_path / "images/a.png", "red")
    blue = painted(tmp_path / "images/b/b.png", "blue", "white")
    written(tmp_path, test=[{"image": "a.png"}, {"image": "b/b.png"}, {"image": "a.png"}])
    index = collect(task(), places(tmp_path, "test"), tmp_path / "out")
    assert files_in(tmp_path / "out") == sorted(f"{digest_of(content)}.png" for content in (red, blue))
    assert index.schema == INDEX_SCHEMA and index.select("name", "digest", "width", "height").rows() == [
        ("a.png", digest_of(red), 16, 16),
        ("b/b.png", digest_of(blue), 32, 16),
    ]
    assert PictureIndex.read([tmp_path / "out"]).pictures.drop("file").equals(index.drop("file"))


def test_a_file_s_name_ends_as_its_content_is(tmp_path):
    painted(tmp_path / "images/a.png", "red")
    with Image.open(tmp_path / "images/a.png") as image:
        image.save(tmp_path / "images/photo.png", "JPEG")
    written(tmp_path, test=[{"image": "photo.png"}])
    collect(task(), places(tmp_path, "test"), tmp_path / "out")
    assert [name[64:] for name in files_in(tmp_path / "out")] == [".jpg"]


def test_files_are_linked_and_copied_where_links_cannot_be(tmp_path, monkeypatch):
    content = painted(tmp_path / "images/a.png", "red")
    written(tmp_path, test=[{"image": "a.png"}])
    collect(task(), places(tmp_path, "test"), tmp_path / "out")
    (linked,) = (tmp_path / "out").glob("*.png")
    assert linked.samefile(tmp_path / "images/a.png")

    def refuse(*_):
        raise OSError("another disk")

    monkeypatch.setattr(os, "link", refuse)
    collect(task(), places(tmp_path, "test"), tmp_path / "out")
    (copied,) = (tmp_path / "out").glob("*.png")
    assert copied.read_bytes() == content and not copied.samefile(tmp_path / "images/a.png")


def test_languages_share_pictures_and_have_rows_of_their_own(tmp_path):
    painted(tmp_path / "images/a.png", "red")
    written(tmp_path, test=[{"image": "a.png"}])
    german = LanguageIdentity("deu_Latn", "German", "de", "Latn")
    both = [*places(tmp_path, "test"), *places(tmp_path, "test", language=german)]
    index = collect(task(), both, tmp_path / "out")
    assert index.select("language", "split", "name").rows() == [
        ("swh_Latn", "test", "a.png"),
        ("deu_Latn", "test", "a.png"),
    ]
    assert len(files_in(tmp_path / "out")) == 1


def test_a_row_may_show_two_pictures(tmp_path):
    for name in ("a", "b"):
        painted(tmp_path / f"images/{name}.png", "red" if name == "a" else "blue")
    written(tmp_path, test=[{"left": "a", "right": "b"}, {"left": "b", "right": "a"}])
    index = collect(task(TWO), places(tmp_path, "test"), tmp_path / "out")
    assert index["name"].to_list() == ["a.png", "b.png"]


def damage(folder):
    painted(folder / "images/whole.png", "red")
    (folder / "images/torn.png").write_bytes((folder / "images/whole.png").read_bytes()[:-30])
    (folder / "images/text.png").write_text("no picture")
    Image.new("CMYK", (8, 8)).save(folder / "images/print.jpg")
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(folder / "images/film.gif", save_all=True, append_images=frames[1:])
    painted(folder / "outside.png", "green")
    (folder / "images/link.png").symlink_to(folder / "outside.png")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("absent.png", r"picture absent\.png is not in .*/images; put it there, or mend the row"),
        ("torn.png", r"picture torn\.png is cut or damaged"),
        ("text.png", r"picture text\.png is no whole picture"),
        ("print.jpg", r"picture print\.jpg has colours that are not of a screen \(CMYK\)"),
        ("film.gif", r"picture film\.gif has more than one frame"),
        ("../outside.png", r"picture \.\./outside\.png is not below .*/images"),
        ("/etc/hostname", r"picture /etc/hostname is not below"),
        ("link.png", r"picture link\.png is not below"),
        (".", r"picture \. in .*/images is no file"),
    ],
)
def test_a_picture_that_cannot_be_opened_is_refused_with_file_and_row(tmp_path, name, says):
    damage(tmp_path)
    written(tmp_path, test=[{"image": "whole.png"}, {"image": name}])
    with pytest.raises(PictureError, match=rf"^.*/test\.jsonl: row 2: {says}") as refusal:
        collect(task(), places(tmp_path, "test"), tmp_path / "out")
    assert "\n" not in str(refusal.value) and not (tmp_path / "out").exists()


def test_rows_without_a_picture_are_left_out_up_to_the_share_that_may_be_faulty(tmp_path):
    painted(tmp_path / "images/a.png", "red")
    written(tmp_path, test=[{"image": "a.png"}, {"image": None}])
    assert collect(task(), places(tmp_path, "test"), tmp_path / "out").height == 1
    written(tmp_path, test=[{"image": "a.png"}, {"image": ""}, {}])
    says = (
        r"/test\.jsonl: 2 of 3 test rows have no picture, the first is row 2: its picture \(image\) is empty; mend the "
        r"rows or `pictures` of config/tasks/looks\.yaml, or write a larger `max_faulty`"
    )
    with pytest.raises(PictureError, match=says):
        collect(task(), places(tmp_path, "test"), tmp_path / "out")


@pytest.mark.parametrize(("value", "says"), [(7, "of type int, and no path"), (["a.png"], "of type list")])
def test_what_is_no_path_is_no_picture(tmp_path, value, says):
    written(tmp_path, test=[{"image": value}])
    with pytest.raises(PictureError, match=rf"its picture \(image\) is {says}"):
        collect(task(), places(tmp_path, "test"), tmp_path / "out")


def test_a_path_without_a_folder_is_refused_with_what_to_write(tmp_path):
    written(tmp_path, test=[{"image": "a.png"}])
    says = r"row 1: picture a\.png: config/tasks/looks\.yaml names no folder for it; write it under `pictures`"
    with pytest.raises(PictureError, match=says):
        collect(task(), places(tmp_path, "test", pictures=""), tmp_path / "out")


def stored_rows(folder, *contents):
    images = [content and {"bytes": content, "path": None} for content in contents]
    ids = [str(number) for number in range(len(contents))]
    frame = pl.DataFrame({"id": ids, "image": images}, schema_overrides={"image": STORED})
    frame.write_parquet(folder / "test.parquet")
    return places(folder, "test", pictures="", path="{data}/{split}.parquet")


def test_pictures_in_a_column_of_parquet_are_written_as_they_are(tmp_path):
    content = painted(tmp_path / "a.png", "red")
    index = collect(task(), stored_rows(tmp_path, content, None, content), tmp_path / "out")
    assert files_in(tmp_path / "out") == [f"{digest_of(content)}.png"]
    assert (tmp_path / f"out/{digest_of(content)}.png").read_bytes() == content
    assert index.select("name", "digest").rows() == [
        ("test.parquet: row 1: image", digest_of(content)),
        ("test.parquet: row 2: image", None),
        ("test.parquet: row 3: image", digest_of(content)),
    ]


def test_a_broken_picture_in_parquet_is_refused_with_file_row_and_column(tmp_path):
    content = painted(tmp_path / "a.png", "red")
    with pytest.raises(PictureError, match=r"^.*/test\.parquet: row 2: image is cut or damaged"):
        collect(task(), stored_rows(tmp_path, content, content[:-30]), tmp_path / "out")


def test_rows_of_parquet_without_pictures_are_counted_too(tmp_path):
    says = r"test\.parquet: 2 of 2 test rows have no picture, the first is row 1: its picture is empty"
    with pytest.raises(PictureError, match=says):
        collect(task(), stored_rows(tmp_path, None, None), tmp_path / "out")


def test_a_missing_file_of_rows_is_refused_by_name(tmp_path):
    with pytest.raises(SourceError, match=r"test\.jsonl: no such file"):
        collect(task(), places(tmp_path, "test"), tmp_path / "out")


def test_drawn_pictures_are_those_of_the_items_in_every_language(tmp_path):
    place = SplitPictures(language="", split="test", source=EmbeddedSource(embedded={}), items=3)
    index = collect(task(SPEC, "true-false"), [place], tmp_path / "out")
    drawn = {name: digest_of(png(draw(picture))) for name, picture in item_pictures("true-false", 3, "test").items()}
    assert dict(index.select("name", "digest").rows()) == drawn and index["language"].to_list() == [""] * 3
    assert index.select("width", "height").unique().rows() == [(64, 64)]


def test_a_place_is_known_by_the_content_of_rows_and_pictures():
    (place,) = places("/data", "test")
    assert place.params()["folder"] == "/data/images"
    by_content = place.params(lambda path: f"digest of {path}")
    assert by_content["folder"] == "digest of /data/images"
    assert by_content["source"]["local"]["path"] == "digest of /data/test.jsonl"
    drawn = SplitPictures(language="", split="test", source=EmbeddedSource(embedded={}), items=3)
    assert drawn.params(str) == {"language": "", "split": "test", "source": {"embedded": {}}, "items": 3}
