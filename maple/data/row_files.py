"""Files of rows, read whole or refused: JSON lines or a JSON array, also packed, and Parquet."""

import bz2
import gzip
import io
import json
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl

PARQUET = ".parquet"
TEXTS = (".jsonl", ".ndjson", ".json")
PACKED = (".gz", ".bz2", ".xz")
ENDINGS = (PARQUET, *TEXTS, *(text + packed for text in TEXTS for packed in PACKED))
# By a file's first bytes and not by its ending: browsers unpack some files and keep the name.
_UNPACK: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"BZh": bz2.decompress,
    b"\xfd7zXZ\x00": lzma.decompress,
}
_AGAIN = "copy or download the file again"
_FORM = "every line must be a whole JSON object, or the file one array of them"


class SourceError(ValueError):
    """Rows that cannot be read; the message names file, row and column, and what to change."""


def read_file(path: Path) -> list[dict]:
    """Return the rows of a file; at least one.

    JSON may be in UTF-8, UTF-16 or UTF-32, with or without a byte order mark, and packed by gzip, bzip2 or xz. Its
    lines may end as on any system. NaN is None. Raises SourceError, which names file and line, for a file that is
    missing, empty, cut or of another kind, a row that is no object, a key that a row has twice, and an infinite number.
    """
    if not path.is_file():
        raise SourceError(f"{path}: no such file; put it there, or change `path` of the local source that names it")
    if not path.name.lower().endswith(ENDINGS):
        raise SourceError(
            f"{path}: is of no kind that can be read; unpack or convert it, so that its name ends in "
            f"{', '.join((*TEXTS, PARQUET))}, those of JSON also with {', '.join(PACKED)}"
        )
    try:
        rows = _parquet(path) if path.name.lower().endswith(PARQUET) else list(_objects(path, _text(path)))
    except OSError as error:
        raise SourceError(f"{path}: could not be read ({error.strerror or error}); {_AGAIN}") from None
    if not rows:
        raise SourceError(f"{path}: has no rows; {_AGAIN}, or take what names it out of the config")
    return rows


def _parquet(path: Path) -> list[dict]:
    try:
        with open(path, "rb") as file:  # in a path, polars would take [ and * for a pattern
            return pl.read_parquet(file).to_dicts()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        reason = str(error).split("\n", 1)[0]
        raise SourceError(f"{path}: is no whole Parquet file ({reason}); {_AGAIN}") from None


def _text(path: Path) -> str:
    """Return the text of a file of JSON, unpacked."""
    data = path.read_bytes()
    try:
        for beginning, unpack in _UNPACK.items():
            if data.startswith(beginning):
                data = unpack(data)
                break
    except (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError) as error:
        raise SourceError(f"{path}: cannot be unpacked, it is cut or damaged ({error}); {_AGAIN}") from None
    encoding = json.detect_encoding(data)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        name = encoding.removesuffix("-sig").upper()
        raise SourceError(f"{path}: is not {name} in line {line}; convert the file, or {_AGAIN}") from None


def _unique_keys(pairs: list[tuple[str, object]]) -> dict:
    row = dict(pairs)
    if len(row) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} stands there twice")
    return row


def _constant(name: str) -> None:
    if name != "NaN":  # which pandas writes for an empty cell
        raise ValueError(f"{name} is no number")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique_keys, parse_constant=_constant)


def _objects(path: Path, text: str) -> Iterator[dict]:
    parse, kind = (_array, "row") if text.lstrip().startswith("[") else (_lines, "line")
    for number, row in parse(path, text):
        if not isinstance(row, dict):
            raise SourceError(f"{path}: {kind} {number} must be a JSON object, found {type(row).__name__}")
        yield row


def _array(path: Path, text: str) -> Iterator[tuple[int, object]]:
    try:
        yield from enumerate(_DECODER.decode(text), start=1)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{path}: is no whole JSON array ({error}); mend it there, or {_AGAIN}") from None


def _lines(path: Path, text: str) -> Iterator[tuple[int, object]]:
    # Not str.splitlines, which also splits at U+2028 and U+0085, which a text may contain.
    for number, line in enumerate(io.StringIO(text, newline=None), start=1):
        content = line.strip(" \t\n\ufeff")  # of files that were joined, each begins with its byte order mark
        if not content:
            continue
        try:
            yield number, _DECODER.decode(content)
        except (ValueError, RecursionError) as error:  # also for endless numbers and deeply nested brackets
            advice = f"mend it: {_FORM}"
            if number > 1 and not line.endswith("\n"):
                advice = f"the file ends within it: {_AGAIN}"
            raise SourceError(f"{path}: line {number} is not JSON ({error}); {advice}") from None
