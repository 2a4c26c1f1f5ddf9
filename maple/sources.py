"""Rows that others made: from the Hub at a pinned revision, or from JSON lines and Parquet on disk."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path


class SourceError(ValueError):
    """Rows that cannot be read; the message names file, row and column, and what to change."""


def _json_lines(path: Path) -> Iterator[dict]:
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise SourceError(f"{path}: line {number} is not JSON ({error.msg}); mend or remove it") from None
            if not isinstance(row, dict):
                raise SourceError(f"{path}: line {number} must be a JSON object, found {type(row).__name__}")
            yield row


def _local(path: Path) -> list[dict]:
    if not path.is_file():
        raise SourceError(f"{path}: no such file; put it there, or change `path` of the local source that names it")
    if path.suffix in (".jsonl", ".json"):
        return list(_json_lines(path))
    if path.suffix == ".parquet":
        import polars as pl

        return pl.read_parquet(path).to_dicts()
    raise SourceError(f"{path}: a local source must end in .jsonl or .parquet")


def _hub(hub: dict) -> list[dict]:
    from datasets import load_dataset

    return list(load_dataset(hub["dataset"], name=hub.get("subset"), revision=hub["revision"], split=hub["split"]))


def resolve(source: dict, language: dict, data: str | None = None) -> dict:
    """Return a source for one language: the templates of its `path`, `subset` and `split` filled.

    They may name the columns code, name, iso639_1 and script of the language's row, and {data}, the config's folder.
    """
    filled = {**language, "data": data}
    return {
        kind: {
            key: value.format_map(filled) if key in ("path", "subset", "split") else value
            for key, value in place.items()
        }
        for kind, place in source.items()
    }


def read_rows(source: dict, fields: Sequence[str]) -> list[dict]:
    """Read the rows of a resolved source.

    `source` is {"local": {"path"}} or {"hub": {"dataset", "revision", "subset"?, "split"}}, each with an optional
    "columns": {our name: its name}. Every row has at least `fields`; otherwise a SourceError names the file, the row
    and the missing column.
    """
    ((kind, place),) = source.items()
    name = place["path"] if kind == "local" else place["dataset"]
    rows = _local(Path(name)) if kind == "local" else _hub(place)
    renamed = place.get("columns", {})
    for number, row in enumerate(rows, start=1):
        for ours, theirs in renamed.items():
            if theirs in row:
                row[ours] = row.pop(theirs)
        missing = [field for field in fields if field not in row]
        if missing:
            raise SourceError(
                f"{name}: row {number} has no column {', '.join(missing)}; it has {', '.join(map(str, row))}; "
                "mend the row, or map the name under `columns` of its source"
            )
    return rows
