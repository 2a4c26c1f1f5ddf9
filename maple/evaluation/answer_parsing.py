"""Parse a completion into its answer: a text, or one of the choices."""

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import regex

from maple.text.segmentation import normalize

# Characters that are typed as apostrophes; in some languages they are letters.
_APOSTROPHES = regex.compile("[\u02bb\u02bc\u2018\u2019\u0060\u00b4]")
_EDGES = regex.compile(r"\A[\p{P}\p{Z}\p{C}]+|[\p{P}\p{Z}\p{C}]+\Z")
_HIDDEN = regex.compile(r"[\p{C}\p{Z}]+")
_LETTERS = r"[\p{L}\p{M}\p{N}]"
_SINGLE = regex.compile(r"[\p{Latin}\p{N}]")
_FOLDED = regex.VERSION1 | regex.IGNORECASE | regex.FULLCASE


def parse_answer(completion: str) -> str:
    """Return the answer to an open question: the first line with a visible character; "" if there is none.

    >>> parse_answer(" \\n Nairobi.\\nIt is the capital.")
    'Nairobi.'
    """
    return next((line.strip() for line in completion.splitlines() if _HIDDEN.sub("", line)), "")


def _trimmed(text: str) -> str:
    """Return a text without the punctuation around it, with ASCII digits and apostrophes."""
    text = _APOSTROPHES.sub("'", unicodedata.normalize("NFKC", text))
    return _EDGES.sub("", regex.sub(r"\p{Nd}", lambda digit: str(unicodedata.digit(digit[0], digit[0])), text))


def _as_word(form: str) -> str:
    """Return a pattern that matches a form as a word of its own.

    A single Latin letter or digit is often a word itself, as in "A boy" or "2 apples", and takes particles of other
    scripts, as in "A입니다". So it must not be followed by a space and a letter, but it may touch a letter that is not
    Latin.
    """
    if not _SINGLE.fullmatch(form):
        return rf"(?<!{_LETTERS}){regex.escape(form)}(?!{_LETTERS})"
    latin = r"[[\p{L}&&\p{Latin}]\p{M}\p{N}]"
    return rf"(?<!{latin}){regex.escape(form)}(?!{latin}|\s+[\p{{L}}\p{{N}}])"


class _Form(NamedTuple):
    """A form of a label that occurs in the line, somewhere and without case."""

    label: str
    text: str
    normalized: str


def _forms_in(line: str, labels: Sequence[str], verbalizers: Sequence[Sequence[str]]) -> list[_Form]:
    # Most forms do not occur at all; they are excluded here, before any pattern is matched.
    return [
        _Form(label, text, normalized)
        for label, forms in zip(labels, verbalizers, strict=True)
        for text in map(_trimmed, forms)
        if text and (normalized := normalize(text)) in line
    ]


def _only(labels: set[str]) -> str | None:
    return next(iter(labels)) if len(labels) == 1 else None


def _occurs_after(form: _Form, line: str, start: int) -> bool:
    # A single letter must have its own case: after "B", "a" is an article rather than the choice A.
    flags = regex.VERSION1 if _SINGLE.fullmatch(form.text) else _FOLDED
    return regex.search(_as_word(form.text), line, flags, pos=start) is not None


def parse_choice(completion: str, labels: Sequence[str], verbalizers: Sequence[Sequence[str]]) -> str | None:
    """Return the label that a completion chooses; None if it chooses none or several. It never guesses.

    `verbalizers` has for each label the forms that count as it. Only the first line with a visible character is read,
    without the punctuation and spaces around it. It chooses a label if it equals one of the label's forms, or if it
    begins with one as a word of its own and names no other label after it; the longest form at the beginning decides.
    Case, the script of digits and the kind of apostrophe are ignored, except for the case of a single letter that is
    named later.

    >>> parse_choice("B. A small one", ["A", "B"], [["A"], ["B"]])
    'B'
    >>> parse_choice("A or B", ["A", "B"], [["A"], ["B"]]) is None
    True
    """
    line = _trimmed(parse_answer(completion))
    normalized = normalize(line)
    forms = _forms_in(normalized, labels, verbalizers)
    if equal := {form.label for form in forms if form.normalized == normalized}:
        return _only(equal)
    ends = [
        (match.end(), form.label)
        for form in forms
        if normalized.startswith(form.normalized) and (match := regex.match(_as_word(form.text), line, _FOLDED))
    ]
    longest = max((end for end, _ in ends), default=0)
    label = _only({label for end, label in ends if end == longest})
    if label is None or any(form.label != label and _occurs_after(form, line, longest) for form in forms):
        return None
    return label
