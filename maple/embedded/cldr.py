"""Names of countries, currencies, languages, weekdays and months in each language, from Unicode CLDR."""

import hashlib
from collections import Counter
from contextlib import suppress
from functools import cache

from babel import Locale, UnknownLocaleError, localedata
from babel.core import get_global

# ISO 3166 and CLDR codes that are no member of the United Nations; left out, so that no item rests on a disputed one.
NOT_MEMBERS = (
    "AC AI AN AQ AS AW AX BL BM BQ BV CC CK CP CQ CW CX DG EA EH EU EZ FK FO GF GG GI GL GP GS GU HK HM IC IM IO JE KY "
    "MF MO MP MQ MS NC NF NU PF PM PN PR PS QO RE SH SJ SX TA TC TF TK TW UM UN VA VG VI WF XK YT ZZ"
)
# Kinds of names. A kind is also the slot's name in the sentences of config/phrases.yaml.
KINDS = ("country", "currency", "language", "day", "month")
OFFICIAL = ("official", "de_facto_official")


def held_out(key: str) -> bool:
    """Return True if a country (its ISO code), or any other key, belongs to the evaluation: about 30 % do.

    Training and evaluation must not share a country: a model could answer a test item from a training example.
    """
    return _digest(key) < 77


def _digest(key: str) -> int:
    return hashlib.sha256(key.encode()).digest()[0]


@cache
def facts() -> dict[str, dict[str, str]]:
    """Return {ISO country code: {"currency": ISO 4217 code, "language": ISO 639 code}} in the order of the codes.

    Only countries with exactly one currency that is legal tender today, so that no second answer is right. The language
    is the official one with most speakers. A country whose English name contains another's ("South Sudan") is left out,
    so that no training text names a held-out country; so is one that is named like a language.
    """
    english, not_members = Locale("en"), NOT_MEMBERS.split()
    countries = {}
    for country, history in sorted(get_global("territory_currencies").items()):
        tender = [code for code, _, end, legal in history if legal and end is None]
        spoken = official_languages(country)
        if len(country) == 2 and country not in not_members and len(tender) == 1 and spoken:
            countries[country] = {"currency": tender[0], "language": spoken[0]}
    # A third of them: a model of a few million parameters cannot learn the names of all in ten languages in a minute.
    countries = {country: fact for country, fact in countries.items() if _digest(f"world {country}") < 256 // 3}
    padded = {country: f" {english.territories[country]} ".replace("-", " ") for country in countries}
    language_names = {english.languages.get(fact["language"]) for fact in countries.values()}
    return {
        country: fact
        for country, fact in countries.items()
        if not any(other != country and name in padded[country] for other, name in padded.items())
        and english.territories[country] not in language_names
    }


@cache
def official_languages(country: str) -> tuple[str, ...]:
    """Return the ISO 639 codes of a country's official languages, the one with most speakers first."""
    spoken = get_global("territory_languages").get(country, {})
    official = [code for code, use in spoken.items() if use["official_status"] in OFFICIAL]
    ranked = sorted(official, key=lambda code: -spoken[code]["population_percent"])
    return tuple(dict.fromkeys(code.split("_")[0] for code in ranked))  # sr_Latn has the name of sr


@cache
def locale_of(iso639_1: str, script: str) -> Locale:
    """Return the CLDR locale of a language. Raises ValueError for a language that CLDR lacks."""
    for name in (f"{iso639_1}_{script}", iso639_1):
        with suppress(UnknownLocaleError, ValueError):
            return Locale.parse(name)
    raise ValueError(
        f"config/languages.tsv: iso639_1 {iso639_1!r} is no CLDR locale, so that the embedded world has no names in "
        "it; correct the code, or take the language out of config/phrases.yaml and of the embedded tasks that offer it"
    )


@cache
def names(iso639_1: str, script: str) -> dict[str, dict[str, str]]:
    """Return {kind: {code: name}} of the names that CLDR has in a language, in dictionary form.

    Kinds are those of KINDS. Days have the codes "0" (Monday) to "6", months "1" to "12". A name that CLDR lacks in the
    language, or that two codes of a kind share, is left out. Raises ValueError for a language that CLDR lacks. Source:
    Unicode CLDR, as in Babel.
    """
    locale = locale_of(iso639_1, script)
    countries = facts()
    tables = {
        "country": (locale.territories, set(countries)),
        "currency": (locale.currencies, {fact["currency"] for fact in countries.values()}),
        "language": (locale.languages, {code for country in countries for code in official_languages(country)}),
    }
    by_kind: dict[str, dict[str, str]] = {
        kind: {code: table[code] for code in sorted(codes) if code in table} for kind, (table, codes) in tables.items()
    }
    by_kind["day"] = {str(number): name for number, name in locale.days["format"]["wide"].items()}
    by_kind["month"] = {str(number): name for number, name in _months(locale).items()}
    for kind, of_kind in by_kind.items():
        count = Counter(of_kind.values())
        by_kind[kind] = {
            code: name for code, name in of_kind.items() if name and count[name] == 1 and _native(name, code, script)
        }
    return by_kind


def _months(locale: Locale) -> dict[int, str]:
    # Slavic languages write months in dates in the genitive; the dictionary form is `stand-alone`. Where a locale lacks
    # it, Babel 2.18 returns the names of whatever locale was loaded before. So it is used only if the locale's own data
    # have it: as a pair of an alias and the names that override it.
    stand_alone = localedata.load(str(locale))["months"]["stand-alone"]["wide"]
    return stand_alone[1] if isinstance(stand_alone, tuple) else locale.months["format"]["wide"]


def _native(name: str, code: str, script: str) -> bool:
    # In a locale of another script, a name in Latin letters is a code or English that CLDR left untranslated.
    latin = any("a" <= letter <= "z" for letter in name.lower())
    return name != code and not (latin and script != "Latn")
