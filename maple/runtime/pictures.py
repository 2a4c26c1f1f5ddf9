"""Pictures of rows: files in a folder, opened whole or refused, by all who read them."""

import io
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from maple.text.plain import plain

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

# What published sets consist of (our choice). Each format more is one more decoder that strangers' bytes reach; TIFF
# would bring pages and the colours of print besides.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
# Our choice: a file of 64 MiB, and the pixels of the largest usual cameras (8,000 x 8,000, 192 MB as RGB). Pillow warns
# from 89 million pixels on, so that whatever it warns of is refused.
MAX_BYTES, MAX_PIXELS = 64 * 2**20, 64_000_000
# Pillow's names of the colours of screens: bits, grey of 8 and 16 bits, palettes and RGB, with and without opacity.
_SCREEN_MODES = ("1", "L", "LA", "I;16", "P", "RGB", "RGBA")
_TOO_LARGE = f"has more than {MAX_PIXELS:,} pixels; make it smaller"
_GREY = (128, 128, 128)


class PictureError(ValueError):
    """A picture that cannot be opened, or does not fit its row; the message names row and file, and what to change."""


@dataclass(frozen=True)
class Picture:
    """A picture as a row carries it."""

    file: str
    """Path below the folder of the data, with / between its parts."""
    digest: str
    """SHA-256 of the file's bytes, 64 hex digits."""


def picture_at(file: str, folder: str | Path, where: str) -> Picture:
    """Return the record of a picture; `where` names the row for messages, as in "test.jsonl: row 3".

    Raises PictureError for a file that is missing, outside of `folder` or larger than MAX_BYTES; it is not decoded.
    """
    return Picture(file, sha256(_content(file, folder, where)).hexdigest())


def open_picture(picture: Picture, folder: str | Path, where: str) -> "Image":
    """Return a picture below `folder` as `decode_picture` does.

    Raises PictureError, which names the row by `where` and the file, for a file that `picture_at` or `decode_picture`
    refuses, and for one with another digest: a file that was overwritten, or of which a byte has changed, can be a
    whole picture, of something else.
    """
    content = _content(picture.file, folder, where)
    name = _name(picture.file, where)
    if (found := sha256(content).hexdigest()) != picture.digest:
        raise PictureError(
            f"{name} has the SHA-256 {found}, not {plain(picture.digest)} as its row says; put the file of that row "
            "there, or read the rows again"
        )
    return decode_picture(content, name)


def decode_picture(content: bytes, name: str) -> "Image":
    """Return the content of a file of one of FORMATS as an RGB image without metadata; `name` is for messages.

    Bits, grey, palettes and opacity become RGB: what is transparent becomes white, as the pages that such pictures
    were drawn for, and of 16 bits the upper 8 stay (both our choice). A picture is turned as its EXIF orientation
    says, since its questions were written by people who saw it upright (our choice; datasets and transformers do so
    too); EXIF that cannot be read turns nothing. Colour profiles are left out without converting colours. Of a JPEG
    with further pictures behind the first one (MPO, of telephones: depth, a second eye), that one is returned.

    Raises PictureError for what is of no such format, cut or damaged, has more than one frame or more than MAX_PIXELS
    pixels, or the colours of print (CMYK). No setting of Pillow is changed, and the number of pixels is checked
    before any is decoded.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            fault = _fault(image)
            if not fault:
                image.load()
                return _on_white(_upright(image))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        fault = _TOO_LARGE
    except UnidentifiedImageError:
        fault = (
            f"is no whole picture in one of {', '.join(FORMATS)}, whatever its name says; convert it, or copy it again"
        )
    except Exception as error:  # Pillow's decoders raise whatever they meet in a damaged file
        fault = f"is cut or damaged ({plain(str(error), 200)}); copy it again"
    raise PictureError(f"{name} {fault}")


def grey_picture(image: "Image") -> "Image":
    """Return a picture of the same size that shows nothing, in medium grey: what a blind model is asked with."""
    from PIL import Image

    return Image.new("RGB", image.size, _GREY)


def _name(file: str, where: str) -> str:
    return f"{where}: picture {plain(file)}"


def _content(file: str, folder: str | Path, where: str) -> bytes:
    """Return the bytes of a file below a folder."""
    name = _name(file, where)
    path = _path(file, folder, name)
    try:
        status = path.stat()
        content = path.read_bytes() if stat.S_ISREG(status.st_mode) and status.st_size <= MAX_BYTES else None
    except FileNotFoundError:
        raise PictureError(f"{name} is not in {folder}; put it there, or mend the row") from None
    except OSError as error:
        raise PictureError(f"{name} in {folder} could not be read ({error.strerror}); mend file or row") from None
    if not stat.S_ISREG(status.st_mode):
        raise PictureError(f"{name} in {folder} is no file; mend the row")
    if content is None:
        raise PictureError(f"{name} has {status.st_size:,} bytes, more than {MAX_BYTES:,}; make it smaller")
    return content


def _path(file: str, folder: str | Path, name: str) -> Path:
    """Return where a file is, links followed; refuse one that is not below the folder."""
    stated = PurePosixPath(file)
    try:
        path = Path(os.path.realpath(Path(folder, stated)))
    except ValueError:  # NUL, or half a letter
        raise PictureError(f"{name}: no file can have such a name; mend the row") from None
    if stated.is_absolute() or ".." in stated.parts or not path.is_relative_to(os.path.realpath(folder)):
        raise PictureError(
            f"{name} is not below {folder}; name it by its path there, without .. and links that lead elsewhere"
        )
    return path


def _fault(image: "ImageFile") -> str:
    """Return why a picture is refused before it is decoded, with what to do; "" if it is not."""
    if image.width * image.height > MAX_PIXELS:
        return _TOO_LARGE
    # Of an MPO, further pictures are not frames of the first.
    if getattr(image, "is_animated", False) and image.format != "MPO":
        return "has more than one frame; keep one of them"
    if image.mode not in _SCREEN_MODES:
        return f"has colours that are not of a screen ({image.mode}); convert it to RGB"
    return ""


def _upright(image: "Image") -> "Image":
    from PIL import ImageOps

    with suppress(Exception):  # of EXIF that cannot be read; the pixels are whole
        return ImageOps.exif_transpose(image)
    return image


def _on_white(image: "Image") -> "Image":
    """Return a picture of one of _SCREEN_MODES as RGB: its pixels on a new page, which has no metadata."""
    import numpy as np
    from PIL import Image

    if image.mode == "I;16":  # of which Pillow would make white wherever a value is above 255
        values = np.asarray(image)
        upper = np.where(values == image.info.get("transparency", -1), 255, values >> 8)
        image = Image.fromarray(upper.astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
    page = Image.new("RGB", image.size, "white")
    page.paste(image, mask=image.getchannel("A") if image.mode == "RGBA" else None)
    return page
