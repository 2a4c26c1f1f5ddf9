"""Segmentation: the pieces of a text in any script, told by its characters alone."""

import unicodedata

import regex

# Scripts written without spaces between words; the characters tell, so no text needs to say its language.
UNSPACED = r"[[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Thai}\p{scx=Laoo}\p{scx=Khmr}\p{scx=Mymr}]&&[\p{L}\p{M}\p{N}]]"
_TOKEN = regex.compile(rf"(?V1)(?={UNSPACED})\X|[[\p{{L}}\p{{M}}\p{{N}}]--{UNSPACED}]+")
_SEGMENT = regex.compile(rf"(?V1)(?={UNSPACED})\X|[\S--{UNSPACED}]+")


def normalize(text: str) -> str:
    """Return `text` in NFKC, casefolded: two spellings of the same characters become one."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def tokens(text: str) -> list[str]:
    """Return the words of `text`, normalized; in scripts without spaces its grapheme clusters (UAX 29).

    A word is a run of letters, marks and digits: Python's own `\\w` would cut Devanagari at its vowel signs.
    """
    return _TOKEN.findall(normalize(text))


def segments(text: str) -> list[str]:
    """Return the pieces of `text` between spaces, whatever they hold; scripts without spaces cluster by cluster."""
    return _SEGMENT.findall(text)
