"""How the rows of a published set are read: the form of its files, which rows are taken, and what is added to them."""

from typing import Annotated, Literal

from pydantic import Field

from maple.definitions.record import Commit, Record

RowFormat = Literal["jsonl", "json", "csv", "tsv", "conll", "parquet"]


class RowForm(Record):
    """The form of a file of rows."""

    format: RowFormat | None = None
    """Of a file whose name does not end in it; left out: as the name ends. `conll` has a token per line, its columns
    parted by a tab or spaces, and an empty line after each sentence; each column is a list."""
    head: Annotated[list[str], Field(min_length=1)] | None = None
    """Names of the columns of csv or tsv without a head, of conll, or of JSON whose rows are arrays. Left out: csv and
    tsv have a head, conll has `tokens` in its first column and `tags` in its last one, and the columns of arrays are
    "0", "1" and so on."""
    quotes: bool = True
    """False for csv or tsv in which a quotation mark is a character as any other."""
    rows: str = ""
    """Of JSON: the path to the rows, as data.*.paragraphs.*.qas.*, where * is each entry of a list, or of an object
    whose names are then in the field `key`. A row has the fields of the objects around it, too: of two with one name
    the inner one, while the outer one is reached by the name of its list, as data.id."""
    columns: dict[str, str] = {}
    """The set's column per field, if its name differs; a path of keys, as answers.0.text, reaches a nested one. May
    contain what the path may, where languages are columns."""


class JoinedFile(RowForm):
    """A second file, whose fields are added to those of the first one."""

    file: str
    """Its path, or on the Hub its name in the repository; may contain what `path` and `files` may."""
    by: str = ""
    """The field that is the same in rows that belong together. Left out: they belong together by their position."""


class RowSelection(RowForm):
    """The form of files, a second file, and which rows are taken."""

    join: JoinedFile | None = None
    """A second file, as one with the labels."""
    where: str = ""
    """Expression over a row: only rows of which it is true are taken, as lang == '{key}' of a set with all languages in
    one file. May contain what the path may."""


class LocalOfLanguage(RowSelection):
    """What differs in one language."""

    path: str | None = None
    target_path: str | None = None
    pictures: str | None = None


class HubOfLanguage(RowSelection):
    """What differs in one language."""

    dataset: str | None = None
    revision: Commit | None = None
    files: str | None = None
