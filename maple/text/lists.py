"""Lists within a text: the marks and words between their entries, as the writers of a language put them."""

from collections.abc import Sequence
from functools import cache

import regex
from babel import Locale, UnknownLocaleError
from babel.core import get_global

# What a list without entries is, in every language and in files of scores.
NOTHING = "-"
# Commas and semicolons by ISO 15924 script, with the space behind them, where they are not those of Latin.
_COMMAS = {"Arab": "، ", "Ethi": "፣ ", "Mymr": "၊ ", "Jpan": "、", "Hans": "、", "Hant": "、"}
_SEMICOLONS = {"Arab": "؛ ", "Ethi": "፤ ", "Jpan": "；", "Hans": "；", "Hant": "；"}
# Any of them: a writer may take those of another script.
SEMICOLON = "[;；؛፤|]"
_COMMA = "[,;，；、،؛፣፤၊|・]"
_PAIR = regex.compile(r"\{0\}(.*)\{1\}")


def joined(texts: Sequence[str], language: str, *, strong: bool = False) -> str:
    """Return texts as a list in the script of a language, between commas, or semicolons if `strong`.

    >>> joined(["غضب", "حزن"], "arb_Arab"), joined(["PER: Amina", "LOC: Lagos"], "hau_Latn", strong=True)
    ('غضب، حزن', 'PER: Amina; LOC: Lagos')
    """
    marks, usual = (_SEMICOLONS, "; ") if strong else (_COMMAS, ", ")
    return marks.get(language.partition("_")[2], usual).join(texts)


def entries(text: str, language: str) -> list[tuple[int, int]]:
    """Return the places, as in text[start:end], of a list's entries: what stands between commas, semicolons and "and".

    "And" is that of the language in Unicode CLDR (its pattern of two entries); some languages have none there.

    >>> text = "hasira, huzuni na furaha"
    >>> [text[start:end] for start, end in entries(text, "swh_Latn")]
    ['hasira', 'huzuni', 'furaha']
    """
    places, start = [], 0
    for mark in _between(language).finditer(text):
        places.append((start, mark.start()))
        start = mark.end()
    return [(start, end) for start, end in [*places, (start, len(text))] if text[start:end].strip()]


@cache
def _between(language: str) -> regex.Pattern:
    """Return a pattern of what stands between two entries."""
    word = _and(language)
    comma = rf"\s*{_COMMA}\s*"
    if not word.strip() or regex.search(_COMMA, word):
        return regex.compile(comma)
    spaced = [r"\s+" if side.isspace() else r"\s*" for side in (word[0], word[-1])]
    among = regex.escape(word.strip())
    # "A, B, and C"; a word that is written together with the next one, as in Arabic, may be the beginning of that.
    after = rf"(?:{among}\s+)?" if word[-1].isspace() else ""
    return regex.compile(rf"{comma}{after}|{spaced[0]}{among}{spaced[1]}")


def _and(language: str) -> str:
    """Return what CLDR has between the two entries of a list, as " and "; "" if it has no word there alone."""
    code = get_global("language_aliases").get(language[:3], language[:3])
    try:
        pair = _PAIR.fullmatch(Locale.parse(code).list_patterns["standard"]["2"])
    except (UnknownLocaleError, ValueError, KeyError):
        return ""
    return pair[1] if pair else ""
