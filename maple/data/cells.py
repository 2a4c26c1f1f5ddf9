"""Cells of rows: what a row holds in a column, and its plain text."""

import json
import math
from collections.abc import Mapping
from decimal import Decimal

# Characters of a text; our choice. A longer one is a book, and steps that compare texts would take hours over it.
LONGEST = 1_000_000


class CellError(ValueError):
    """A cell that cannot be used; the message says what it holds, and not where it stands."""


def without_nan(value: object) -> object:
    """Return a cell with None for NaN, also within lists and mappings; pandas writes NaN for an empty cell.

    Raises CellError for a text that is too long or no Unicode.
    """
    if isinstance(value, str):
        return _checked(value)
    if isinstance(value, list):
        return [without_nan(part) for part in value]
    if isinstance(value, Mapping):
        return {name: without_nan(part) for name, part in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


def _checked(text: str) -> str:
    if len(text) > LONGEST:
        raise CellError(f"has {len(text):,} characters, more than {LONGEST:,}; shorten it")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise CellError("is no text: it holds half of a character; mend it") from None
    return text


def as_text(value: object) -> str:
    """Return the plain text of a cell: a text itself, a number or a truth value as JSON writes it.

    Raises CellError for None, for a number that is not finite, and for all else: a list has no one text.

    >>> as_text("seven"), as_text(0), as_text(0.5), as_text(True)
    ('seven', '0', '0.5', 'true')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return json.dumps(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    kind = "null" if value is None else f"a {type(value).__name__}"
    raise CellError(f"is {kind if not isinstance(value, float) else value}, and no text")
