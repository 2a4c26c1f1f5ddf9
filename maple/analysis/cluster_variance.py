"""Clusters in the variance of a mean: their sums, the variance between them, and its degrees of freedom."""

from collections.abc import Callable
from functools import partial

import numpy as np

# The correlation of scores in one cluster that degrees of freedom are computed for; no matter if clusters have the same
# size. Our choice, by simulation (docs/statistics.md): with 0, as Bell and McCaffrey have it, intervals of correlated
# scores in clusters of unequal size cover 90 to 94 %; with the estimated one (Imbens and Kolesár) up to 99 %.
_WORKING_CORRELATION = 0.01


def sums_at(starts: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function that sums rows from each of `starts` to the next."""
    return partial(np.add.reduceat, indices=starts, dtype=float)


def in_order(*keys: np.ndarray) -> np.ndarray | slice:
    """Return what sorts rows by whole numbers, the last key first as of np.lexsort; a slice if they are sorted.

    A slice copies no rows, and most rows come sorted.
    """
    ties = np.ones(max(len(keys[0]) - 1, 0), bool)
    for key in reversed(keys):
        step = np.diff(key)
        if (step[ties] < 0).any():
            return np.lexsort(keys)
        ties &= step == 0
    return slice(None)


def by_cluster(values: np.ndarray, clusters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum and the number of each cluster's values, both (clusters, columns); nan is left out."""
    order = in_order(clusters)
    first = np.flatnonzero(np.diff(clusters[order], prepend=-1))
    values = values[order]
    present = ~np.isnan(values)
    sums = np.add.reduceat(np.where(present, values, 0.0), first)
    return sums, np.add.reduceat(present, first, dtype=float)


def largest_share(values: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Return the largest share that one cluster has of a cell's scores, (columns,).

    Arguments as of statistics.mean_interval.
    """
    _, sizes = by_cluster(values, clusters)
    with np.errstate(invalid="ignore"):
        return sizes.max(axis=0) / sizes.sum(axis=0)


def clustered_variance(mean: np.ndarray, sums: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the variance CR2 of means (Bell and McCaffrey 2002); nan with a single cluster.

    It is unbiased for independent scores, whatever the sizes of clusters.
    """
    n = sizes.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.where(sizes < n, 1 - sizes / n, np.nan)
        return ((sums - mean * sizes) ** 2 / left).sum(axis=0) / n**2


def degrees_of_freedom(sizes: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return the degrees of freedom of the clustered variance of each cell's mean, (cells, columns).

    `sizes` are the numbers of scores of clusters, (clusters, columns), `starts` the first cluster of each cell. They
    are those of Bell and McCaffrey (2002, Survey Methodology 28) for the variance CR2, by Satterthwaite: as many as
    clusters less one if these have the same size, and fewer if a few clusters have most of the scores. The errors of a
    cluster have _WORKING_CORRELATION (Imbens and Kolesár 2016, Review of Economics and Statistics 98). It
    is nan for a single cluster.
    """
    total = sums_at(starts)
    if sizes.max(initial=0) <= 1:
        return np.where(total(sizes) > 1, total(sizes) - 1, np.nan)
    cell = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(sizes)))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = sizes / total(sizes)[cell]
        scale = 1 / np.where(share < 1, 1 - share, np.nan)
        # The matrix G'(working covariance)G of the paper is, for a mean, scale^1/2 x (diagonal - share x variance' -
        # variance x share' + share x share' x sum of variances) x scale^1/2: these are its trace and its squared sum.
        variance = sizes * (1 + (sizes - 1) * _WORKING_CORRELATION)
        whole = total(variance)
        a, b, c = (total(scale * one) for one in (share**2, variance**2, share * variance))
        trace = total(scale * variance * (1 - 2 * share)) + whole * a
        own = total(scale**2 * variance * (variance * (1 - 4 * share) + 2 * share**2 * whole[cell]))
        return trace**2 / (whole**2 * a**2 + 2 * a * b + 2 * c**2 - 4 * whole * a * c + own)
