"""What Unicode CLDR knows of countries, weekdays and months, in a language's own words."""

import hashlib
from collections import Counter
from functools import cache

from babel import Locale, UnknownLocaleError, localedata
from babel.core import get_global

# ISO 3166 and CLDR codes that are no member of the United Nations: nobody shall have to argue what a country is.
NOT_MEMBERS = (
    "AC AI AN AQ AS AW AX BL BM BQ BV CC CK CP CQ CW CX DG EA EH EU EZ FK FO GF GG GI GL GP GS GU HK HM IC IM IO JE KY "
    "MF MO MP MQ MS NC NF NU PF PM PN PR PS QO RE SH SJ SX TA TC TF TK TW UM UN VA VG VI WF XK YT ZZ"
)
# Kinds of names; a kind is also the name of the slot that takes such a name in config/phrases.yaml.
KINDS = ("country", "currency", "language", "day", "month")
OFFICIAL = ("official", "de_facto_official")


def held_out(key: str) -> bool:
    """Return whether a country (its ISO code), or any other key, belongs to the evaluation: about 30 % do."""
    return _digest(key) < 77


def _digest(key: str) -> int:
    return hashlib.sha256(key.encode()).digest()[0]


@cache
def facts() -> dict[str, dict[str, str]]:
    """Return {ISO country code: {"currency": ISO 4217 code, "language": ISO 639 code}} in the order of the codes.

    Only countries with exactly one currency that is legal tender today, so that no other can be right; the language is
    the official one that most people speak. Left out: a country whose English name holds another's ("South Sudan"),
    so that the held-out ones are never named by accident, and one whose names are not clear in English.
    """
    english, not_members = Locale("en"), NOT_MEMBERS.split()
    found = {}
    for country, history in sorted(get_global("territory_currencies").items()):
        tender = [code for code, _, end, legal in history if legal and end is None]
        spoken = official_languages(country)
        if len(country) == 2 and country not in not_members and len(tender) == 1 and spoken:
            found[country] = {"currency": tender[0], "language": spoken[0]}
    # A third of them: a model of a few million parameters cannot learn the names of all in ten languages in a minute.
    found = {country: fact for country, fact in found.items() if _digest(f"world {country}") < 256 // 3}
    called = {country: f" {english.territories[country]} ".replace("-", " ") for country in found}
    spoken_names = {english.languages.get(fact["language"]) for fact in found.values()}
    return {
        country: fact
        for country, fact in found.items()
        if not any(other != country and name in called[country] for other, name in called.items())
        and english.territories[country] not in spoken_names
    }


@cache
def official_languages(country: str) -> tuple[str, ...]:
    """Return a country's official languages, ISO 639 codes, the one spoken by most people first."""
    spoken = get_global("territory_languages").get(country, {})
    official = [code for code, use in spoken.items() if use["official_status"] in OFFICIAL]
    ranked = sorted(official, key=lambda code: -spoken[code]["population_percent"])
    return tuple(dict.fromkeys(code.split("_")[0] for code in ranked))  # sr_Latn is named as sr is


@cache
def names(iso639_1: str, script: str) -> dict[str, dict[str, str]]:
    """Return {kind: {code: name}} of what CLDR names in a language, in dictionary form.

    Kinds are those of KINDS; days are "0" (Monday) to "6", months "1" to "12". A thing that CLDR does not name in the
    language, or for which it has the same name as for another thing of the kind, is not there. Raises ValueError for a
    language that CLDR lacks. Source: Unicode CLDR, as Babel carries it.
    """
    try:
        locale = Locale.parse(f"{iso639_1}_{script}")
    except (UnknownLocaleError, ValueError):
        try:
            locale = Locale.parse(iso639_1)
        except (UnknownLocaleError, ValueError):
            raise ValueError(
                f"config/languages.tsv: iso639_1 {iso639_1!r} is no CLDR locale; remove the language from "
                "config/phrases.yaml, or correct the code"
            ) from None
    known = facts()
    wanted = {
        "country": (locale.territories, set(known)),
        "currency": (locale.currencies, {fact["currency"] for fact in known.values()}),
        "language": (locale.languages, {code for country in known for code in official_languages(country)}),
    }
    found = {kind: {code: table.get(code) for code in sorted(codes)} for kind, (table, codes) in wanted.items()}
    found["day"] = {str(number): name for number, name in locale.days["format"]["wide"].items()}
    found["month"] = {str(number): name for number, name in _months(locale).items()}
    for kind, called in found.items():
        count = Counter(called.values())
        found[kind] = {
            code: name for code, name in called.items() if name and count[name] == 1 and _native(name, code, script)
        }
    return found


def _months(locale: Locale) -> dict[int, str]:
    # Dates of Slavic languages have the genitive; the dictionary form is `stand-alone`. Babel 2.18 resolves its absence
    # to the names of whatever locale was loaded before, so it is taken only where the locale's own data state it: as an
    # alias with the names that override it.
    stated = localedata.load(str(locale))["months"]["stand-alone"]["wide"]
    return stated[1] if isinstance(stated, tuple) else locale.months["format"]["wide"]


def _native(name: str, code: str, script: str) -> bool:
    # A name in Latin letters in another script's locale is a code or English that CLDR let through.
    latin = any("a" <= letter <= "z" for letter in name.lower())
    return name != code and not (latin and script != "Latn")
