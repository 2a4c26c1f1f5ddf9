"""A picture of an example or a prompt: a file, and whether the model sees it or grey in its place."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from maple.runtime.pictures import Picture, grey_picture, picture_at
from maple.runtime.pictures import open_picture as open_below

if TYPE_CHECKING:
    from PIL.Image import Image


class PictureFile(NamedTuple):
    """A picture of an example or a prompt."""

    file: str
    digest: str = ""
    """SHA-256 of the file's bytes, 64 hex digits; "" for a file that may be any."""
    grey: bool = False
    """True if the model is shown grey of the same size instead (maple.runtime.pictures.grey_picture)."""


def open_picture(picture: PictureFile) -> "Image":
    """Return the picture in a file as maple.runtime.pictures does; raises PictureError as it does."""
    path = Path(picture.file)
    folder, where = path.parent, str(path.parent)
    known = Picture(path.name, picture.digest) if picture.digest else picture_at(path.name, folder, where)
    image = open_below(known, folder, where)
    return grey_picture(image) if picture.grey else image
