"""The pictures of a task's rows, in one folder: drawn, or opened once and linked there."""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from pydantic import SerializationInfo, field_serializer

from maple.data.picture_columns import StoredPicture, stored_pictures
from maple.data.picture_index import INDEX, INDEX_SCHEMA
from maple.data.picture_overlaps import perceptual_hash
from maple.data.row_files import PARQUET
from maple.data.sources import HubSource, LocalSource, RowSource, Split, read_rows, row_paths
from maple.data.templates import TemplateLimitError
from maple.definitions.record import Record, Share
from maple.embedded.drawing import draw, png
from maple.embedded.pictures import item_pictures
from maple.evaluation.picture_names import picture_names
from maple.evaluation.prompts import RowFault
from maple.runtime.files import folder_written_aside, write_parquet
from maple.runtime.pictures import PictureError, decode_picture, open_picture, picture_at
from maple.text.plain import plain

if TYPE_CHECKING:
    from PIL.Image import Image

# What the file of a picture begins with, in each of maple.runtime.pictures.FORMATS.
_ENDINGS = {b"\x89PNG": ".png", b"\xff\xd8": ".jpg", b"RIFF": ".webp", b"GIF8": ".gif"}


class PicturedTask(Record):
    """What a task's file says of its pictures."""

    name: str
    pictures: list[str]
    """Expressions over a row."""
    max_faulty: Share


class SplitPictures(Record):
    """Where the rows of one split lie in one language, and the pictures that they name."""

    language: str
    """"" for the embedded world, whose pictures are the same in all languages."""
    split: Split
    source: RowSource
    folder: str = ""
    """The folder of the pictures; "" for those that are drawn or lie in a column of Parquet."""
    items: int | None = None
    """How many items are drawn; None for other rows."""

    @field_serializer("folder")
    def _path_or_digest(self, folder: str, info: SerializationInfo) -> str:
        return info.context(folder) if info.context and folder else folder


@dataclass(frozen=True)
class _Found:
    """A picture that was opened."""

    digest: str
    file: str
    width: int
    height: int
    hash: bytes


def collect(task: PicturedTask, places: Iterable[SplitPictures], folder: str | Path) -> pl.DataFrame:
    """Put each picture of a task's rows into `folder` once, named by its digest; return the index (INDEX_SCHEMA).

    Pictures are drawn, or opened and then linked as they are; on another disk they are copied. Raises PictureError,
    which names file, row and picture, for one that cannot be opened, and for rows of which more than `max_faulty` have
    none.
    """
    with folder_written_aside(folder) as aside:
        album = _Album(task, aside)
        rows = [row for place in places for row in album.rows_of(place)]
        index = pl.DataFrame(rows, schema=INDEX_SCHEMA)
        write_parquet(index, aside / INDEX)
    return index


class _Album:
    """The folder of a task's pictures while it is filled."""

    def __init__(self, task: PicturedTask, folder: Path):
        self._task, self._folder = task, folder
        # By folder and name: the languages of a parallel set share pictures.
        self._opened: dict[tuple[str, str], _Found] = {}

    def rows_of(self, place: SplitPictures) -> Iterator[dict]:
        """Yield the rows of the index."""
        found = self._named(place) if isinstance(place.source, LocalSource | HubSource) else self._drawn(place)
        common = {"task": self._task.name, "language": place.language, "split": place.split}
        for name, picture in found.items():
            yield dict.fromkeys(INDEX_SCHEMA) | common | {"name": name} | (asdict(picture) if picture else {})

    def _drawn(self, place: SplitPictures) -> dict[str, _Found]:
        found = {}
        for name, picture in item_pictures(self._task.name, place.items or 0, place.split).items():
            image = draw(picture)
            found[name] = self._kept(png(image), image)
        return found

    def _named(self, place: SplitPictures) -> dict[str, _Found | None]:
        """Return the pictures that rows name, by name; None for one that is empty in a column of Parquet."""
        assert isinstance(place.source, LocalSource | HubSource), "embedded pictures are drawn"
        rows, numbers, faults = read_rows(place.source), {}, {}
        for number, row in enumerate(rows):
            try:
                for name in picture_names(self._task.pictures, row, number):
                    numbers.setdefault(name, number)
            except (RowFault, TemplateLimitError) as fault:
                faults[number] = str(fault)
        found: dict[str, _Found | None] = {}
        for path in _parquet_files(place.source):
            stored = (picture for picture in stored_pictures(path) if picture.name in numbers)
            found |= {picture.name: self._stored(picture, path.parent) for picture in stored}
        faults |= {numbers[name]: "its picture is empty" for name, picture in found.items() if picture is None}
        self._check(faults, len(rows), place.source.files, place.split)
        for name, number in numbers.items():
            if name not in found:
                found[name] = self._linked(name, place.folder, f"{place.source.files}: row {number + 1}")
        return found

    def _check(self, faults: Mapping[int, str], rows: int, files: str, split: str) -> None:
        """Refuse rows of which a larger share than the task's `max_faulty` has no picture."""
        if len(faults) > self._task.max_faulty * rows:
            first = min(faults)
            raise PictureError(
                f"{files}: {len(faults)} of {rows} {split} rows have no picture, the first is row {first + 1}: "
                f"{plain(faults[first])}; mend the rows or `pictures` of config/tasks/{self._task.name}.yaml, or write "
                "a larger `max_faulty` there"
            )

    def _stored(self, picture: StoredPicture, folder: Path) -> _Found | None:
        """Return a picture in a column of Parquet."""
        if picture.content is None:
            return None
        return self._kept(picture.content, decode_picture(picture.content, str(folder / picture.name)))

    def _linked(self, name: str, folder: str, where: str) -> _Found:
        """Return a picture in a folder."""
        if not folder:
            raise PictureError(
                f"{where}: picture {plain(name)}: config/tasks/{self._task.name}.yaml names no folder for it; write it "
                "under `pictures` of its local source"
            )
        if (folder, name) not in self._opened:
            picture = picture_at(name, folder, where)
            image = open_picture(picture, folder, where)
            self._opened[folder, name] = self._kept(Path(folder, name), image, picture.digest)
        return self._opened[folder, name]

    def _kept(self, content: bytes | Path, image: "Image", digest: str = "") -> _Found:
        """Put a picture, whole or as its file, into the folder."""
        if isinstance(content, Path):
            with open(content, "rb") as file:
                beginning = file.read(4)
        else:
            beginning, digest = content[:4], sha256(content).hexdigest()
        kept = self._folder / (digest + next(_ENDINGS[magic] for magic in _ENDINGS if beginning.startswith(magic)))
        if not kept.exists():
            _link(content, kept) if isinstance(content, Path) else kept.write_bytes(content)
        return _Found(digest, kept.name, image.width, image.height, perceptual_hash(image))


def _parquet_files(source: LocalSource | HubSource) -> list[Path]:
    """Return the Parquet files of a source. Raises PictureError for two of one name: pictures are known by it."""
    files = [path for path in row_paths(source) if path.name.lower().endswith(PARQUET)]
    names = [path.name for path in files]
    if twice := [name for name in names if names.count(name) > 1]:
        raise PictureError(f"{source.files}: {twice[0]} is there twice; name the files of one folder by `files`")
    return files


def _link(path: Path, kept: Path) -> None:
    """Link a file, or copy it where it is on another disk or belongs to somebody else."""
    real = os.path.realpath(path)  # a link to a link would lead away from the folder
    try:
        os.link(real, kept)
    except OSError:
        shutil.copyfile(real, kept)
