"""Files of text, packed or not, opened as text in the Unicode that their first bytes tell."""

import bz2
import codecs
import gzip
import io
import json
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

PACKED = (".gz", ".bz2", ".xz", ".zst")
AGAIN = "copy or download the file again"
_BYTE_ORDER_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


class SourceError(ValueError):
    """Rows that cannot be read; the message names file, row and column, and what to change."""


def _zstandard(path: Path) -> io.BufferedIOBase:
    import pyarrow as pa  # takes a tenth of a second

    return pa.input_stream(path, compression="zstd")


# By a file's first bytes and not by its ending: browsers unpack some files and keep the name.
_UNPACK: dict[bytes, Callable[[Path], io.BufferedIOBase]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
    b"\x28\xb5\x2f\xfd": _zstandard,
}


def _opened(path: Path) -> IO[bytes]:
    with open(path, "rb") as file:
        beginning = file.read(8)
    for magic, unpacked in _UNPACK.items():
        if beginning.startswith(magic):
            return cast("IO[bytes]", unpacked(path))
    return open(path, "rb")


def _encoding(beginning: bytes, *, is_json: bool) -> str:
    if is_json:
        return json.detect_encoding(beginning)
    return next((name for mark, name in _BYTE_ORDER_MARKS.items() if beginning.startswith(mark)), "utf-8-sig")


@contextmanager
def opened(path: Path, *, newline: str | None = None, is_json: bool = False) -> Iterator[io.TextIOWrapper]:
    """Open a file as text, unpacked: UTF-8, or UTF-16 with a byte order mark, or of JSON any Unicode encoding.

    `newline` is as for `open`. Raises SourceError, which names the file, for one that is missing, that cannot be
    unpacked, or that is of no Unicode encoding, with the line.
    """
    if not path.is_file():
        raise SourceError(f"{path}: no such file; put it there, or change `path` of the local source that names it")
    try:
        with _opened(path) as stream:
            encoding = _encoding(stream.read(4), is_json=is_json)
        with _opened(path) as stream:
            text = io.TextIOWrapper(stream, encoding, newline=newline)
            try:
                yield text
            except UnicodeDecodeError as error:
                name = encoding.removesuffix("-sig").upper()
                raise SourceError(f"{path}: is not {name} ({error}); convert the file, or {AGAIN}") from None
    except (EOFError, zlib.error, lzma.LZMAError) as error:
        raise SourceError(f"{path}: cannot be unpacked, it is cut or damaged ({error}); {AGAIN}") from None
    except OSError as error:
        raise SourceError(f"{path}: could not be read ({error.strerror or error}); {AGAIN}") from None
