"""Parse a completion into its answer: a text, or one of the choices."""

from collections.abc import Sequence

import regex

from maple.definitions.language import UNKNOWN_WRITING, Writing
from maple.evaluation.label_parsing import label_of

_VISIBLE = regex.compile(r"[^\p{C}\p{Z}]")


def parse_answer(completion: str) -> str:
    """Return the answer to an open question: the first line with a visible character; "" if there is none.

    >>> parse_answer(" \\n Nairobi.\\nIt is the capital.")
    'Nairobi.'
    """
    return next((line.strip() for line in completion.splitlines() if _VISIBLE.search(line)), "")


def parse_choice(
    completion: str, labels: Sequence[str], verbalizers: Sequence[Sequence[str]], writing: Writing = UNKNOWN_WRITING
) -> str | None:
    """Return the label that the first visible line of a completion chooses (label_of); None if it chooses none."""
    return label_of(parse_answer(completion), labels, verbalizers, writing)
