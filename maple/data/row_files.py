"""Files of rows, read whole or refused: JSON, CSV, TSV and CoNLL, all also packed, and Parquet."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import polars as pl

from maple.data.json_rows import json_rows
from maple.data.opened_files import AGAIN, PACKED, SourceError, opened
from maple.data.picture_columns import named_pictures, parted_columns
from maple.data.tables import DELIMITERS, conll_rows, table_rows
from maple.definitions.rows import RowForm, RowFormat

PARQUET = ".parquet"
FORMATS: dict[str, RowFormat] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".conll": "conll",
    PARQUET: "parquet",
}
TEXTS = tuple(ending for ending in FORMATS if ending != PARQUET)


def read_file(path: Path, limit: int | None = None, form: RowForm | None = None) -> list[dict]:
    """Return the rows of a file, or the first `limit` ones; at least one.

    JSON may be in UTF-8, UTF-16 or UTF-32, with or without a byte order mark; tables are in UTF-8, or in UTF-16 with
    such a mark, and all cells are texts. All may be packed by gzip, bzip2, xz or zstandard, and their lines may end as
    on any system. NaN is None. `form` says what the file's ending does not. In the place of pictures in columns of
    Parquet stand their names (maple.data.picture_columns). Raises SourceError, which names file and line, for a file
    that is missing, empty, cut or of another kind, a row that is none, a key that a row has twice, and an infinite
    number.
    """
    form = form or RowForm()
    if not path.is_file():
        raise SourceError(f"{path}: no such file; put it there, or change `path` of the local source that names it")
    kind = form.format or _format(path)
    if kind is None:
        raise SourceError(
            f"{path}: is of no kind that can be read; write its `format` in its source, or unpack or convert it, so "
            f"that its name ends in {', '.join((*TEXTS, PARQUET))}, those of text also with {', '.join(PACKED)}"
        )
    rows = _parquet(path, limit) if kind == "parquet" else list(islice(_rows(path, kind, form), limit))
    if not rows:
        raise SourceError(f"{path}: has no rows; {AGAIN}, or take what names it out of the config")
    return rows


def _format(path: Path) -> RowFormat | None:
    """Return the format that a file's name tells; None if it tells none."""
    name = path.name.lower()
    packed = next((ending for ending in PACKED if name.endswith(ending)), "")
    kind = FORMATS.get(Path(name.removesuffix(packed)).suffix)
    return None if packed and kind == "parquet" else kind


def _rows(path: Path, kind: RowFormat, form: RowForm) -> Iterator[dict]:
    if kind in DELIMITERS:
        return table_rows(path, form, DELIMITERS[kind])
    return conll_rows(path, form) if kind == "conll" else json_rows(path, form, by_line=kind == "jsonl")


def _parquet(path: Path, limit: int | None) -> list[dict]:
    try:
        texts, pictures = parted_columns(path)
        with open(path, "rb") as file:  # in a path, polars would take [ and * for a pattern
            frame = pl.read_parquet(file, columns=texts, n_rows=limit)
        return frame.with_columns(named_pictures(path, pictures, frame.height)).to_dicts()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        reason = str(error).split("\n", 1)[0]
        raise SourceError(f"{path}: is no whole Parquet file ({reason}); {AGAIN}") from None
    except OSError as error:
        raise SourceError(f"{path}: could not be read ({error.strerror or error}); {AGAIN}") from None


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
    # Not str.splitlines, which also splits at U+2028 and U+0085, which a text may contain.
    with opened(path) as text:
        lines = [line.removesuffix("\n") for line in text]
    if not lines:
        raise SourceError(f"{path}: has no rows; {AGAIN}")
    return lines
