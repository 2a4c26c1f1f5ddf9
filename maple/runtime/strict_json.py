"""JSON as its standard has it: a repeated key, NaN and infinity are errors, which Python's own reader lets pass."""

import json
import math
from typing import Any, NoReturn


def loads(text: str | bytes) -> Any:
    """Return the value of a JSON text; raise ValueError, which says what is wrong with it."""
    return json.loads(text, object_pairs_hook=_mapping, parse_constant=_refuse, parse_float=_finite)


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} stands there twice")
    return content


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def _finite(digits: str) -> float:
    if not math.isfinite(number := float(digits)):
        raise ValueError(f"{digits} is too large a number")
    return number
