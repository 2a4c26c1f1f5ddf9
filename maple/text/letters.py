"""One letter written in several ways: variants of letters, digits and apostrophes that typists do not tell apart."""

import unicodedata
from itertools import chain

import regex

# Each line: letters that stand for the one before the colon.
_VARIANTS = {
    # Characters that are typed as apostrophes; in some languages they are letters.
    "'": "\u02bb\u02bc\u02b9\u2018\u2019\u201b\u2032\u0060",
    # Arabic script: Persian and Urdu ye, kaf and heh; ta marbuta, which is often typed as heh; hamza, which is often
    # left out on alef, waw and ye.
    "\u064a": "\u0649\u06cc\u06d2\u06d3\u0626",
    "\u0643": "\u06a9",
    "\u0647": "\u06c0\u06c1\u06d5\u06be\u0629\u06c3",
    "\u0627": "\u0622\u0623\u0625\u0671",
    "\u0648": "\u0624",
    # Romanian with a comma below or, from older keyboards, with a cedilla.
    "ş": "ș",
    "Ş": "Ș",
    "ţ": "ț",
    "Ţ": "Ț",
    # Turkish: I is the capital of ı and İ that of i; with another language's rules both are lost.
    "i": "ı",
    "I": "İ",
    # German: ß has SS as its capital.
    "ss": "ß",
    "SS": "ẞ",
    # Greek: capitals bear no tonos, and a sigma at the end of a word is one.
    **dict(zip("αεηιουωΑΕΗΙΟΥΩ", "άέήίόύώΆΈΉΊΌΎΏ", strict=True)),
    "σ": "ς",
    # Russian: the dots of ё are often left out.
    "е": "ё",
    "Е": "Ё",
    # Hindi: candrabindu, which is often written as anusvara; letters with a nukta, which is often left out.
    "\u0902": "\u0901",
    "\u0928": "\u0929",
    "\u0930": "\u0931",
    "\u0933": "\u0934",
    # Bengali khanda ta and Malayalam chillus, which older texts write with a virama and a joiner.
    "\u09a4\u09cd": "\u09ce",
    **{f"{letter}\u0d4d": chillu for letter, chillu in zip("ണനരലളക", "ൺൻർൽൾൿ", strict=True)},
    # Thai ae, which is also typed as twice e.
    "\u0e40\u0e40": "\u0e41",
    # Amharic: labialized letters that are written as the plain ones.
    **dict(zip("ቆሆኮጎ", "ቈኈኰጐ", strict=True)),
}
# Greek iota and upsilon with dialytika and tonos lose the tonos alone.
_VARIANTS |= {"ϊ": "ΐ", "ϋ": "ΰ"}
# Marks that spell no other word: vowel signs and tatweel of Arabic, nukta of Devanagari and Gurmukhi, variation
# selectors, the frame of a keycap, points and accents of Hebrew. Format characters (Cf) are left out as well, the
# joiners among them.
_UNWRITTEN = "\u064b\u064c\u064d\u064e\u064f\u0650\u0651\u0652\u0670\u0640\u093c\u0a3c\ufe0e\ufe0f\u20e3"
_UNWRITTEN += "".join(map(chr, (*range(0x0591, 0x05BE), 0x05BF, 0x05C1, 0x05C2, 0x05C4, 0x05C5, 0x05C7)))
# Ethiopic: families of seven letters with one sound in Amharic, by their first letters (ሐ ኀ as ሀ, ሠ as ሰ, ዐ as አ, ፀ as
# ጸ).
_FAMILIES = ((0x1210, 0x1200), (0x1280, 0x1200), (0x1220, 0x1230), (0x12D0, 0x12A0), (0x1340, 0x1338))


def _table() -> dict[int, str | None]:
    table: dict[int, str | None] = {ord(each): one for one, variants in _VARIANTS.items() for each in variants}
    for family, same in _FAMILIES:
        table |= {family + vowel: chr(same + vowel) for vowel in range(7)}
    table |= {0x1203: "\u1200", 0x1213: "\u1200", 0x1283: "\u1200", 0x12A3: "\u12a0", 0x12D3: "\u12a0"}  # a and ä
    table |= {ord(mark): None for mark in _UNWRITTEN}
    for code in chain(
        range(0x20000), range(0xE0000, 0xE0080)
    ):  # no digit or format character of Unicode 15 is elsewhere
        character = chr(code)
        category = unicodedata.category(character)
        if category == "Nd":
            table[code] = str(unicodedata.digit(character, character))
        elif category == "Cf":
            table[code] = None
    return table


_TABLE = _table()
# Devanagari: the nasal before a consonant of its own place, which is as often written as anusvara (हिन्दी, हिंदी).
_NASAL = regex.compile("ङ्(?=[क-घ])|ञ्(?=[च-झ])|ण्(?=[ट-ढ])|न्(?=[त-ध])|म्(?=[प-भ])")
_ASCII_ONLY = str.maketrans({"`": "'"})


def same_letters(text: str) -> str:
    """Return a text in NFKC in which variants of one letter, digit or apostrophe are the same; its case stays.

    The result is for comparison alone. Letters of scripts are merged where writers do not tell them apart, as Arabic
    and Persian ye; two labels that differ in nothing else could not be told apart.

    >>> same_letters("Ａ１") == same_letters("A١"), same_letters("Yolg‘on") == same_letters("Yolgʻon")
    (True, True)
    """
    if text.isascii():
        return text.translate(_ASCII_ONLY)
    # NFKC makes a space and an accent of an acute accent that is typed as an apostrophe, and joins no vertical line
    # below, which some Yoruba writers type for the dot below.
    text = unicodedata.normalize("NFKC", text.replace("\u00b4", "'").replace("\u0329", "\u0323")).translate(_TABLE)
    return _NASAL.sub("\u0902", text) if "\u094d" in text else text
