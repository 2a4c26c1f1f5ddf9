"""Which rows of a file are taken, and what a second file adds to them."""

from collections.abc import Mapping, Sequence

from maple.data.cells import CellError, as_text
from maple.data.opened_files import SourceError
from maple.data.templates import TemplateFault, bounded, evaluate
from maple.definitions.rows import JoinedFile


def selected(rows: Sequence[dict], where: str, place: str) -> list[dict]:
    """Return the rows of which the expression `where` is true, all for ""; `place` is for messages.

    Raises SourceError if it fails on a row, or is true of none.
    """
    if not where:
        return list(rows)
    taken = []
    for number, row in enumerate(rows, start=1):
        try:
            with bounded():
                is_taken = evaluate("where", where, row)
        except TemplateFault as fault:
            raise SourceError(
                f"{place}: row {number}: `where` of its source fails: {fault}; the row has "
                f"{', '.join(map(str, row))}; mend the expression, or ask `NAME is defined` first"
            ) from None
        if is_taken:
            taken.append(row)
    if not taken:
        raise SourceError(
            f"{place}: of none of its {len(rows)} rows is `where` of its source true: {where}; the first has "
            f"{', '.join(f'{name}: {value!r}'[:60] for name, value in rows[0].items())}; mend the expression"
        )
    return taken


def joined(rows: Sequence[dict], second: Sequence[dict], join: JoinedFile, place: str, *, is_part: bool) -> list[dict]:
    """Return rows with the fields of those of a second file that belong to them.

    Rows belong together by their position, or by the text of the field `join.by`; a row without a partner stays as it
    is. `is_part` says that `rows` are only the first ones of a file. Raises SourceError for files of different length,
    a key that the second file has twice or not at all, and a field that both files have with different values.
    """
    if join.by:
        partners = _by_key(second, join)
        pairs = [(row, partners.get(_key(row, join.by, place), {})) for row in rows]
        if not any(partner for _, partner in pairs):
            raise SourceError(
                f"{place} and {join.file}: no two rows have the same {join.by}, by which `join` puts them together; "
                "map the right columns to it under `columns` of the source and of `join`"
            )
    else:
        if len(rows) > len(second) or (len(rows) < len(second) and not is_part):
            raise SourceError(
                f"{place} has {len(rows)} rows and {join.file} {len(second)}; `join` without `by` puts rows of the "
                "same position together: mend the files, or write the field that both have under `by`"
            )
        pairs = list(zip(rows, second, strict=False))
    return [_merged(row, partner, join, place) for row, partner in pairs]


def _by_key(second: Sequence[dict], join: JoinedFile) -> dict[str, dict]:
    partners: dict[str, dict] = {}
    for row in second:
        key = _key(row, join.by, join.file)
        if key in partners:
            raise SourceError(
                f"{join.file}: two rows have the {join.by} {key!r}, by which `join` puts rows together; keep one, or "
                "name another field under `by`"
            )
        partners[key] = row
    return partners


def _key(row: Mapping, field: str, place: str) -> str:
    try:
        return as_text(row.get(field)).strip()
    except CellError as error:
        raise SourceError(
            f"{place}: a row's {field} {error}, and `join` puts rows together by it; map the right column to {field} "
            "under `columns`"
        ) from None


def _merged(row: dict, partner: dict, join: JoinedFile, place: str) -> dict:
    for name in row.keys() & partner.keys() - {join.by}:
        if row[name] != partner[name]:
            raise SourceError(
                f"{place} and {join.file} both have a column {name}, with {row[name]!r:.40} and {partner[name]!r:.40} "
                "in rows that belong together; give one another name under `columns` of the source or of `join`"
            )
    return {**partner, **row}
