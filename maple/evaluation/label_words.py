"""Words around a label that leave it what it is, and words that deny it, as the row of a language has them."""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import regex

from maple.definitions.language import Writing
from maple.text.accents import bare
from maple.text.letters import same_letters
from maple.text.segmentation import UNSPACED

# Behind the last letter of a word.
_WORD_END = r"(?![\p{L}\p{M}\p{N}])"
_WORD_START = r"(?<![\p{L}\p{M}\p{N}])"
_UNSPACED_AT = regex.compile(f"(?V1){UNSPACED}")
_NOTHING = r"(?!)"


class LabelWords(NamedTuple):
    """Patterns of a language's words, as same_letters and case folding leave them."""

    behind_word: regex.Pattern
    """A particle behind a label that is a word."""
    behind_letter: regex.Pattern
    """The same behind a label that is a letter."""
    behind_digit: regex.Pattern
    """The same behind a label that is a digit."""
    denying_word: regex.Pattern
    """The beginning of a word that denies."""
    denying_text: regex.Pattern
    """A text that begins with a word that denies."""
    only_denying: regex.Pattern
    """A text of such words alone."""
    denial_within: regex.Pattern
    """A word that denies, anywhere in a text."""
    known: bool
    """False: nobody has said how the language denies, so that more words behind a label leave a doubt."""


@lru_cache(maxsize=256)
def label_words(writing: Writing) -> LabelWords:
    """Return the patterns of the words of a language.

    In scripts without spaces a word that denies ends anywhere, since nothing shows where the next one begins.
    """
    glued = _any_of(word.removeprefix("-") for word in writing.particles if word.startswith("-"))
    apart = _any_of(word for word in writing.particles if not word.startswith("-"))
    behind = rf"(?!\s*\p{{Latin}})\s*(?:{glued}|{apart}){_WORD_END}"
    denials = [*writing.negations, *(map(bare, writing.negations) if writing.unaccented else ())]
    unspaced = [word for word in denials if _UNSPACED_AT.match(word)]
    any_denial, any_unspaced = _any_of(denials), _any_of(unspaced)
    any_spaced = _any_of(word for word in denials if word not in unspaced)
    whole = rf"(?:{any_spaced}){_WORD_END}"
    return LabelWords(
        behind_word=regex.compile(rf"(?:\s*(?:{glued})|\s+(?:{apart})){_WORD_END}"),
        behind_letter=regex.compile(behind),
        behind_digit=regex.compile(rf"{behind}|\s*(?:{_any_of(writing.option_words)}){_WORD_END}"),
        denying_word=regex.compile(any_denial),
        denying_text=regex.compile(rf"{whole}|{any_unspaced}"),
        only_denying=regex.compile(rf"(?:(?:{any_denial}){_WORD_END}[\s\p{{P}}]*)+"),
        denial_within=regex.compile(rf"{_WORD_START}{whole}|{any_unspaced}"),
        known=bool(writing.negations),
    )


def _any_of(words: Iterable[str]) -> str:
    """Return a pattern of any of some words, the longest first; of none without words."""
    forms = {same_letters(word).casefold() for word in words}
    return "|".join(map(regex.escape, sorted(forms, key=len, reverse=True))) or _NOTHING
