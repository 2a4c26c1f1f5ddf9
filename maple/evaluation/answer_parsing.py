"""What a completion answers: its text, or the choice that it names."""

import unicodedata
from collections.abc import Sequence

import regex

from maple.text.segmentation import normalize

# Apostrophes are typed in many ways, and some languages write letters with them.
_APOSTROPHES = regex.compile("[\u02bb\u02bc\u2018\u2019\u0060\u00b4]")
_EDGES = regex.compile(r"\A[\p{P}\p{Z}\p{C}]+|[\p{P}\p{Z}\p{C}]+\Z")
_HIDDEN = regex.compile(r"[\p{C}\p{Z}]+")
_LETTERS = r"[\p{L}\p{M}\p{N}]"
_SINGLE = regex.compile(r"[\p{Latin}\p{N}]")
_FOLDED = regex.VERSION1 | regex.IGNORECASE | regex.FULLCASE


def parse_answer(completion: str) -> str:
    """Return the answer to an open question: the first line with anything to see, "" where there is none."""
    return next((line.strip() for line in completion.splitlines() if _HIDDEN.sub("", line)), "")


def _trimmed(text: str) -> str:
    """Return a text less the punctuation around it, its digits and apostrophes as ASCII writes them."""
    text = _APOSTROPHES.sub("'", unicodedata.normalize("NFKC", text))
    return _EDGES.sub("", regex.sub(r"\p{Nd}", lambda digit: str(unicodedata.digit(digit[0], digit[0])), text))


def _standing_alone(form: str) -> str:
    """Return a pattern that finds a form as a word of its own.

    A single Latin letter or digit is often a word itself, "A boy" or "2 apples", and takes particles of other scripts,
    as in "A입니다": it may not stand before a space and a letter, but before a letter that is not Latin.
    """
    if not _SINGLE.fullmatch(form):
        return rf"(?<!{_LETTERS}){regex.escape(form)}(?!{_LETTERS})"
    latin = r"[[\p{L}&&\p{Latin}]\p{M}\p{N}]"
    return rf"(?<!{latin}){regex.escape(form)}(?!{latin}|\s+[\p{{L}}\p{{N}}])"


def parse_choice(completion: str, labels: Sequence[str], verbalizers: Sequence[Sequence[str]]) -> str | None:
    """Return the label that a completion chooses, or None where it chooses none or more than one; never a guess.

    Looks at the first line with anything to see, less punctuation and spaces around it. It chooses a label if it is one
    of the label's verbalizers (`verbalizers` has a list for each of `labels`), or if it begins with one as a word of
    its own and does not go on to name another label. The case, the script of digits and the kind of apostrophe do not
    matter; only a single letter that is named later must be written as it is.
    """
    line = _trimmed(parse_answer(completion))
    folded = normalize(line)
    # A form that the line does not hold, folded, is not looked for further: that is most of them.
    forms = [
        (label, form, spelt)
        for label, spellings in zip(labels, verbalizers, strict=True)
        for form in map(_trimmed, spellings)
        if form and (spelt := normalize(form)) in folded
    ]
    if exact := {label for label, _, spelt in forms if spelt == folded}:
        return exact.pop() if len(exact) == 1 else None
    begins = [
        (begun.end(), label)
        for label, form, spelt in forms
        if folded.startswith(spelt) and (begun := regex.match(_standing_alone(form), line, _FOLDED))
    ]
    longest = max((end for end, _ in begins), default=0)
    chosen = {label for end, label in begins if end == longest}
    if len(chosen) != 1:
        return None
    label = chosen.pop()
    named = any(
        regex.search(_standing_alone(form), line, regex.VERSION1 if _SINGLE.fullmatch(form) else _FOLDED, pos=longest)
        for other, form, _ in forms
        if other != label
    )
    return None if named else label
