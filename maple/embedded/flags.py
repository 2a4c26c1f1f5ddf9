"""Flags that are a few rectangles of plain colour, as data.

Where a country has a flag with arms for its offices, it is the plain national flag. Left out are flags that two
countries share (Indonesia and Monaco, Romania and Chad) and those of `maple.embedded.cldr.NOT_MEMBERS`. Colours are
near the official ones. All fields are 3:2, whatever the official shape, which would give a few flags away; stripes and
crosses keep their proportions.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bar:
    """A rectangle of plain colour, in units of its flag."""

    colour: str
    """As in #c8102e."""
    left: int
    """Distance from the hoist."""
    top: int
    """Distance from the upper edge."""
    width: int
    """Along the upper edge."""
    height: int
    """Along the hoist."""


@dataclass(frozen=True)
class Flag:
    """A flag: rectangles, each painted over those before it; the hoist is on the left."""

    width: int
    """Units along the upper edge."""
    height: int
    """Units along the hoist."""
    bars: tuple[Bar, ...]
    """The first one may be the whole field."""


def _parsed(stripes: str) -> list[tuple[str, int]]:
    """Return colours and widths of "#ffffff #000000:2", whose widths are 1 and 2."""
    pairs = (stripe.partition(":") for stripe in stripes.split())
    return [(colour, int(width or 1)) for colour, _, width in pairs]


def _across(stripes: str) -> Flag:
    """Return a flag of horizontal stripes, from above."""
    bars, top = [], 0
    for colour, height in _parsed(stripes):
        bars.append(Bar(colour, 0, top, 1, height))
        top += height
    return Flag(1, top, tuple(bars))


def _upright(stripes: str) -> Flag:
    """Return a flag of vertical stripes, from the hoist."""
    bars, left = [], 0
    for colour, width in _parsed(stripes):
        bars.append(Bar(colour, left, 0, width, 1))
        left += width
    return Flag(left, 1, tuple(bars))


def _cross(width: int, height: int, field: str, *arms: tuple[str, int, int, int]) -> Flag:
    """Return a flag whose crosses reach all edges: colour, distance from hoist and upper edge, width of the arms."""
    bars = [Bar(field, 0, 0, width, height)]
    for colour, left, top, thickness in arms:
        bars += [Bar(colour, left, 0, thickness, height), Bar(colour, 0, top, width, thickness)]
    return Flag(width, height, tuple(bars))


def _bars(width: int, height: int, *bars: tuple[str, int, int, int, int]) -> Flag:
    return Flag(width, height, tuple(Bar(*bar) for bar in bars))


def _greece() -> Flag:
    stripes = [("#0d5eaf" if number % 2 == 0 else "#ffffff", 0, 2 * number, 27, 2) for number in range(9)]
    canton = [("#0d5eaf", 0, 0, 10, 10), ("#ffffff", 4, 0, 2, 10), ("#ffffff", 0, 4, 10, 2)]
    return _bars(27, 18, *stripes, *canton)


# By ISO 3166 code.
FLAGS: dict[str, Flag] = {
    "AE": _bars(
        12, 6, ("#00732f", 3, 0, 9, 2), ("#ffffff", 3, 2, 9, 2), ("#000000", 3, 4, 9, 2), ("#ef3340", 0, 0, 3, 6)
    ),
    "AM": _across("#d90012 #0033a0 #f2a800"),
    "AT": _across("#c8102e #ffffff #c8102e"),
    "BE": _upright("#000000 #fdda24 #ef3340"),
    "BG": _across("#ffffff #00966e #d62612"),
    "BJ": _bars(15, 10, ("#fcd116", 6, 0, 9, 5), ("#e8112d", 6, 5, 9, 5), ("#008751", 0, 0, 6, 10)),
    "BW": _across("#75aadb:9 #ffffff:1 #000000:4 #ffffff:1 #75aadb:9"),
    "CH": _bars(48, 32, ("#da291c", 0, 0, 48, 32), ("#ffffff", 14, 13, 20, 6), ("#ffffff", 21, 6, 6, 20)),
    "CI": _upright("#ff8200 #ffffff #009a44"),
    "CO": _across("#fcd116:2 #003893 #ce1126"),
    "CR": _across("#002b7f #ffffff #ce1126:2 #ffffff #002b7f"),
    "DE": _across("#000000 #dd0000 #ffcc00"),
    "DK": _cross(37, 28, "#c8102e", ("#ffffff", 12, 12, 4)),
    "EE": _across("#0072ce #000000 #ffffff"),
    "FI": _cross(18, 11, "#ffffff", ("#002f6c", 5, 4, 3)),
    "FR": _upright("#000091 #ffffff #e1000f"),
    "GA": _across("#009e60 #fcd116 #3a75c4"),
    "GM": _across("#ce1126:6 #ffffff:1 #0c1c8c:4 #ffffff:1 #3a7728:6"),
    "GN": _upright("#ce1126 #fcd116 #009460"),
    "GR": _greece(),
    "HU": _across("#ce2939 #ffffff #477050"),
    "IE": _upright("#169b62 #ffffff #ff883e"),
    "IS": _cross(25, 18, "#02529c", ("#ffffff", 7, 7, 4), ("#dc1e35", 8, 8, 2)),
    "IT": _upright("#008c45 #ffffff #cd212a"),
    "LT": _across("#fdb913 #006a44 #c1272d"),
    "LU": _across("#ef3340 #ffffff #00a3e0"),
    "LV": _across("#9d2235:2 #ffffff #9d2235:2"),
    "MG": _bars(3, 2, ("#ffffff", 0, 0, 1, 2), ("#f9423a", 1, 0, 2, 1), ("#00843d", 1, 1, 2, 1)),
    "ML": _upright("#14b53a #fcd116 #ce1126"),
    "MU": _across("#ea2839 #1a206d #ffd500 #00a551"),
    "NG": _upright("#008751 #ffffff #008751"),
    "NL": _across("#ae1c28 #ffffff #21468b"),
    "NO": _cross(22, 16, "#ba0c2f", ("#ffffff", 6, 6, 4), ("#00205b", 7, 7, 2)),
    "PE": _upright("#d91023 #ffffff #d91023"),
    "PL": _across("#ffffff #dc143c"),
    "RU": _across("#ffffff #0039a6 #d52b1e"),
    "SE": _cross(16, 10, "#006aa7", ("#fecc00", 5, 4, 2)),
    "SL": _across("#1eb53a #ffffff #0072c6"),
    "TH": _across("#a51931 #ffffff #2d2a4a:2 #ffffff #a51931"),
    "TO": _bars(
        48, 24, ("#c10000", 0, 0, 48, 24), ("#ffffff", 0, 0, 20, 12), ("#c10000", 6, 5, 8, 2), ("#c10000", 9, 2, 2, 8)
    ),
    "UA": _across("#0057b7 #ffd700"),
    "YE": _across("#ce1126 #ffffff #000000"),
}
