"""JSON as its standard has it: a repeated key, NaN and infinity are errors, which Python's own reader lets pass."""

import json
import math
from typing import Any


def decoder(*, nan_is_none: bool = False) -> json.JSONDecoder:
    """Return a decoder that raises ValueError, which says what is wrong; with `nan_is_none`, NaN is read as None."""

    def constant(name: str) -> None:
        if name != "NaN" or not nan_is_none:
            raise ValueError(f"{name} is no number")

    return json.JSONDecoder(object_pairs_hook=_mapping, parse_constant=constant, parse_float=_finite)


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} stands there twice")
    return content


def _finite(digits: str) -> float:
    if not math.isfinite(number := float(digits)):
        raise ValueError(f"{digits} is too large a number")
    return number


_DECODER = decoder()


def loads(text: bytes) -> Any:
    """Return the value of a JSON text in UTF-8; raise ValueError, which says what is wrong with it."""
    return _DECODER.decode(text.decode("utf-8"))
