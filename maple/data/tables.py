"""Rows of tables of text: CSV and TSV, and CoNLL, which has a token per line."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from maple.data.opened_files import SourceError, opened
from maple.definitions.rows import RowForm

DELIMITERS = {"csv": ",", "tsv": "\t"}
# What the files of CoNLL-2003 write between two documents.
_NEW_DOCUMENT = "-DOCSTART-"


def table_rows(path: Path, form: RowForm, delimiter: str) -> Iterator[dict]:
    """Yield the rows of CSV or TSV under the names of its head, or of `form.head`; all cells are texts.

    Raises SourceError, which names file and line, for a row of another width than the head, and for a name twice.
    """
    with opened(path, newline="") as text:
        quoting = csv.QUOTE_MINIMAL if form.quotes else csv.QUOTE_NONE
        reader = csv.reader(text, delimiter=delimiter, strict=form.quotes, quoting=quoting)
        try:
            head = form.head or next(reader, [])
            if twice := [name for name in dict.fromkeys(head) if head.count(name) > 1]:
                raise SourceError(f"{path}: line 1, the head, has {twice[0]!r} twice; rename one")
            for cells in reader:
                if cells and len(cells) != len(head):
                    raise SourceError(
                        f"{path}: line {reader.line_num} has {len(cells)} cells, the head {len(head)}; quote a cell "
                        "that holds what parts cells, or a line break; write `quotes: false` in its source if "
                        "quotation marks are text, and `head` if the file has none"
                    )
                if cells:
                    yield dict(zip(head, cells, strict=True))
        except csv.Error as error:
            raise SourceError(
                f"{path}: line {reader.line_num} is no row of a table ({error}); mend it, or write `quotes: false` in "
                "its source if quotation marks are text"
            ) from None


def conll_rows(path: Path, form: RowForm) -> Iterator[dict]:
    """Yield the sentences of a file with a token per line: a list per column, of the names in `form.head`.

    Without `head`, the first column is `tokens` and the last one `tags`. A line that begins with # and is no row of the
    table is a comment; -DOCSTART- is no sentence. Raises SourceError, which names file and line.
    """
    width = len(form.head) if form.head else 0
    sentence: list[list[str]] = []
    with opened(path) as text:
        for number, line in enumerate(text, start=1):
            cells = _cells(line)
            if cells and cells[0].startswith("#") and len(cells) != width:
                continue
            if cells and not width:
                width = len(cells)
            if cells and (len(cells) != width or width < 2):
                named = f"`head` of its source has {width}" if form.head else f"the first line has {width}"
                raise SourceError(
                    f"{path}: line {number} has {len(cells)} columns, and {named}; a token stands in each line, "
                    "before its tags, and an empty line after each sentence"
                )
            if cells:
                sentence.append(cells)
            elif sentence:
                yield from _sentence(sentence, form)
                sentence = []
        if sentence:
            yield from _sentence(sentence, form)


def _cells(line: str) -> list[str]:
    content = line.strip(" \r\n")
    if not content.strip():
        return []
    return content.split("\t") if "\t" in content else re.split(" +", content)


def _sentence(lines: list[list[str]], form: RowForm) -> Iterator[dict]:
    columns = list(map(list, zip(*lines, strict=True)))
    if columns[0] != [_NEW_DOCUMENT]:
        yield dict(zip(form.head, columns, strict=True)) if form.head else {"tokens": columns[0], "tags": columns[-1]}
