"""Files of rows, read whole or refused: JSON lines or a JSON array, CSV and TSV, all also packed, and Parquet."""

import bz2
import csv
import gzip
import io
import json
import lzma
import zlib
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, cast

import polars as pl

from maple.data.picture_columns import named_pictures, parted_columns
from maple.runtime import strict_json

PARQUET = ".parquet"
JSON = (".jsonl", ".ndjson", ".json")
# Tables of text with a head, and what parts their cells.
TABLES = {".csv": ",", ".tsv": "\t"}
TEXTS = (*JSON, *TABLES)
PACKED = (".gz", ".bz2", ".xz")
ENDINGS = (PARQUET, *TEXTS, *(text + packed for text in TEXTS for packed in PACKED))
# By a file's first bytes and not by its ending: browsers unpack some files and keep the name.
_UNPACK: dict[bytes, Callable[[Path], io.BufferedIOBase]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
_AGAIN = "copy or download the file again"
_FORM = "every line must be a whole JSON object, or the file one array of them"


class SourceError(ValueError):
    """Rows that cannot be read; the message names file, row and column, and what to change."""


def read_file(path: Path, limit: int | None = None) -> list[dict]:
    """Return the rows of a file, or the first `limit` ones; at least one.

    JSON may be in UTF-8, UTF-16 or UTF-32, with or without a byte order mark, and packed by gzip, bzip2 or xz. Its
    lines may end as on any system. NaN is None. CSV and TSV are UTF-8 with a head; cells may be quoted, and all are
    texts. In the place of pictures in columns of Parquet stand their names (maple.data.picture_columns). Raises
    SourceError, which names file and line, for a file that is missing, empty, cut or of another kind, a row that is no
    object, a key that a row has twice, and an infinite number.
    """
    if not path.is_file():
        raise SourceError(f"{path}: no such file; put it there, or change `path` of the local source that names it")
    if not path.name.lower().endswith(ENDINGS):
        raise SourceError(
            f"{path}: is of no kind that can be read; unpack or convert it, so that its name ends in "
            f"{', '.join((*TEXTS, PARQUET))}, those of text also with {', '.join(PACKED)}"
        )
    try:
        is_parquet = path.name.lower().endswith(PARQUET)
        lines = _table(path, delimiter) if (delimiter := _delimiter(path)) else _objects(path)
        rows = _parquet(path, limit) if is_parquet else list(islice(lines, limit))
    except (EOFError, zlib.error, lzma.LZMAError) as error:
        raise SourceError(f"{path}: cannot be unpacked, it is cut or damaged ({error}); {_AGAIN}") from None
    except OSError as error:
        raise SourceError(f"{path}: could not be read ({error.strerror or error}); {_AGAIN}") from None
    if not rows:
        raise SourceError(f"{path}: has no rows; {_AGAIN}, or take what names it out of the config")
    return rows


def _parquet(path: Path, limit: int | None) -> list[dict]:
    try:
        texts, pictures = parted_columns(path)
        with open(path, "rb") as file:  # in a path, polars would take [ and * for a pattern
            frame = pl.read_parquet(file, columns=texts, n_rows=limit)
        return frame.with_columns(named_pictures(path, pictures, frame.height)).to_dicts()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        reason = str(error).split("\n", 1)[0]
        raise SourceError(f"{path}: is no whole Parquet file ({reason}); {_AGAIN}") from None


_DECODER = strict_json.decoder(nan_is_none=True)  # pandas writes NaN for an empty cell


def _opened(path: Path) -> IO[bytes]:
    """Open a file of JSON, unpacked."""
    with open(path, "rb") as file:
        beginning = file.read(8)
    for magic, unpacked in _UNPACK.items():
        if beginning.startswith(magic):
            return cast("IO[bytes]", unpacked(path))
    return open(path, "rb")


def _objects(path: Path) -> Iterator[dict]:
    number, is_first = 0, True
    with _opened(path) as stream:
        encoding = json.detect_encoding(stream.read(4))
        stream.seek(0)
        # Not str.splitlines, which also splits at U+2028 and U+0085, which a text may contain.
        text = io.TextIOWrapper(stream, encoding, newline=None)
        try:
            for number, line in enumerate(text, start=1):
                content = line.strip(" \t\n\ufeff")  # of files that were joined, each begins with its byte order mark
                if is_first and content.startswith("["):
                    yield from _array(path, content + "\n" + text.read())
                elif content:
                    yield _object(path, f"line {number}", _value(path, number, line, content))
                is_first = is_first and not content
        except UnicodeDecodeError as error:
            place = number + 1 + error.object.count(b"\n", 0, error.start)
            name = encoding.removesuffix("-sig").upper()
            raise SourceError(f"{path}: is not {name} in line {place}; convert the file, or {_AGAIN}") from None


def _delimiter(path: Path) -> str | None:
    """Return what parts the cells of a table; None for a file of another kind."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:] if suffix.lower() not in PACKED]
    return TABLES.get(suffixes[-1]) if suffixes else None


def _table(path: Path, delimiter: str) -> Iterator[dict]:
    """Yield the rows of CSV or TSV under the names of its head."""
    with _opened(path) as stream:
        reader = csv.reader(io.TextIOWrapper(stream, "utf-8-sig", newline=""), delimiter=delimiter, strict=True)
        try:
            head = next(reader, [])
            if twice := [name for name in dict.fromkeys(head) if head.count(name) > 1]:
                raise SourceError(f"{path}: line 1, the head, has {twice[0]!r} twice; rename one")
            for cells in reader:
                if cells and len(cells) != len(head):
                    raise SourceError(
                        f"{path}: line {reader.line_num} has {len(cells)} cells, the head {len(head)}; quote a cell "
                        "that holds what parts cells, or a line break"
                    )
                if cells:
                    yield dict(zip(head, cells, strict=True))
        except csv.Error as error:
            raise SourceError(f"{path}: line {reader.line_num} is no row of a table ({error}); mend it") from None
        except UnicodeDecodeError as error:
            raise SourceError(f"{path}: is not UTF-8 ({error}); convert the file, or {_AGAIN}") from None


def _object(path: Path, place: str, row: object) -> dict:
    if not isinstance(row, dict):
        raise SourceError(f"{path}: {place} must be a JSON object, found {type(row).__name__}")
    return row


def _array(path: Path, text: str) -> Iterator[dict]:
    try:
        rows = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{path}: is no whole JSON array ({error}); mend it there, or {_AGAIN}") from None
    for number, row in enumerate(rows, start=1):
        yield _object(path, f"row {number}", row)


def _value(path: Path, number: int, line: str, content: str) -> object:
    try:
        return _DECODER.decode(content)
    except (ValueError, RecursionError) as error:  # also for endless numbers and deeply nested brackets
        advice = f"mend it: {_FORM}"
        if number > 1 and not line.endswith("\n"):
            advice = f"the file ends within it: {_AGAIN}"
        raise SourceError(f"{path}: line {number} is not JSON ({error}); {advice}") from None


def read_aligned(source: Path, target: Path, limit: int | None = None) -> list[dict]:
    """Return the rows of two files of plain text, or the first `limit` ones: id (the line's number), source, target.

    A line of one file is the translation of the same line of the other. Files are UTF-8, packed or not. Raises
    SourceError, which names the files, for one that is missing, empty or no UTF-8, and for files of different length.
    """
    sides = [_lines(path) for path in (source, target)]
    lengths = [len(side) for side in sides]
    if lengths[0] != lengths[1]:
        raise SourceError(
            f"{source} has {lengths[0]} lines and {target} {lengths[1]}; each line of one must be the translation of "
            "the same line of the other: mend the files, or `path` and `target_path` of the local source"
        )
    rows = zip(*sides, strict=True)
    return [
        {"id": str(number), "source": source, "target": target}
        for number, (source, target) in enumerate(islice(rows, limit), start=1)
    ]


def _lines(path: Path) -> list[str]:
    """Return the lines of a file of plain text, which end as on any system."""
    if not path.is_file():
        raise SourceError(f"{path}: no such file; put it there, or change the local source that names it")
    try:
        with _opened(path) as stream:  # not str.splitlines, as in _objects
            lines = [line.removesuffix("\n") for line in io.TextIOWrapper(stream, "utf-8-sig", newline=None)]
    except (EOFError, zlib.error, lzma.LZMAError) as error:
        raise SourceError(f"{path}: cannot be unpacked, it is cut or damaged ({error}); {_AGAIN}") from None
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: is no UTF-8 ({error}); convert it") from None
    if not lines:
        raise SourceError(f"{path}: has no rows; {_AGAIN}")
    return lines
