"""Spending: the level of each of several looks at a study, so that all together keep the level of one.

Who looks three times at the 5 % level, at a tenth, three tenths and all of the items, is wrong in 12 % of studies
without any effect. So the level is spent over the looks (Lan and DeMets 1983, Biometrika 70, 659-663).
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import ndtr, ndtri

from maple.definitions.looks import Looks, Spending, look_in_words
from maple.definitions.record import Record

# Standard errors: no look has a wider bound, since 1 - level holds no level below 1e-15. As in Reboussin et al. (2000,
# Controlled Clinical Trials 21), whose program has the same bound.
_MOST = 8.0
_POINTS = 2001  # of the grid of the numeric integration, over at most 2 x _MOST standard errors


class LookLevels(Record):
    """A look at a study, and the levels that belong to it."""

    look: int
    """The look, from 1."""
    looks: int
    """The number of looks."""
    share: float
    """The share of the items that is asked up to this look."""
    level: float
    """The nominal level of this look: intervals are at 1 - level."""
    spent: float
    """The part of the whole level that is spent at this look, which corrected p values are held against."""
    futility: float | None = None
    """The chance of a verdict below which a question is ended; None: never."""

    @property
    def in_words(self) -> str:
        """The look in words."""
        return look_in_words(self.look, self.looks, self.share)


def _obrien_fleming(share: float, level: float) -> float:
    return 4 * float(ndtr(ndtri(level / 4) / math.sqrt(share)))


def _pocock(share: float, level: float) -> float:
    return level * math.log(1 + (math.e - 1) * share)


# The part of a two-sided level that is spent up to a share of the information; half on each side. Their bounds are like
# those of O'Brien and Fleming (1979) and of Pocock (1977): Lan and DeMets 1983, alpha 1* and alpha 2*.
_SPENT: dict[Spending, Callable[[float, float], float]] = {"obrien-fleming": _obrien_fleming, "pocock": _pocock}


def spent_at(shares: Sequence[float], level: float, spending: Spending) -> list[float]:
    """Return the parts of a two-sided level that are spent at each look; they add up to the level."""
    return np.diff([0.0, *(_SPENT[spending](share, level) for share in shares)]).tolist()


def _excess(bound: float, points: np.ndarray, density: np.ndarray, edge: float, step: float, spent: float) -> float:
    """Return by how much more than `spent` a look at `bound` standard errors stops, of the studies that go on.

    Their sums have a `density` at `points`. The look adds a `step` to them, the standard deviation of what it adds, and
    then an `edge` is one standard error.
    """
    beyond = ndtr((points - bound * edge) / step) + ndtr((-points - bound * edge) / step)
    return float(density @ beyond) - spent


def nominal_levels(shares: Sequence[float], level: float, spending: Spending) -> list[float]:
    """Return the two-sided nominal level of each look, at ascending shares of the information.

    The statistics z at shares s < t have the correlation sqrt(s / t). The density of z sqrt(share), in studies that no
    look has stopped yet, is carried from look to look on a grid (Armitage, McPherson and Rowe 1969, Journal of the
    Royal Statistical Society A 132, 235-244), and each bound is solved such that the look stops as many as it may.
    """
    from scipy.optimize import root_scalar  # takes a tenth of a second, which readers of answers do without

    levels: list[float] = []
    points, density, before = np.zeros(1), np.ones(1), 0.0  # until the first look, the sum of scores is 0
    for share, spent in zip(shares, spent_at(shares, level, spending), strict=True):
        edge, step = math.sqrt(share), math.sqrt(share - before)
        look = (points, density, edge, step, spent)
        narrower = _excess(_MOST, *look) < 0
        bound = float(root_scalar(_excess, args=look, bracket=(0.0, _MOST)).root) if narrower else _MOST
        levels.append(2 * float(ndtr(-bound)))
        inside = np.linspace(-bound, bound, _POINTS) * edge
        reached = np.exp(-0.5 * ((inside[:, None] - points) / step) ** 2) / (step * math.sqrt(2 * math.pi))
        weights = np.full(_POINTS, inside[1] - inside[0])
        weights[[0, -1]] /= 2  # the trapezoidal rule
        points, density, before = inside, (reached @ density) * weights, share
    return levels


def look_levels(looks: Looks, level: float) -> LookLevels:
    """Return the levels of the present one of several looks that together have a two-sided level."""
    place = looks.now - 1
    return LookLevels(
        look=looks.now,
        looks=len(looks.shares),
        share=looks.share,
        level=nominal_levels(looks.shares, level, looks.spending)[place],
        spent=spent_at(looks.shares, level, looks.spending)[place],
        futility=looks.futility,
    )
