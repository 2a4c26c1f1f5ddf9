"""Tokenization of text in any script, from its characters alone: no language needs to be known."""

import unicodedata

import regex

# Characters of the scripts that are written without spaces between words.
UNSPACED = r"[[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Thai}\p{scx=Laoo}\p{scx=Khmr}\p{scx=Mymr}]&&[\p{L}\p{M}\p{N}]]"
# Both are patterns of regex's version 1, (?V1).
TOKEN = rf"(?={UNSPACED})\X|[[\p{{L}}\p{{M}}\p{{N}}]--{UNSPACED}]+"
_TOKEN = regex.compile(f"(?V1){TOKEN}")
_SEGMENT = regex.compile(rf"(?V1)(?={UNSPACED})\X|[\S--{UNSPACED}]+")


def normalize(text: str) -> str:
    """Return `text` in NFKC and casefolded, so that two encodings of the same characters compare as equal.

    >>> normalize("Ａ Straße")
    'a strasse'
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def tokens(text: str) -> list[str]:
    """Return the normalized words of `text`; in scripts without spaces its grapheme clusters (UAX 29).

    A word is a run of letters, marks and digits: Python's `\\w` would cut Devanagari at its vowel signs.

    >>> tokens("Jua limetoka.")
    ['jua', 'limetoka']
    >>> tokens("आज सोमवार है।")
    ['आज', 'सोमवार', 'है']
    >>> tokens("ABC公司")
    ['abc', '公', '司']
    """
    return _TOKEN.findall(normalize(text))


def segments(text: str) -> list[str]:
    """Return the pieces of `text` between spaces, punctuation included; one per cluster in scripts without spaces.

    >>> segments("(the cat) 猫。")
    ['(the', 'cat)', '猫', '。']
    """
    return _SEGMENT.findall(text)
