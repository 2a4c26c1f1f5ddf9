"""How numbers are rounded in questions.json."""

from collections.abc import Mapping
from typing import Any

from maple.analysis.item_scores import DECIMALS

# Levels and what is left of 1 beside them, of which DECIMALS digits would leave nothing.
_LEVELS = ("confidence", "level", "spent")


def rounded(content: Any) -> Any:
    """Return JSON content with its numbers rounded to DECIMALS digits, levels to 15 significant ones."""
    if isinstance(content, Mapping):
        return {
            key: float(f"{value:.15g}") if key in _LEVELS and isinstance(value, float) else rounded(value)
            for key, value in content.items()
        }
    if isinstance(content, list):
        return [rounded(value) for value in content]
    return round(content, DECIMALS) if isinstance(content, float) else content
