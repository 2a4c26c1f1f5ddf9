"""Numbers in a text, in the digits of any script and with the marks of the language."""

import unicodedata
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from typing import NamedTuple

import regex
from babel import Locale, UnknownLocaleError
from babel.core import get_global

# Signs of a number, and apostrophes, spaces and full-width forms that group or part its digits, one character for one.
_ALIKE = {"-": "−–‐‑﹣－", "'": "’ʼ＇", " ": "\u00a0\u202f\u2009\u2007", ".": "．", ",": "，", "/": "⁄／"}
_TABLE = {ord(each): one for one, many in _ALIKE.items() for each in many}
# What may stand glued before a number, as in "Rs18" or "USD18"; behind other Latin letters a digit is part of a name
# (CO2).
_CURRENCY = r"(?<!\p{L})(?:[A-Z]{3}|Rs\.?|Rp\.?|RM|[KTU]Sh|Br|Fr|kr)"
# Ten thousand and a hundred million, which East Asian writers put behind digits as a part of the number.
_SCALES = {"万": 10**4, "萬": 10**4, "만": 10**4, "亿": 10**8, "億": 10**8, "억": 10**8}
_NUMBER = regex.compile(
    rf"""(?x)
    (?:(?<![\p{{L}}\p{{M}}\p{{N}}]|\d\s+)(?P<sign>[-+])(?:\p{{Sc}}\s?)?)?
    (?:(?<!\p{{Latin}})|(?<={_CURRENCY}))(?<!\d)
    (?>(?P<body>
        \d{{1,3}}(?:\ \d{{3}})+(?!\d)(?:[.,٫]\d+)?       # 70 000,50
        | \d+(?:[.,'٫٬]\d+)*                             # 70.000,50
        | (?<![^\s\p{{Ps}}\p{{Sc}}\-+])[.٫]\d+           # .5
        | (?=[¼½¾⅐-⅞])
    ))
    (?:(?<![/]\ ?\d+)\ ?/\ ?(?P<below>0*[1-9]\d*)(?![\d/]))?
    (?P<part>[¼½¾⅐-⅞])?
    (?![⁰¹²³⁴-⁹⁻])
    (?:\s?(?P<scale>[{"".join(_SCALES)}]))?
    """
)
_GROUPED = regex.compile(r"[1-9]\d{0,2}(?:([.,'٬ ])\d{3})(?:\1\d{3})*|[1-9]\d?(?:,\d\d)+,\d{3}")


class FoundNumber(NamedTuple):
    """A number in a text."""

    value: Fraction
    start: int
    end: int
    """The number is text[start:end], with its sign and without units."""


@cache
def _marks(language: str) -> str:
    """Return the decimal mark of a language, from Unicode CLDR; a point for one that CLDR does not have."""
    code = get_global("language_aliases").get(language[:3], language[:3])
    try:
        return Locale.parse(code).number_symbols["latn"]["decimal"]
    except (UnknownLocaleError, ValueError, KeyError):
        return "."


def _decimal_mark(body: str, language: str) -> str:
    """Return the mark before the decimals of a number; "" if it has none."""
    if "٫" in body:
        return "٫"
    points, commas = body.count("."), body.count(",")
    if points and commas:
        return max(".,", key=body.rindex)
    mark = "." if points else ","
    if points + commas != 1:
        return ""
    # The other mark groups digits by threes, as in 70.000 in German; 18.5 is no such group and has a decimal.
    return mark if mark == _marks(language) or " " in body or not _GROUPED.fullmatch(body) else ""


def _value(body: str, language: str) -> Fraction | None:
    """Return the value of digits with marks; None if they are no number, as 12.03.2020."""
    mark = _decimal_mark(body, language)
    whole, _, decimals = body.partition(mark) if mark else (body, "", "")
    if not (decimals or "0").isdigit() or not ((whole or "0").isdigit() or _GROUPED.fullmatch(whole)):
        return None
    digits = "".join(filter(str.isdigit, whole))
    return Fraction(int(digits + decimals or 0), 10 ** len(decimals))


def _alike(text: str) -> str:
    """Return a text of the same length with ASCII digits and one character for each mark of numbers."""
    text = text.translate(_TABLE)
    return text if text.isascii() else regex.sub(r"\p{Nd}", lambda each: str(unicodedata.digit(each[0])), text)


def numbers(text: str, language: str) -> Iterator[FoundNumber]:
    """Yield the numbers of a text that are written in digits; `language` is a code such as deu_Latn.

    Digits may be of any script, grouped by threes, or as in India, with marks or spaces. A mark that both groups digits
    and parts decimals is read as the language has it in Unicode CLDR: 70.000 is 70000 in German and 70 in English.
    Signs, fractions as 1/8 and 5½ and the scales 万 and 億 belong to the number; per cent, currencies and units do not.
    What is none, as 12.03.2020 or 1.2.3, is the numbers that it consists of. Digits in a name (CO2) are none.

    >>> [str(number.value) for number in numbers("৭০,০০০ and −1.5 at 1/8", "ben_Beng")]
    ['70000', '-3/2', '1/8']
    """
    for match in _NUMBER.finditer(_alike(text)):
        value = _value(match["body"], language)
        start = match.start("sign") if match["sign"] else match.start("body")
        if value is None:
            for part in regex.finditer(r"\d+", match["body"]):
                yield FoundNumber(
                    Fraction(part[0]), match.start("body") + part.start(), match.start("body") + part.end()
                )
            continue
        if match["below"]:
            value /= int(match["below"])
        if match["part"]:
            value += Fraction(unicodedata.numeric(match["part"])).limit_denominator(10)
        value *= _SCALES.get(match["scale"], 1)
        yield FoundNumber(-value if match["sign"] == "-" else value, start, match.end())


_MARKED = regex.compile(r"(?<!\p{Latin}|\d)\d+(?:[.,'٫٬]\d+)+(?![.,'٫٬]?\d)")


def without_grouping(text: str, language: str) -> str:
    """Return a text whose numbers have no marks between groups of digits, and a point before decimals.

    >>> without_grouping("70.000 km, 18,5 %, am 12.03.2020", "deu_Latn")
    '70000 km, 18.5 %, am 12.03.2020'
    """

    def plain(match: regex.Match) -> str:
        body = _alike(match[0])
        if _value(body, language) is None:
            return match[0]
        mark = _decimal_mark(body, language)
        whole, _, decimals = body.partition(mark) if mark else (body, "", "")
        return "".join(filter(str.isdigit, whole)) + (f".{decimals}" if decimals else "")

    return _MARKED.sub(plain, text)
