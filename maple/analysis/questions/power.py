"""Power: how probably a true effect of some size has its verdict, and the smallest one that has it with POWER.

The minimum detectable effect is that of the procedure itself, in repeated studies of the same runs (a parametric
bootstrap, Efron and Tibshirani 1993, An Introduction to the Bootstrap, section 6.5). Chances on other grids, with more
items or seeds, are those of noncentral t (Johnson and Welch 1940, Biometrika 31), with the standard error and the
degrees of freedom of the estimate. If a verdict needs several conditions, the chance of missing it is there at most the
sum of the chances of missing each (Bonferroni).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import nctdtr, stdtr

from maple.analysis.questions.effect import Effect, Side
from maple.analysis.questions.repeats import Repeats
from maple.analysis.statistics import POWER, t_quantile

_STEPS = 25  # halvings in which a number is found to seven digits
# A sum of absolute values has either sign of each: two contrasts must hold.
FACTOR_CONTRASTS = 2


@dataclass(frozen=True)
class Rule:
    """What a verdict needs."""

    least: float
    """The smallest effect of interest, in points."""
    level: float
    """The level of the tests."""
    tests: int
    """Their number."""


@dataclass(frozen=True)
class Precision:
    """How precise an estimate is."""

    items: float
    """Its variance over items."""
    trainings: float
    """Its variance over trainings: 0 if its interval does not hold them."""
    df: float
    """The degrees of freedom of the sum."""

    @property
    def se(self) -> float:
        """The standard error."""
        return float(np.sqrt(self.items + self.trainings))

    def with_more(self, items: float = 1.0, seeds: float = 1.0) -> "Precision":
        """Return the precision with so many times the items, and so many times the seeds of every run.

        The degrees of freedom are mostly those of mean squares between trainings, which hold the items' part too: they
        stay with more items, and grow with the seeds.
        """
        return Precision(self.items / items, self.trainings / seeds, max(1.0, self.df * seeds))


def smallest(
    low: np.ndarray | float, high: np.ndarray | float, is_enough: Callable[..., np.ndarray | bool]
) -> np.ndarray:
    """Return the smallest number between `low`, which is not enough, and `high`, which is, from which on it is.

    Of arrays, elementwise.
    """
    for _ in range(_STEPS):
        middle = (low + high) / 2
        enough = is_enough(middle)
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.asarray(high)


def precision_of(one: Effect | Side | None) -> Precision | None:
    """Return the precision of an effect; None if it has no standard error, or one of 0."""
    if one is None or not one.se or one.df is None:
        return None
    trainings = (one.se_trainings or 0.0) ** 2
    return Precision(max(0.0, one.se**2 - trainings), trainings, one.df)


@dataclass(frozen=True)
class Effects:
    """What a verdict needs to be sure of: an effect and, for a difference of two groups, the change of each."""

    size: float
    """The size of the effect, in points."""
    precision: Precision
    """Its precision."""
    sides: Sequence[tuple[float, Precision]] = ()
    """The size of the gain of one group and that of the loss of the other, each with its precision."""
    contrasts: int = 1
    """The number of contrasts that must each be beyond the bound."""

    def with_more(self, items: float = 1.0, seeds: float = 1.0) -> "Effects":
        """Return the same effects with so many times the items and seeds."""
        return replace(
            self,
            precision=self.precision.with_more(items, seeds),
            sides=[(size, precision.with_more(items, seeds)) for size, precision in self.sides],
        )

    def of_size(self, size: float) -> "Effects":
        """Return an effect of another size, of which gain and loss have half each."""
        return replace(self, size=size, sides=[(size / 2, precision) for _, precision in self.sides])


def effects_of(test: Effect, claim: int, contrasts: int = 1) -> Effects | None:
    """Return what a verdict needs to be sure of, as estimated; None without a standard error.

    `claim` is 1 or -1, the sign of the claimed effect. Sides count only where the effect has that sign.
    """
    precision, low, high = precision_of(test), test.low_resource, test.high_resource
    if precision is None:
        return None
    sides = []
    if low is not None and high is not None and claim * test.effect >= 0:
        precisions = precision_of(low), precision_of(high)
        if precisions[0] is None or precisions[1] is None:
            return None
        sides = [(claim * low.effect, precisions[0]), (-claim * high.effect, precisions[1])]
    return Effects(abs(test.effect), precision, sides, contrasts)


def critical(se: np.ndarray | float, df: np.ndarray | float, rule: Rule) -> np.ndarray:
    """Return by how much an estimate must be beyond the smallest effect of interest to have its verdict, elementwise.

    Its interval then excludes that effect, and its p (Estimate.p) passes the first and strictest step of Holm's
    correction.
    """
    strict, opposite = rule.level / max(1, rule.tests), 2 * rule.least / np.asarray(se)
    # With a large smallest effect the test is one-sided, with none it is two-sided.
    one_sided, two_sided = (t_quantile(min(1.0, p), df) for p in (2 * strict, strict))
    by_p = smallest(one_sided, two_sided, lambda t: stdtr(df, -t) + stdtr(df, -(t + opposite)) <= strict)
    return np.maximum(by_p, t_quantile(rule.level, df)) * se


def _missed(size: float, bound: float, quantile: float, precision: Precision) -> float:
    """Return the chance that an effect of a size is not found to be above a bound, at a quantile of Student's t."""
    return float(nctdtr(precision.df, (size - bound) / precision.se, quantile))


def chance_beyond(effects: Effects, rule: Rule) -> float:
    """Return the chance, at least, of the verdict that effects of these sizes are beyond the smallest of interest."""
    precision = effects.precision
    quantile = float(critical(precision.se, precision.df, rule)) / precision.se
    missed = effects.contrasts * _missed(effects.size, rule.least, quantile, precision)
    for size, side in effects.sides:
        missed += _missed(size, 0.0, float(t_quantile(rule.level, side.df)), side)
    return max(0.0, 1 - missed)


def chance_within(effects: Effects, rule: Rule) -> float:
    """Return the chance, at least, of the verdict that there is no difference that matters."""
    precision = effects.precision
    # The quantile of two one-sided tests, corrected by Bonferroni, and that of the interval.
    one_sided = 2 * rule.level / max(1, rule.tests)
    quantile = float(np.maximum(t_quantile(min(1.0, one_sided), precision.df), t_quantile(rule.level, precision.df)))
    missed = (_missed(rule.least + sign * effects.size, 0.0, quantile, precision) for sign in (1, -1))
    return max(0.0, 1 - effects.contrasts * sum(missed))


def minimum_detectable(repeats: Repeats, rule: Rule) -> float:
    """Return the smallest effect, in points, that has its verdict in POWER of repeated studies.

    Each study has its own error, standard error and degrees of freedom, and so needs another size at least. Of a
    difference of two groups, gain and loss have half of it each, and must be beyond zero.
    """
    found = repeats.estimate
    needs = [rule.least + critical(100 * found.se, found.df, rule) - 100 * found.value]
    for side, sign in zip(repeats.sides, (1, -1), strict=False):
        needs.append(200 * (t_quantile(rule.level, side.df) * side.se - sign * side.value))
    return float(np.quantile(np.max(np.hstack(needs), axis=1), POWER))
