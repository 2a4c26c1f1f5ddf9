"""Simultaneous tests of the differences of all pairs of several things, and the ranks that these leave to each."""

import itertools
from dataclasses import dataclass

import numpy as np

from maple.analysis.statistics import Estimate, holm, t_quantile

# The number of simulated studies: a p of 0.05 has a standard error of 0.002. The seed is fixed, so that the same scores
# always give the same ranks. They are drawn in parts, which for the 1,770 pairs of 60 things have 14 MB each.
DRAWS, DRAWS_SEED, _AT_ONCE = 10_000, 1, 1_000
# From so many degrees of freedom on, a variance is taken as known: Student's quantiles differ by less than 0.5 %.
_KNOWN = 500


@dataclass(frozen=True)
class RankSets:
    """Which of several things surely differ, and so the ranks that each may have."""

    better: np.ndarray
    """(things, things) Is the thing of the row surely better than that of the column?"""

    @property
    def low(self) -> np.ndarray:
        """(things,) The best rank of each: 1 + the number of those that are surely better."""
        return 1 + self.better.sum(axis=0)

    @property
    def high(self) -> np.ndarray:
        """(things,) The worst rank of each: the number of things less the number of those that are surely worse."""
        return len(self.better) - self.better.sum(axis=1)

    @property
    def told_apart(self) -> int:
        """The number of pairs that surely differ."""
        return int(self.better.sum())

    def among(self, members: np.ndarray) -> "RankSets":
        """Return the rank sets among some of the things; `members` are their numbers."""
        return RankSets(self.better[np.ix_(members, members)])


def pairs_of(things: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the first and of the second thing of each pair, in the order of combinations."""
    first, second = np.array(list(itertools.combinations(range(things), 2)), dtype=int).reshape(-1, 2).T
    return first, second


def rank_sets(differences: Estimate, covariance: np.ndarray | None, things: int, level: float) -> RankSets:
    """Return the confidence set of each rank from the differences of all pairs, the first less the second.

    `differences` are in the order of pairs_of, `covariance` as in pairwise_p. A pair differs surely if its corrected p
    is at most `level`. If no pair is wrongly told apart, which has a probability of at least 1 - `level`, all sets
    contain their true ranks (Mogstad, Romano, Shaikh and Wilhelm 2024, Review of Economic Studies 91, section 3).
    Things that are equally good have one rank: 1 + the number of those that are better.
    """
    first, second = pairs_of(things)
    surely = np.nan_to_num(pairwise_p(differences, covariance, things), nan=1.0) <= level
    better = np.zeros((things, things), dtype=bool)
    better[first, second] = surely & (differences.value > 0)
    better[second, first] = surely & (differences.value < 0)
    return RankSets(better)


def pairwise_p(differences: Estimate, covariance: np.ndarray | None, things: int) -> np.ndarray:
    """Return the two-sided p of the differences of all pairs, (pairs,), corrected over the pairs.

    The correction is the step-down max-t method (Romano and Wolf 2005, Econometrica 73; Hothorn, Bretz and Westfall
    2008, Biometrical Journal 50): how often would the largest |t| of the pairs that are left reach this one, if none of
    them differed? `covariance`, (things, things), is that of the things' means, of which only the correlations of the
    pairs are used; without it the correction is Holm's, which needs no correlations. nan stays nan and counts nothing.

    Each pair has a variance of its own, so each simulated t is divided by a root of its own; one root for all pairs
    would find twice as many false differences with ten items (docs/statistics.md). All have the fewest degrees of
    freedom, and each pair is compared at its own p. Simulation error is cut: p is never below that of the pair alone,
    nor above Holm's, which holds whatever the correlations are.
    """
    p = differences.p()
    by_holm = holm(p)
    if covariance is None or np.count_nonzero(~np.isnan(p)) < 2:
        return by_holm
    order = np.argsort(p)[: np.count_nonzero(~np.isnan(p))]
    first, second = (numbers[order] for numbers in pairs_of(things))
    df = min(float(np.broadcast_to(differences.df, p.shape)[order].min()), _KNOWN)
    t = t_quantile(p[order], df)
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    variances = ((root[first] - root[second]) ** 2).sum(axis=1)
    scale = np.sqrt(np.where(variances > 0, variances, np.inf))
    rng, reached = np.random.default_rng(DRAWS_SEED), np.zeros(len(order))
    for _ in range(DRAWS // _AT_ONCE):
        drawn = rng.standard_normal((_AT_ONCE, things)) @ root.T
        sizes = np.abs(drawn[:, first] - drawn[:, second]) / scale
        if df < _KNOWN:
            sizes /= np.sqrt(rng.chisquare(df, sizes.shape) / df)
        reached += (np.maximum.accumulate(sizes[:, ::-1], axis=1)[:, ::-1] >= t).sum(axis=0)
    corrected = np.full(len(p), np.nan)
    corrected[order] = np.clip(np.maximum.accumulate(reached / DRAWS), p[order], by_holm[order])
    return corrected
