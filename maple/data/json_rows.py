"""Rows of JSON: an object or an array per line, one array of all rows, or the rows at a path of a larger document."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from maple.data.opened_files import AGAIN, SourceError, opened
from maple.definitions.rows import RowForm
from maple.runtime import strict_json

_FORM = "every line must be a whole JSON object, or the file one array of them"
_DECODER = strict_json.decoder(nan_is_none=True)  # pandas writes NaN for an empty cell


def json_rows(path: Path, form: RowForm, *, by_line: bool) -> Iterator[dict]:
    """Yield the rows of a file of JSON: those of `form.rows` in the document, or with `by_line` in that of each line.

    Raises SourceError, which names file and line or row.
    """
    for place, document in _documents(path, whole=bool(form.rows) and not by_line):
        if form.rows:
            for row in _Walk(path, place).rows(document, form.rows):
                yield _row(path, place, row, form)
        else:
            yield _row(path, place, document, form)


def _documents(path: Path, *, whole: bool) -> Iterator[tuple[str, Any]]:
    """Yield what the lines of a file hold, or the entries of its one array, each with its place for messages."""
    number, is_first = 0, True
    with opened(path, is_json=True) as text:
        if whole:
            yield "the document", _whole(path, text.read().lstrip("\ufeff"))
            return
        try:
            for number, line in enumerate(text, start=1):
                content = line.strip(" \t\n\ufeff")  # of files that were joined, each begins with its byte order mark
                if is_first and content.startswith("["):
                    yield from _arrays(path, content, text.read())
                elif content:
                    yield f"line {number}", _value(path, number, line, content)
                is_first = is_first and not content
        except UnicodeDecodeError as error:
            place = number + 1 + error.object.count(b"\n", 0, error.start)
            name = error.encoding.upper()
            raise SourceError(f"{path}: is not {name} in line {place}; convert the file, or {AGAIN}") from None


def _arrays(path: Path, first: str, rest: str) -> Iterator[tuple[str, Any]]:
    """Yield the entries of one array, or an array per line, as the file has them; `first` is the first line."""
    if rest.strip() and _is_value(first):
        for number, line in enumerate(f"{first}\n{rest}".split("\n"), start=1):
            if content := line.strip(" \t\ufeff"):
                yield f"line {number}", _value(path, number, f"{line}\n", content)
        return
    for number, row in enumerate(_whole(path, f"{first}\n{rest}"), start=1):
        yield f"row {number}", row


def _is_value(content: str) -> bool:
    try:
        _DECODER.decode(content)
    except (ValueError, RecursionError):
        return False
    return True


def _whole(path: Path, text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        kind = "array" if text.lstrip().startswith("[") else "document"
        raise SourceError(f"{path}: is no whole JSON {kind} ({error}); mend it there, or {AGAIN}") from None


def _value(path: Path, number: int, line: str, content: str) -> Any:
    try:
        return _DECODER.decode(content)
    except (ValueError, RecursionError) as error:  # also for endless numbers and deeply nested brackets
        advice = f"mend it: {_FORM}, or name the path to the rows under `rows` of the source"
        if number > 1 and not line.endswith("\n"):
            advice = f"the file ends within it: {AGAIN}"
        raise SourceError(f"{path}: line {number} is not JSON ({error}); {advice}") from None


def _row(path: Path, place: str, row: Any, form: RowForm) -> dict:
    """Return a row; of an array, its values under the names of `form.head`, or under "0", "1" and so on."""
    if isinstance(row, dict):
        return row
    if not isinstance(row, list):
        raise SourceError(f"{path}: {place} must be a JSON object or an array of values, found {type(row).__name__}")
    names = form.head or [str(number) for number in range(len(row))]
    if len(names) != len(row):
        raise SourceError(f"{path}: {place} has {len(row)} values, and `head` of the source {len(names)} names")
    return dict(zip(names, row, strict=True))


class _Walk:
    """The way to the rows of one document."""

    def __init__(self, path: Path, place: str):
        self._path, self._place = path, place

    def rows(self, document: Any, path: str) -> Iterator[Any]:
        """Yield the rows at a path; objects with the fields of those around them."""
        yield from self._rows(document, path.split("."), {}, "")

    def _rows(self, value: Any, keys: list[str], around: Mapping, name: str) -> Iterator[Any]:
        if not keys:
            yield {**around, **value} if isinstance(value, dict) else value
            return
        key, *rest = keys
        if key == "*":
            for label, entry in self._entries(value, name):
                labelled = {**around, "key": label} if isinstance(label, str) else around
                yield from self._rows(entry, rest, labelled, name)
            return
        if not isinstance(value, dict) or key not in value:
            found = ", ".join(map(str, value)) if isinstance(value, dict) else f"a {type(value).__name__}"
            raise SourceError(
                f"{self._path}: {self._place}: there is no {key!r} at {name or 'the top'}, which `rows` of the source "
                f"names; found {found}"
            )
        others = {field: part for field, part in value.items() if field != key}
        outer = {**around, **others, **({name: others} if name else {})}
        yield from self._rows(value[key], rest, outer, key)

    def _entries(self, value: Any, name: str) -> list[tuple[str | int, Any]]:
        if isinstance(value, dict):
            return list(value.items())
        if isinstance(value, list):
            return list(enumerate(value))
        raise SourceError(
            f"{self._path}: {self._place}: {name or 'the top'} is a {type(value).__name__}, of which `*` in `rows` of "
            "the source takes the entries; name a list or an object"
        )
