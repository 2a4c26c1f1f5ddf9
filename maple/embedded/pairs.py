"""Pairs of texts in two languages that say the same, from Unicode CLDR: units, dates, lists and names.

CLDR's sections are the domains. Rows of two splits never share what they say:

units: the numbers of a split are in no other one ("17 hours"); 1 and 2 are learnt, for many languages have forms for
them alone. dates: the same of days of the year ("5 March", in whatever year). lists and names: no two names stand side
by side in two splits. Single names, units and months are in all splits: no model can translate a name that it has never
read.
"""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from hashlib import sha256
from typing import Literal, Protocol

from babel import Locale
from babel.dates import format_date
from babel.lists import format_list
from babel.numbers import format_decimal

from maple.embedded.cldr import locale_of, names
from maple.embedded.speech import Unnamed

UNITS = (
    *("duration-second", "duration-minute", "duration-hour", "duration-day", "duration-week", "duration-month"),
    *("duration-year", "length-kilometer", "length-meter", "length-centimeter", "mass-kilogram", "mass-gram"),
    *("mass-tonne", "volume-liter", "volume-milliliter", "volume-teaspoon", "temperature-celsius"),
    *("speed-kilometer-per-hour", "area-square-kilometer", "digital-megabyte", "energy-calorie", "power-kilowatt"),
    *("electric-volt", "angle-degree"),
)
# CLDR leaves out a long form that is the short one.
UNIT_LENGTHS = ("long", "short")
NUMBERS = range(1, 1000)
LEARNT_NUMBERS = (1, 2)
# The kinds of names of which a list consists, each list of one.
LISTED = ("country", "currency", "language")
LIST_STYLES = ("standard", "or")
DATE_FORMS = ("full", "long")
FIRST_DAY, DAYS = date(1950, 1, 1), 100 * 365
# Spanish y is e before its own sound, as in "ruso e inglés"; CLDR leaves it to programs (UTS 35, List Patterns).
_SPANISH_AND = re.compile(r"\by (?=h?i(?![aeo]))", re.IGNORECASE)
# Bytes of a digest below which a key is of the split; keys beyond are learnt: about 55 %.
_BOUNDS = {"test": 77, "dev": 115, "train": 256}
# So many draws in a row without anything new: a split has no more to say.
_TRIES = 1000


class PairLanguage(Protocol):
    """A language of a pair, as a row of config/languages.tsv has it."""

    @property
    def code(self) -> str:
        """Code of FLORES-200: swh_Latn."""
        ...

    @property
    def iso639_1(self) -> str:
        """Two letters: sw."""
        ...

    @property
    def script(self) -> str:
        """Code of ISO 15924: Latn."""
        ...


@dataclass(frozen=True)
class Quantity:
    """A number of a unit."""

    number: int
    unit: str


@dataclass(frozen=True)
class Names:
    """Names of one kind, listed."""

    kind: str
    codes: tuple[str, ...]


@dataclass(frozen=True)
class Meaning:
    """What a text says, in no language: the form of the text and its parts."""

    form: str
    said: tuple[Quantity, ...] | Names | date


@cache
def split_of(key: str) -> str:
    """Return the split that a key belongs to: about 30 % test, 15 % dev, and the rest train."""
    digest = sha256(key.encode()).digest()[0]
    return next(split for split, bound in _BOUNDS.items() if digest < bound)


@cache
def _numbers(split: str) -> tuple[int, ...]:
    return tuple(
        number for number in NUMBERS if ("train" if number in LEARNT_NUMBERS else split_of(f"number {number}")) == split
    )


@cache
def _codes(kind: str) -> tuple[str, ...]:
    return tuple(names("en", "Latn")[kind])


def _quantity(rng: random.Random, split: str) -> Quantity:
    numbers = _numbers(split)
    # Small numbers come as often as all others: they are those whose forms differ.
    small = [number for number in numbers if number <= 30]
    return Quantity(rng.choice(small if rng.random() < 0.5 else numbers), rng.choice(UNITS))


def _units(rng: random.Random, split: str) -> Meaning:
    said = tuple(_quantity(rng, split) for _ in range(rng.choice((1, 1, 2))))
    return Meaning("standard", said)


def _dates(rng: random.Random, split: str) -> Meaning:
    while True:
        day = FIRST_DAY + timedelta(days=rng.randrange(DAYS))
        if split_of(f"day {day.month}-{day.day}") == split:
            return Meaning(rng.choice(DATE_FORMS), day)


@cache
def _neighbours(kind: str, code: str, of_kind: str, split: str) -> tuple[str, ...]:
    """Return the codes of `of_kind` whose names may stand beside a name in a split."""
    name, others = f"{kind} {code}", {other: f"{of_kind} {other}" for other in _codes(of_kind)}
    pairs = {other: " ".join(sorted((name, beside))) for other, beside in others.items() if beside != name}
    return tuple(other for other, pair in pairs.items() if split_of(pair) == split)


def _lists(rng: random.Random, split: str) -> Meaning:
    kind, form, length = rng.choice(LISTED), rng.choice(LIST_STYLES), rng.choice((2, 3, 4))
    codes = [rng.choice(_codes(kind))]
    while len(codes) < length:
        beside = [code for code in _neighbours(kind, codes[-1], kind, split) if code not in codes]
        if not beside:
            return _lists(rng, split)
        codes.append(rng.choice(beside))
    return Meaning(form, Names(kind, tuple(codes)))


def _names(rng: random.Random, split: str) -> Meaning:
    kind, country = rng.choice(("currency", "language")), rng.choice(_codes("country"))
    beside = _neighbours("country", country, kind, split)
    return Meaning("of a country", Names(kind, (rng.choice(beside), country))) if beside else _names(rng, split)


def _name(language: PairLanguage, kind: str, code: str) -> str:
    try:
        return names(language.iso639_1, language.script)[kind][code]
    except KeyError:
        raise Unnamed(f"CLDR has no {language.code} name of {code!r}") from None


def _unit_text(locale: Locale, quantity: Quantity) -> str:
    """Return a number of a unit in the form that the number asks for (CLDR's plural categories)."""
    patterns = locale._data["unit_patterns"].get(quantity.unit) or {}  # Babel's format_unit takes no short form for it
    category = locale.plural_form(quantity.number)
    for length in UNIT_LENGTHS:
        forms = patterns.get(length) or {}
        if pattern := forms.get(category) or forms.get("other"):
            return pattern.format(format_decimal(quantity.number, locale=locale))
    raise Unnamed(f"CLDR has no {locale} name of {quantity.unit}")


def _list_text(locale: Locale, texts: Sequence[str], style: Literal["standard", "or"]) -> str:
    text = format_list(texts, style, locale=locale)
    return _SPANISH_AND.sub("e ", text) if locale.language == "es" else text


def _text(meaning: Meaning, language: PairLanguage) -> str:
    """Return what a meaning is in a language; raises Unnamed if CLDR lacks a name."""
    locale, said = locale_of(language.iso639_1, language.script), meaning.said
    if isinstance(said, date):
        return format_date(said, meaning.form, locale=locale)
    if isinstance(said, tuple):
        return _list_text(locale, [_unit_text(locale, quantity) for quantity in said], "standard")
    if meaning.form == "of a country":
        name, country = said.codes
        return f"{_name(language, said.kind, name)} ({_name(language, 'country', country)})"
    style = "or" if meaning.form == "or" else "standard"
    return _list_text(locale, [_name(language, said.kind, code) for code in said.codes], style)


# Per domain, how a meaning is drawn in a split.
DOMAINS: dict[str, Callable[[random.Random, str], Meaning]] = {
    "units": _units,
    "dates": _dates,
    "lists": _lists,
    "names": _names,
}

# Per translation task of the embedded world, its domain; its direction is that of the task's file.
TRANSLATIONS = {
    **{f"translate-{domain}": domain for domain in DOMAINS},
    **{f"translate-{domain}-into-english": domain for domain in ("units", "lists")},
}


def meanings(domain: str, split: str) -> Iterator[Meaning]:
    """Yield the meanings of a domain's split in their order, each once."""
    rng, before = random.Random(f"pairs {domain} {split}"), set()
    tries = 0
    while tries < _TRIES:
        meaning = DOMAINS[domain](rng, split)
        tries += 1
        if meaning not in before:
            before.add(meaning)
            tries = 0
            yield meaning


def pair_rows(source: PairLanguage, target: PairLanguage, domain: str, split: str, items: int) -> list[dict[str, str]]:
    """Return rows of two languages in a domain of DOMAINS: id, source and target.

    `split` is train, dev or test. (domain, split, i) alone decides item i, so that rows with the same id have the same
    meaning in every language. An item is missing if CLDR lacks one of its names in one of the two languages: there can
    be fewer than `items` rows. Raises ValueError for a language that CLDR lacks.
    """
    rows = []
    for number, meaning in zip(range(items), meanings(domain, split), strict=False):
        try:
            # Spaces are plain ones: some models read no others, and scores would tell only that.
            source_text, target_text = (" ".join(_text(meaning, side).split()) for side in (source, target))
        except Unnamed:
            continue
        rows.append({"id": f"embedded:{domain}-{split}-{number}", "source": source_text, "target": target_text})
    return rows
