"""Remedies: what would settle an undetermined question."""

from typing import Literal

from maple.definitions.record import Record


class Remedy(Record):
    """What would settle a question with the study's power, if the effect is as estimated."""

    kind: Literal["items", "seeds", "both"]
    """More items, more seeds of every run, or both together, where neither alone is enough."""
    items: float
    """So many times the items of every task and language; 1 if they stay."""
    seeds: int | None
    """So many seeds of every model, dataset and method variant; None if they stay."""
    runs: int
    """The runs to train for it."""
    answers: int
    """The answers to compute for it, in the cells that are compared."""
    words: str
    """The same in words, to follow "by"."""
