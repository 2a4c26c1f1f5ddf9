"""Files that appear whole or not at all: written aside, synced, then renamed."""

import io
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


def sync(path: str | Path) -> None:
    """Wait until what was written to a file is on disk."""
    with open(path, "rb") as written:
        os.fsync(written.fileno())


@contextmanager
def written_aside(path: str | Path) -> Iterator[Path]:
    """Yield a path beside `path` to write a file to; rename it to `path` when the block ends well."""
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
    """Yield a new folder beside `path` to fill; it replaces `path` when the block ends well."""
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
    """Write `frame` to `path` as zstd Parquet, whole or not at all."""
    # In memory first: on a full disk polars, writing a file itself, may speak of a transport error.
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    with written_aside(path) as aside:
        aside.write_bytes(buffer.getbuffer())


def write_text(text: str, path: str | Path) -> None:
    """Write `text` to `path` as UTF-8, whole or not at all."""
    with written_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")


def write_json(content: object, path: str | Path) -> None:
    """Write `content` to `path` as indented JSON, whole or not at all."""
    write_text(json.dumps(content, ensure_ascii=False, indent=2, sort_keys=True) + "\n", path)


def read_json(path: str | Path) -> dict:
    """Read one JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))
