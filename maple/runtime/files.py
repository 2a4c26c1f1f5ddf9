"""Atomic writes: a file is written under a temporary name, synced, then renamed, so that it is whole or absent."""

import io
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from maple.text.plain import cell

if TYPE_CHECKING:
    import polars as pl


def sync(path: str | Path) -> None:
    """Flush a written file to disk."""
    with open(path, "rb") as written:
        os.fsync(written.fileno())


@contextmanager
def written_aside(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` if the block ends without an error, else remove it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield aside
        sync(aside)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def folder_written_aside(path: str | Path) -> Iterator[Path]:
    """Yield a new folder beside `path`; it replaces `path` if the block ends without an error, else it is removed."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    try:
        yield aside
        for written in aside.rglob("*"):
            if written.is_file():
                sync(written)
        shutil.rmtree(path, ignore_errors=True)
        os.replace(aside, path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def write_parquet(frame: "pl.DataFrame", path: str | Path) -> None:
    """Write `frame` to `path` as zstd Parquet, atomically."""
    # Serialized in memory first: on a full disk, polars reports a transport error when it writes the file itself.
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    with written_aside(path) as aside:
        aside.write_bytes(buffer.getbuffer())


def write_text(text: str, path: str | Path) -> None:
    """Write `text` to `path` as UTF-8, atomically."""
    with written_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")


def write_csv(frame: "pl.DataFrame", path: str | Path) -> None:
    """Write `frame` to `path` as CSV, atomically, with texts that no spreadsheet takes for formulas."""
    import polars as pl

    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    cells = [pl.Series(name, [text and cell(text) for text in frame[name]], pl.String) for name in texts]
    write_text(frame.with_columns(cells).write_csv(), path)


def write_json(content: object, path: str | Path) -> None:
    """Write `content` to `path` as indented JSON, atomically."""
    write_text(json.dumps(content, ensure_ascii=False, indent=2, sort_keys=True) + "\n", path)


def read_json(path: str | Path) -> dict:
    """Read one JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))
