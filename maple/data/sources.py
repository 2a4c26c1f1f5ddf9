"""Rows that others published: files on disk or in a fetched repository of the Hub."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SerializationInfo, SerializerFunctionWrapHandler, TypeAdapter, field_serializer

from maple.data.cells import CellError, as_text, without_nan
from maple.data.repository_folders import repository_folder
from maple.data.row_files import SourceError, read_aligned, read_file
from maple.data.row_selection import joined, selected
from maple.definitions import dataset, task
from maple.definitions.language import LanguageIdentity
from maple.definitions.record import Record
from maple.definitions.rows import JoinedFile, RowForm, RowSelection

# The fields of a source, and of its second file, that say how files are read.
_SELECTING = {*RowSelection.model_fields, *JoinedFile.model_fields}
# Where rows come from, as the files of config/tasks/ and config/datasets/ say it.
StatedSource = task.EmbeddedRows | task.LocalRows | task.HubRows | dataset.LocalFile | dataset.HubFiles
Split = Literal["test", "dev", "train"]


@dataclass(frozen=True)
class RowFolders:
    """The folders in which rows lie."""

    data: str | None
    """What local sources name as {data}; None if the config names no folder."""
    fetched: str
    """Holds the fetched repositories of the Hub, each in a folder of its own."""


class RowFile(RowSelection):
    """One file of rows."""

    path: str
    target_path: str = ""
    """The file of target texts, if both are plain text, aligned by lines; else ""."""

    @field_serializer("path", "target_path")
    def _path_or_digest(self, path: str, info: SerializationInfo) -> str:
        return info.context(path) if info.context and path else path

    @field_serializer("join", mode="wrap")
    def _join_by_digest(
        self, join: JoinedFile | None, handler: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict | None:
        return {**handler(join), "file": info.context(join.file)} if join and info.context else handler(join)


class RowFiles(RowSelection):
    """Files of rows in a fetched repository; a second file lies in `folder`, too."""

    folder: str
    files: str
    """A glob below `folder`."""


class LocalSource(Record):
    """Rows on disk, of one language and split."""

    local: RowFile

    @property
    def path(self) -> str:
        """The file."""
        return self.local.path

    @property
    def files(self) -> str:
        """The file, for messages."""
        return self.local.path

    @property
    def selection(self) -> RowSelection:
        """How the file is read, and which rows are taken."""
        return self.local


class HubSource(Record):
    """Rows of one language and split in what was fetched from the Hub."""

    hub: RowFiles

    @property
    def path(self) -> str:
        """The folder that is fetched."""
        return self.hub.folder

    @property
    def files(self) -> str:
        """The folder and the glob, for messages."""
        return f"{self.hub.folder}/{self.hub.files}"

    @property
    def selection(self) -> RowSelection:
        """How the files are read, and which rows are taken."""
        return self.hub


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


def resolve(
    source: StatedSource, language: LanguageIdentity, folders: RowFolders, split: Split | None = None
) -> RowSource | None:
    """Return the rows of a source in one language and split; None if the source has no such split.

    Templates of paths and columns may name code, name, iso639_1 and script of the language, {data}, {split} (the
    source's own name of the split) and {key} (its own name of the language, where `languages` maps codes to names).
    """
    splits = getattr(source, "splits", task.Splits(test="test", dev="dev", train="train"))
    name = getattr(splits, split) if split else None
    if split and not name:
        return None
    if isinstance(source, task.EmbeddedRows):
        return EmbeddedSource(embedded={})
    if isinstance(source, task.LocalRows | task.HubRows):
        source = source.in_language(language.code)
    values = _values(source, language, folders, name)
    selection = _filled(source, values)
    if isinstance(source, task.HubRows | dataset.HubFiles):
        folder = f"{folders.fetched}/{repository_folder('dataset', source.dataset, source.revision)}"
        return HubSource(hub=RowFiles(folder=folder, files=source.files.format_map(values), **selection))
    target = source.target_path.format_map(values) if isinstance(source, task.LocalRows) else ""
    if target:
        selection["target_path"] = target
    return LocalSource(local=RowFile(path=source.path.format_map(values), **selection))


def _filled(selection: RowSelection | JoinedFile, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the stated fields of a selection, or of its second file, with all templates filled."""
    stated = {name: getattr(selection, name) for name in _SELECTING if name in selection.model_fields_set}
    for name in ("rows", "where", "file"):
        if name in stated:
            stated[name] = stated[name].format_map(values)
    if "columns" in stated:
        stated["columns"] = {ours: theirs.format_map(values) for ours, theirs in stated["columns"].items()}
    if stated.get("join"):
        stated["join"] = _filled(stated["join"], values)
    return stated


def picture_folder(source: StatedSource, language: LanguageIdentity, folders: RowFolders, split: Split) -> str:
    """Return the folder of the pictures that a source's rows name by paths; "" if there is none."""
    if not isinstance(source, task.LocalRows):
        return ""
    source = source.in_language(language.code)
    return source.pictures.format_map(_values(source, language, folders, getattr(source.splits, split)))


def _values(source: StatedSource, language: LanguageIdentity, folders: RowFolders, split: str | None) -> dict[str, Any]:
    """Return what the placeholders of a source's paths stand for; `split` is the source's own name."""
    languages = getattr(source, "languages", None)
    key = {"key": languages.get(language.code)} if isinstance(languages, Mapping) else {}
    data = "{data}" if folders.data is None else folders.data  # seen in the refusal of rows that are not there
    return {**language.params(), "data": data, "split": split, **key}


def hub_files(source: task.HubRows | dataset.HubFiles, languages: Iterable[LanguageIdentity]) -> set[str]:
    """Return the globs of the files that a source has in some languages, of all its splits."""
    folders = RowFolders(data=None, fetched="")
    splits: tuple[Split, ...] = ("test", "dev", "train")
    rows = [resolve(source, language, folders, split) for language in languages for split in splits]
    fetched = [place.hub for place in rows if isinstance(place, HubSource)]
    return {files.files for files in fetched} | {files.join.file for files in fetched if files.join}


def row_paths(source: LocalSource | HubSource) -> list[Path]:
    """Return the files of a source, in order."""
    if isinstance(source, LocalSource):
        return [Path(source.path)]
    folder = Path(source.hub.folder)
    paths = sorted(folder.glob(source.hub.files))
    if not paths:
        raise SourceError(f"{folder}: no file {source.hub.files}; mend `files` of the hub source, or its `languages`")
    return paths


def _nested(row: Mapping, path: str) -> object:
    """Return the value at a path of keys and list positions, as in answers.0.text; LookupError if there is none."""
    value: Any = row
    for key in path.split("."):
        if not isinstance(value, Mapping) and not (isinstance(value, list) and key.isdecimal()):
            raise LookupError(path)
        value = value[key] if isinstance(value, Mapping) else value[int(key)]
    return value


def _renamed(row: Mapping, columns: Mapping[str, str]) -> dict:
    """Return a row under our names. All columns are renamed at once: two names may change places."""
    renamed = {name: value for name, value in row.items() if name not in columns.values()}
    for ours, theirs in columns.items():
        with suppress(LookupError):
            renamed[ours] = row[theirs] if theirs in row else _nested(row, theirs)
    return renamed


def _clean(content: Mapping, columns: Mapping[str, str], place: str) -> dict:
    """Return a row under our names, None for NaN; `place` is for messages."""
    row = _renamed(content, columns)
    for field, value in row.items():
        try:
            row[field] = without_nan(value)
        except CellError as error:
            raise SourceError(f"{place}: {field} {error}") from None
    return row


def _rows_of_file(path: Path, form: RowForm, fields: Sequence[str], limit: int | None) -> list[dict]:
    rows = []
    for number, content in enumerate(read_file(path, limit, form), start=1):
        row = _clean(content, form.columns, f"{path}: row {number}")
        if missing := [field for field in fields if field not in row]:
            raise SourceError(
                f"{path}: row {number} has no column {', '.join(missing)}; it has {', '.join(map(str, content))}; "
                "mend the row, or map the name under `columns` of its source"
            )
        rows.append(row)
    if limit is None and (unfilled := [ours for ours in form.columns if not any(ours in row for row in rows)]):
        ours = unfilled[0]
        raise SourceError(
            f"{path}: no row has {form.columns[ours]}, which `columns` of its source names for {ours}; mend that name, "
            "or take it out"
        )
    return rows


def read_rows(source: LocalSource | HubSource, fields: Sequence[str] = (), limit: int | None = None) -> list[dict]:
    """Read the rows of a source, columns under our names, None for NaN.

    With a `limit` these are the first rows of its first file; of a source with `where`, the first ones that it takes.

    Raises SourceError, which names the file, the row and the column, for a file that is empty, cut or of another kind,
    for a row without one of `fields`, and for text that is too long or no Unicode.
    """
    if isinstance(source, LocalSource) and source.local.target_path:
        return read_aligned(Path(source.path), Path(source.local.target_path), limit)
    selection = source.selection
    limit_of_files = None if selection.where else limit
    paths = row_paths(source)[: None if limit_of_files is None else 1]
    own_fields = () if selection.join else fields
    rows = [row for path in paths for row in _rows_of_file(path, selection, own_fields, limit_of_files)]
    if selection.join:
        folder = Path(source.hub.folder) if isinstance(source, HubSource) else Path()
        second = _rows_of_file(folder / selection.join.file, selection.join, (), None)
        rows = joined(rows, second, selection.join, source.files, is_part=limit_of_files is not None)
        if lacking := next((name for name in fields if not any(name in row for row in rows)), None):
            raise SourceError(
                f"{source.files}: neither its rows nor those of {selection.join.file} have a column {lacking}; map the "
                "name under `columns` of the source, or of its `join`"
            )
    return selected(rows, selection.where, source.files)[:limit]


def text_columns(rows: Sequence[Mapping], fields: Sequence[str], source: str) -> list[dict[str, str]]:
    """Return some fields of rows as texts, "" for None or a field that is not there; `source` is for messages.

    Raises SourceError, which names source, row and column, for what is no text, number or truth value.
    """
    texts: list[dict[str, str]] = []
    for number, row in enumerate(rows, start=1):
        texts.append({})
        for field in fields:
            try:
                texts[-1][field] = "" if row.get(field) is None else as_text(row[field])
            except CellError as error:
                raise SourceError(
                    f"{source}: row {number}: {field} {error}; write text, or map the text within it under `columns` "
                    f"of the source, as in {field}: {field}.0"
                ) from None
    return texts


def row_keys(rows: Sequence[Mapping], field: str, source: str) -> list[str]:
    """Return the text of a field by which rows are told apart; `source` is for messages.

    Raises SourceError, which names source, id and rows, for a row without one, and for one that two rows have: as text
    and without outer spaces, so that neither 1 and "1" nor "a" and "a " are two.
    """
    places: dict[str, list[int]] = {}
    keys = [texts[field].strip() for texts in text_columns(rows, [field], source)]
    for number, key in enumerate(keys, start=1):
        places.setdefault(key, []).append(number)
    for key, numbers in places.items():
        if key and len(numbers) == 1:
            continue
        listed = ", ".join(map(str, numbers[:5])) + (" and more" if len(numbers) > 5 else "")
        what = f"{len(numbers)} rows have the {field} {key!r}" if key else f"{len(numbers)} rows have no {field}"
        raise SourceError(
            f"{source}: {what}: {listed}; give each row {'one' if not key else 'its own'}, or map another column to "
            f"{field} under `columns` of the source"
        )
    return keys


def local_rows(path: str | Path, fields: Sequence[str] = ()) -> list[dict]:
    """Read the rows of one file, as `read_rows` does."""
    return read_rows(LocalSource(local=RowFile(path=str(path))), fields)
