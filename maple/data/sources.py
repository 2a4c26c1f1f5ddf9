"""Rows that others made: JSON lines and Parquet, on disk or in what was fetched from the Hub."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

# Where the workflow keeps what was fetched from the Hub.
FETCHED = "results/hub"
# Characters of a text; our choice. What is longer is a book, and steps that compare texts would take hours over it.
LONGEST = 1_000_000


class SourceError(ValueError):
    """Rows that cannot be read; the message names file, row and column, and what to change."""


def folder_of(kind: str, repository: str, revision: str) -> str:
    """Return the name of the folder of a Hub repository; `kind` is "model" or "dataset"."""
    return f"{kind}s--{repository.replace('/', '--')}--{revision}"


def _json_lines(path: Path) -> Iterator[dict]:
    with open(path, "rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line.decode("utf-8"))
            except UnicodeDecodeError:
                raise SourceError(f"{path}: is not UTF-8 in line {number}; convert the file") from None
            except (ValueError, RecursionError) as error:  # also for numbers without end, and brackets within brackets
                raise SourceError(f"{path}: line {number} is not JSON ({error}); mend or remove it") from None
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


def _hub(folder: Path, files: str) -> list[dict]:
    found = sorted(folder.glob(files))
    if not found:
        raise SourceError(f"{folder}: no file {files}; mend `files` of the hub source, or its `languages`")
    return [row for path in found for row in _local(path)]


def resolve(source: Mapping, language: Mapping, data: str | None = None, split: str | None = None) -> dict | None:
    """Return a source for one language and split, its templates filled: `path` or `files`.

    Of a hub source the dataset and its revision become `folder`, where the workflow has fetched it to. Templates may
    name the columns code, name, iso639_1 and script of the language's row, {data}, the config's folder,
    {split}, the source's own name of the split, and {key}, its own name of the language where `languages` maps codes to
    names. `splits` maps "test" and "dev" to the source's names; None is returned for a split that it lacks. A source
    without `splits` calls them test and dev.
    """
    ((kind, place),) = source.items()
    names = place.get("splits", {"test": "test", "dev": "dev"})
    if split and split not in names:
        return None
    keys = place.get("languages")
    filled = {**language, "data": data, "split": names.get(split)}
    if isinstance(keys, Mapping):
        filled["key"] = keys.get(language["code"])
    kept = {key: place[key] for key in ("path", "files", "columns") if key in place}
    if kind == "hub":
        kept["folder"] = f"{FETCHED}/{folder_of('dataset', place['dataset'], place['revision'])}"
    return {kind: {key: value.format_map(filled) if key in ("path", "files") else value for key, value in kept.items()}}


def _within(value: object, way: Sequence[str]) -> object:
    """Return what a way of keys and places leads to; None where it leads nowhere."""
    for step in way:
        if isinstance(value, list):
            value = value[int(step)] if step.isdecimal() and int(step) < len(value) else None
        else:
            value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _check_text(where: str, text: str) -> None:
    if len(text) > LONGEST:
        raise SourceError(f"{where} has {len(text):,} characters, more than {LONGEST:,}; shorten or remove the row")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise SourceError(f"{where} is no text: it holds half of a character; mend or remove the row") from None


def read_rows(source: dict, fields: Sequence[str] = ()) -> list[dict]:
    """Read the rows of a resolved source.

    `source` is {"local": {"path"}} or {"hub": {"folder", "files"}}, a glob of Parquet or JSON lines in a fetched
    repository; each with an optional "columns": {our name: its name, or the way to a value within it, as in
    instances.0.input}. Every row has at least `fields`;
    otherwise a SourceError names the file, the row and the missing column.
    """
    ((kind, place),) = source.items()
    name = place["path"] if kind == "local" else f"{place['folder']}/{place['files']}"
    rows = _local(Path(name)) if kind == "local" else _hub(Path(place["folder"]), place["files"])
    renamed = place.get("columns", {})
    for number, row in enumerate(rows, start=1):
        for ours, theirs in renamed.items():
            if theirs in row:
                row[ours] = row.pop(theirs)
            elif (found := _within(row, theirs.split("."))) is not None:
                row[ours] = found
        for field, value in row.items():
            if isinstance(value, str):
                _check_text(f"{name}: row {number}: {field}", value)
        missing = [field for field in fields if field not in row]
        if missing:
            raise SourceError(
                f"{name}: row {number} has no column {', '.join(missing)}; it has {', '.join(map(str, row))}; "
                "mend the row, or map the name under `columns` of its source"
            )
    return rows
