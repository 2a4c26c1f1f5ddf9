"""Rows that others published: JSON lines and Parquet, on disk or in a fetched repository of the Hub."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl
from pydantic import Field, SerializationInfo, TypeAdapter, field_serializer

from maple.definitions import dataset, task
from maple.definitions.language import LanguageIdentity
from maple.definitions.record import Record

# Characters of a text; our choice. A longer one is a book, and steps that compare texts would take hours over it.
LONGEST = 1_000_000
# Where rows come from, as the files of config/tasks/ and config/datasets/ say it.
StatedSource = task.EmbeddedRows | task.LocalRows | task.HubRows | dataset.LocalFile | dataset.HubFiles
Split = Literal["test", "dev"]


class SourceError(ValueError):
    """Rows that cannot be read; the message names file, row and column, and what to change."""


@dataclass(frozen=True)
class RowFolders:
    """The folders in which rows lie."""

    data: str | None
    """What local sources name as {data}; None if the config names no folder."""
    fetched: str
    """Holds the fetched repositories of the Hub, each in a folder of its own."""


class RowFile(Record):
    """One file of rows."""

    path: str
    columns: dict[str, str] = Field(default_factory=dict)
    """Our names of columns, and the file's: a name, or the path to a nested value as in instances.0.input."""

    @field_serializer("path")
    def _path_or_digest(self, path: str, info: SerializationInfo) -> str:
        return info.context(path) if info.context else path


class RowFiles(Record):
    """Files of rows in a fetched repository."""

    folder: str
    files: str
    """A glob below `folder`."""
    columns: dict[str, str] = Field(default_factory=dict)
    """As in RowFile."""


class LocalSource(Record):
    """Rows on disk, of one language and split."""

    local: RowFile

    @property
    def path(self) -> str:
        """The file."""
        return self.local.path


class HubSource(Record):
    """Rows of one language and split in what was fetched from the Hub."""

    hub: RowFiles

    @property
    def path(self) -> str:
        """The folder that is fetched."""
        return self.hub.folder


class EmbeddedSource(Record):
    """Rows that the embedded world generates."""

    embedded: dict[str, str] = Field(default_factory=dict)

    @property
    def path(self) -> None:
        """No file."""
        return None


# The rows of one language and split, with all templates filled; `params` gives {"local": ...}, {"hub": ...} or
# {"embedded": {}}.
RowSource = LocalSource | HubSource | EmbeddedSource


def row_source(params: Mapping | None) -> RowSource | None:
    """Return the record whose `params` these are; None for None."""
    return TypeAdapter(RowSource | None).validate_python(params)


def repository_folder(kind: str, repository: str, revision: str) -> str:
    """Return the name of the folder of a Hub repository; `kind` is "model" or "dataset".

    >>> repository_folder("dataset", "facebook/xnli", "b8dd5d7")
    'datasets--facebook--xnli--b8dd5d7'
    """
    return f"{kind}s--{repository.replace('/', '--')}--{revision}"


def resolve(
    source: StatedSource, language: LanguageIdentity, folders: RowFolders, split: Split | None = None
) -> RowSource | None:
    """Return the rows of a source in one language and split; None if the source has no such split.

    Templates may name code, name, iso639_1 and script of the language, {data}, {split} (the source's own name of the
    split) and {key} (its own name of the language, where `languages` maps codes to names).
    """
    splits = getattr(source, "splits", task.Splits(test="test", dev="dev"))
    name = getattr(splits, split) if split else None
    if split and not name:
        return None
    if isinstance(source, task.EmbeddedRows):
        return EmbeddedSource(embedded={})
    languages = getattr(source, "languages", None)
    key = {"key": languages.get(language.code)} if isinstance(languages, Mapping) else {}
    data = "{data}" if folders.data is None else folders.data  # seen in the refusal of rows that are not there
    values = {**language.params(), "data": data, "split": name, **key}
    columns = {"columns": source.columns} if "columns" in source.model_fields_set else {}
    if isinstance(source, task.HubRows | dataset.HubFiles):
        folder = f"{folders.fetched}/{repository_folder('dataset', source.dataset, source.revision)}"
        return HubSource(hub=RowFiles(folder=folder, files=source.files.format_map(values), **columns))
    return LocalSource(local=RowFile(path=source.path.format_map(values), **columns))


def hub_files(source: task.HubRows | dataset.HubFiles, languages: Iterable[LanguageIdentity]) -> set[str]:
    """Return the globs of the files that a source has in some languages, of all its splits."""
    folders = RowFolders(data=None, fetched="")
    splits: tuple[Split, ...] = ("test", "dev")
    rows = [resolve(source, language, folders, split) for language in languages for split in splits]
    return {place.hub.files for place in rows if isinstance(place, HubSource)}


def _json_lines(path: Path) -> Iterator[dict]:
    with open(path, "rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line.decode("utf-8"))
            except UnicodeDecodeError:
                raise SourceError(f"{path}: is not UTF-8 in line {number}; convert the file") from None
            except (ValueError, RecursionError) as error:  # also for endless numbers and deeply nested brackets
                raise SourceError(f"{path}: line {number} is not JSON ({error}); mend or remove it") from None
            if not isinstance(row, dict):
                raise SourceError(f"{path}: line {number} must be a JSON object, found {type(row).__name__}")
            yield row


def _read_file(path: Path) -> list[dict]:
    if not path.is_file():
        raise SourceError(f"{path}: no such file; put it there, or change `path` of the local source that names it")
    if path.suffix in (".jsonl", ".json"):
        return list(_json_lines(path))
    if path.suffix == ".parquet":
        return pl.read_parquet(path).to_dicts()
    raise SourceError(f"{path}: a local source must end in .jsonl or .parquet")


def _read_files(folder: Path, files: str) -> list[dict]:
    paths = sorted(folder.glob(files))
    if not paths:
        raise SourceError(f"{folder}: no file {files}; mend `files` of the hub source, or its `languages`")
    return [row for path in paths for row in _read_file(path)]


def _nested(value: Any, keys: Sequence[str]) -> object:
    """Return the value at a path of keys and list positions; None if there is none."""
    for key in keys:
        if isinstance(value, list):
            value = value[int(key)] if key.isdecimal() and int(key) < len(value) else None
        else:
            value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _rename(row: dict, columns: Mapping[str, str]) -> None:
    for ours, theirs in columns.items():
        if theirs in row:
            row[ours] = row.pop(theirs)
        elif (value := _nested(row, theirs.split("."))) is not None:
            row[ours] = value


def _check_text(where: str, text: str) -> None:
    if len(text) > LONGEST:
        raise SourceError(f"{where} has {len(text):,} characters, more than {LONGEST:,}; shorten or remove the row")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise SourceError(f"{where} is no text: it holds half of a character; mend or remove the row") from None


def read_rows(source: LocalSource | HubSource, fields: Sequence[str] = ()) -> list[dict]:
    """Read the rows of a source, columns under our names.

    Raises SourceError, which names the file, the row and the column, for a row without one of `fields`, and for text
    that is too long or no Unicode.
    """
    if isinstance(source, LocalSource):
        name, columns, rows = source.path, source.local.columns, _read_file(Path(source.path))
    else:
        name, columns = f"{source.hub.folder}/{source.hub.files}", source.hub.columns
        rows = _read_files(Path(source.hub.folder), source.hub.files)
    for number, row in enumerate(rows, start=1):
        _rename(row, columns)
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


def local_rows(path: str | Path, fields: Sequence[str] = ()) -> list[dict]:
    """Read the rows of one file, as `read_rows` does."""
    return read_rows(LocalSource(local=RowFile(path=str(path))), fields)
