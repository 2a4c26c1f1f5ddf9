"""Pictures in the columns of Parquet files, as `datasets` stores them: read a few at a time, since all would fill the
memory.

Where rows are read for their texts, a name stands in the place of each picture: file, row and column.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

# Rows whose pictures are in memory at once; our choice, for pictures of some megabytes.
_ROWS = 64


@dataclass(frozen=True)
class StoredPicture:
    """A picture in a row of a Parquet file."""

    name: str
    """As `named_pictures` has it."""
    content: bytes | None
    """The bytes of its file; None for a row without a picture."""


def parted_columns(path: Path) -> tuple[list[str], list[str]]:
    """Return the columns of a Parquet file without pictures, and those with: bytes alone or as {"bytes", "path"}."""
    schema = _scanned(path).collect_schema()
    pictures = [name for name, kind in schema.items() if _bytes_of(name, kind) is not None]
    return [name for name in schema if name not in pictures], pictures


def _scanned(path: Path) -> pl.LazyFrame:
    return pl.scan_parquet(path, glob=False)  # in a path, polars would take [ and * for a pattern


def _bytes_of(name: str, kind: pl.DataType) -> pl.Expr | None:
    """Return the bytes in a column; None for a column without any."""
    if kind == pl.Binary:
        return pl.col(name)
    if isinstance(kind, pl.Struct) and pl.Field("bytes", pl.Binary) in kind.fields:
        return pl.col(name).struct.field("bytes")
    return None


def named_pictures(path: Path, columns: list[str], rows: int) -> list[pl.Series]:
    """Return the names of the pictures of the first rows, by column: "test.parquet: row 1: image"."""
    return [pl.Series(column, [_name(path, row, column) for row in range(rows)], pl.String) for column in columns]


def _name(path: Path, row: int, column: str) -> str:
    return f"{path.name}: row {row + 1}: {column}"


def stored_pictures(path: Path) -> Iterator[StoredPicture]:
    """Yield the pictures of a Parquet file, of one column after the other."""
    lazy = _scanned(path)
    for column, kind in lazy.collect_schema().items():
        content = _bytes_of(column, kind)
        if content is None:
            continue
        start = 0
        while not (part := lazy.slice(start, _ROWS).select(content.alias(column)).collect()).is_empty():
            for row, each in enumerate(part[column], start=start):
                yield StoredPicture(_name(path, row, column), each)
            start += _ROWS
