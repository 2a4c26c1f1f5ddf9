"""Tokenization of text in any script, from its characters alone: no language needs to be known."""

import unicodedata

import regex

# Characters of the scripts that are written without spaces between words: Chinese and Japanese, and those of Southeast
# Asia whose lines Unicode breaks by a dictionary (UAX 14, class SA), with their digits. Polars reads it, too.
UNSPACED = (
    r"[[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Thai}\p{scx=Laoo}\p{scx=Khmr}\p{scx=Mymr}"
    r"\p{scx=Tale}\p{scx=Talu}\p{scx=Lana}\p{scx=Tavt}\p{scx=Ahom}]"
    r"&&[\p{L}\p{M}\p{N}]]"
)
# What stands between two letters of one word: joiners, and the marks that UAX 29 (rules WB6 to WB7c) keeps in a word,
# but for the apostrophe, which French writes between two words. Catalan has the point, Hebrew marks of abbreviations.
_WITHIN = (
    r"(?<=[\p{L}\p{M}])[\u200c\u200d](?=[\p{L}\p{M}])|(?<=l)·(?=l)"
    r"|(?<=\p{Script=Hebrew})[\"'״׳](?=\p{Script=Hebrew})"
)
# All are patterns of regex's version 1, (?V1). A run of letters, of any script:
RUN = rf"(?:[\p{{L}}\p{{M}}\p{{N}}]|{_WITHIN})+"
TOKEN = rf"(?={UNSPACED})\X|(?:[[\p{{L}}\p{{M}}\p{{N}}]--{UNSPACED}]|{_WITHIN})+"
_TOKEN = regex.compile(f"(?V1){TOKEN}")
_SEGMENT = regex.compile(rf"(?V1)(?={UNSPACED})\X|[\S--{UNSPACED}]+")
# Characters that no one sees and that part no word, as soft hyphens and marks of direction; not the joiners, which
# belong to the spelling in Indic scripts and Persian.
_UNSEEN = regex.compile(r"(?V1)[\p{Default_Ignorable_Code_Point}--[\u200b-\u200d]]")
# Parts words where no space is seen.
_ZERO_WIDTH_SPACE = "\u200b"
# Marks between words and sentences that some scripts write without a space, as the Ethiopic wordspace, the Tibetan
# tsheg, the danda and the full-width comma; not those of ASCII, nor a mark within a number.
_PARTING = regex.compile(r"(?V1)(?!(?<=\p{Nd}).\p{Nd})[[\p{Terminal_Punctuation}\u0f0b\u0f0c]--[\x00-\x7f]]")
# A joiner that joins nothing.
_LOOSE_JOINER = regex.compile(r"(?<![\p{L}\p{M}])[\u200c\u200d]+|[\u200c\u200d]+(?![\p{L}\p{M}\u200c\u200d])")


def normalize(text: str) -> str:
    """Return `text` in NFKC and casefolded, so that two encodings of the same characters compare as equal.

    Characters that no one sees are left out, but for joiners; a space of no width is a space.

    >>> normalize("Ａ Straße")
    'a strasse'
    >>> normalize("Donau\\u00addampf")
    'donaudampf'
    """
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return text if text.isascii() else _UNSEEN.sub("", text).replace(_ZERO_WIDTH_SPACE, " ")


def tokens(text: str) -> list[str]:
    """Return the normalized words of `text`; in scripts without spaces its grapheme clusters (UAX 29).

    A word is a run of letters, marks and digits: Python's `\\w` would cut Devanagari at its vowel signs. Joiners within
    a word are part of it; marks that part words, as the Ethiopic wordspace and the Tibetan tsheg, part them.

    >>> tokens("Jua limetoka.")
    ['jua', 'limetoka']
    >>> tokens("आज सोमवार है।")
    ['आज', 'सोमवार', 'है']
    >>> tokens("ABC公司")
    ['abc', '公', '司']
    >>> tokens("ሰላም፡ለዓለም")
    ['ሰላም', 'ለዓለም']
    """
    return _TOKEN.findall(normalize(text))


def segments(text: str) -> list[str]:
    """Return the pieces of `text` between spaces, punctuation included; one per cluster in scripts without spaces.

    >>> segments("(the cat) 猫。")
    ['(the', 'cat)', '猫', '。']
    """
    return _SEGMENT.findall(text)


def parted(text: str) -> str:
    """Return a text with a space for each mark that parts words in its script, and without joiners that join nothing.

    A metric that deletes punctuation would make one word of two. ASCII's marks stay: SQuAD's rules delete them.

    >>> parted("ሰላም፡ለዓለም"), parted("है।वह"), parted("e.g. 1，5")
    ('ሰላም ለዓለም', 'है वह', 'e.g. 1，5')
    """
    return text if text.isascii() else _LOOSE_JOINER.sub("", _PARTING.sub(" ", text))
