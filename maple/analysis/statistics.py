"""Statistics: how sure a mean of item scores is, and how far runs differ on the same items.

The items of a task are the sample: what is said holds for other items like them. Runs are compared on the same items,
and an item that was put to a run in several languages is one draw, not several; so are items on the same text, which
make a cluster. An item on a text of its own is a cluster of one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from statistics import NormalDist

import numpy as np
from scipy.special import stdtr, stdtrit

POWER = 0.8
# Replicates of a bootstrap, and their seed: two summaries of the same scores are the same.
DRAWS, DRAWS_SEED = 2000, 1
# What sums of many numbers of at most 1 are wrong by, generously: a difference below it is none.
_ROUNDING = 1e-12


def t_p(t: np.ndarray, df: np.ndarray) -> np.ndarray:
    """Return the two-sided p of Student's t with `df` degrees of freedom, elementwise."""
    return 2 * stdtr(df, -np.abs(t))


def t_quantile(p: np.ndarray, df: np.ndarray) -> np.ndarray:
    """Return the t whose two-sided p is `p`, elementwise."""
    return -stdtrit(df, np.asarray(p) / 2)


def holm(p: Sequence[float]) -> np.ndarray:
    """Return the p of one family of tests corrected as by Holm (1979, Scandinavian Journal of Statistics 6).

    nan is no test, and stays.
    """
    p = np.asarray(p, dtype=float)
    order = np.argsort(p)[: np.count_nonzero(~np.isnan(p))]
    corrected = np.full(len(p), np.nan)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)))
    return corrected


def wilson(mean: np.ndarray, n: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Return both ends of Wilson's interval (1927, JASA 22) for the mean of `n` zeros and ones."""
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    centre = (mean + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(mean * (1 - mean) / n + z**2 / (4 * n**2))
    return centre - half, centre + half


@lru_cache(maxsize=1)
def _shares(n: int) -> np.ndarray:
    """Return the share that each of `n` items has in each of DRAWS resamples, (draws, items)."""
    drawn = np.random.default_rng(DRAWS_SEED).integers(n, size=(DRAWS, n)) + n * np.arange(DRAWS)[:, None]
    return np.bincount(drawn.ravel(), minlength=DRAWS * n).reshape(DRAWS, n) / n


def _by_cluster(values: np.ndarray, clusters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum of each cluster's values and how many it has, (clusters, columns); nan counts for nothing."""
    order = np.argsort(clusters, kind="stable")
    first = np.flatnonzero(np.diff(clusters[order], prepend=-1))
    known = ~np.isnan(values[order])
    sums = np.add.reduceat(np.where(known, values[order], 0.0), first)
    return sums, np.add.reduceat(known, first, dtype=float)


def bootstrap(sums: np.ndarray, sizes: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Return both ends of the bootstrap intervals of the means of columns.

    `sums` are what the items of each cluster add up to, `sizes` how many they are, (clusters, columns). The ends are
    quantiles of the means of DRAWS resamples of clusters, whose spread is the standard error itself. The quantiles are
    those of Hesterberg's expanded percentile interval (2015, The American Statistician 69): further out where clusters
    are few, so that the interval is as wide as Student's.
    """
    n = len(sums)
    t = t_quantile(1 - confidence, n - 1)
    outside = NormalDist().cdf(-float(t) * math.sqrt(n / (n - 1)))
    low, high = np.quantile((_shares(n) @ sums) / (_shares(n) @ sizes), [outside, 1 - outside], axis=0)
    return low, high


def _effective(mean: np.ndarray, sums: np.ndarray, sizes: np.ndarray, confidence: float) -> np.ndarray:
    """Return how many items on texts of their own would say as much of the means of zeros and ones.

    The items are divided by the design effect, how many times the clustered variance is that of as many single items
    (Kish 1965, Survey Sampling), and by what Student's t is wider for the fewer degrees of freedom (Korn and Graubard
    1998, Survey Methodology 24). Where all is 0 or 1 there is no variance, and the items of a cluster are one. They are
    never worth more than their number, as they would be where every text has one right answer and one wrong.
    """
    n, clusters = sizes.sum(axis=0), np.count_nonzero(sizes, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        clustered = ((sums - mean * sizes) ** 2).sum(axis=0) * clusters / (clusters - 1) / n**2
        effect = clustered * (n - 1) / (mean * (1 - mean))
        alike = (sizes**2).sum(axis=0) / n
    # A single cluster says as little of its variance as none.
    effect = np.where((mean > 0) & (mean < 1) & (clusters > 1), effect, alike)
    several, single = (t_quantile(1 - confidence, np.maximum(of - 1, 1)) for of in (clusters, n))
    return np.where(clusters == n, n, n / np.maximum(effect, 1) * (single / several) ** 2)


def mean_interval(values: np.ndarray, clusters: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Return both ends of the intervals of one cell's means.

    `values` are (items, columns), nan where there is none, `clusters` (items,) the number of each item's cluster.
    Wilson's for zeros and ones, with as many items as the clusters are worth; the bootstrap's over clusters for what is
    graded. Chosen by simulation (docs/statistics.md): where items are few and scores crowd at 0 or 1 they cover 92 to
    94 %, Student's 75 to 92 %; from some hundred items on both cover 95 %, and the bootstrap's alone ends within the
    scores' own range. What is graded needs two clusters.
    """
    sums, sizes = _by_cluster(values, clusters)
    known = ~np.isnan(values)
    n, present = sizes.sum(axis=0), sizes > 0
    binary = (~known | (values == 0) | (values == 1)).all(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = sums.sum(axis=0) / n
        low, high = wilson(
            mean, n if len(sums) == len(values) else _effective(mean, sums, sizes, confidence), confidence
        )
    low[~binary], high[~binary] = np.nan, np.nan
    complete = ~binary & present.all(axis=0)
    if len(sums) > 1 and complete.any():
        low[complete], high[complete] = bootstrap(sums[:, complete], sizes[:, complete], confidence)
    for column in np.flatnonzero(~binary & ~complete & (present.sum(axis=0) > 1)):
        rows = present[:, column]
        low[[column]], high[[column]] = bootstrap(sums[rows][:, [column]], sizes[rows][:, [column]], confidence)
    return low, high


@dataclass(frozen=True)
class Items:
    """Which cell and cluster each row of an array of scores is of; rows stand in order of cells, and cells of tasks.

    cell: (rows,) number of the cell, from 0, none without a row; cluster: (rows,) number within its task, the same for
    all translations of an item and for all items on the same text; task: (cells,) number of the cell's task.
    """

    cell: np.ndarray
    cluster: np.ndarray
    task: np.ndarray


@dataclass(frozen=True)
class Estimate:
    """Estimates, each with the independent parts of its variance.

    value: (columns,); variances, dfs: (parts, columns), a part for each task, and one for seeds where they are several.
    """

    value: np.ndarray
    variances: np.ndarray
    dfs: np.ndarray

    @cached_property
    def se(self) -> np.ndarray:
        """The standard errors."""
        return np.sqrt(self.variances.sum(axis=0))

    @cached_property
    def df(self) -> np.ndarray:
        """The degrees of freedom of the standard errors (Satterthwaite 1946, Biometrics Bulletin 2)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            df = self.variances.sum(axis=0) ** 2 / (self.variances**2 / self.dfs).sum(axis=0)
        return np.where(self.se > 0, df, np.maximum(1, self.dfs.min(axis=0)))

    def wider(self, variances: np.ndarray) -> "Estimate":
        """Return the same with these (parts, columns) added to the parts of the variance."""
        return replace(self, variances=self.variances + variances)

    def interval(self, confidence: float) -> tuple[np.ndarray, np.ndarray]:
        """Return both ends of Student's intervals."""
        half = t_quantile(1 - confidence, self.df) * self.se
        return self.value - half, self.value + half

    def p(self) -> np.ndarray:
        """Return the two-sided p against zero: 1 where nothing differs, nan where there is no standard error."""
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.where(self.value == 0, 0.0, self.value / self.se)
        return np.where(np.isnan(self.se), np.nan, t_p(t, self.df))

    def visible(self, level: float) -> np.ndarray:
        """Return the smallest true effects that a two-sided test at `level` would find with probability POWER.

        The sum of both quantiles of Student's t in standard errors, which the noncentral t gives too within a hundredth
        from ten degrees of freedom on.
        """
        return (t_quantile(level, self.df) + t_quantile(2 - 2 * POWER, self.df)) * self.se


def _clusters(known: np.ndarray, items: Items) -> np.ndarray:
    """Return how many clusters each cell has in each column, (cells, columns); `known` says where there is a score."""
    order = np.lexsort((items.cluster, items.cell))
    new_cell = np.diff(items.cell[order], prepend=-1) != 0
    first = np.flatnonzero(new_cell | (np.diff(items.cluster[order], prepend=-1) != 0))
    found = known if len(first) == len(known) else np.logical_or.reduceat(known[order], first)
    return np.add.reduceat(found, np.flatnonzero(new_cell[first]), dtype=float)


def _residuals(
    values: np.ndarray, items: Items, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the weighed means, the residuals by cluster, where each task begins in them, and its degrees of freedom.

    A score's residual is its difference from the mean of its cell, so weighed that the square sum of what a cluster has
    in all languages is the variance of the weighed mean: unbiased where clusters are of one size and in all cells or
    each in one alone. A task has as many degrees of freedom as its cell of the fewest clusters.
    """
    weights = np.reshape(weights, (len(items.task), -1))
    known = ~np.isnan(values)
    cells, tasks = (np.flatnonzero(np.diff(of, prepend=-1)) for of in (items.cell, items.task))
    n, clusters = np.add.reduceat(known, cells, dtype=float), _clusters(known, items)
    with np.errstate(divide="ignore", invalid="ignore"):
        means = np.add.reduceat(np.where(known, values, 0.0), cells) / n
        residuals = np.where(known, values - means[items.cell], 0.0)
        residuals *= (weights / n * np.sqrt(clusters / (clusters - 1)))[items.cell]
    task = items.task[items.cell]
    order = np.lexsort((items.cluster, task))
    new_task = np.diff(task[order], prepend=-1) != 0
    first = np.flatnonzero(new_task | (np.diff(items.cluster[order], prepend=-1) != 0))
    by_cluster = np.add.reduceat(residuals[order], first)
    dfs = np.minimum.reduceat(clusters - 1, tasks)
    return (weights * means).sum(axis=0), by_cluster, np.flatnonzero(new_task[first]), dfs


def unseen(values: np.ndarray, items: Items, weights: np.ndarray) -> np.ndarray:
    """Return by how much the variances of a run's means of zeros and ones are too small, (tasks, columns).

    Of twenty items that are all right the next may be wrong, though their variance is 0. So each cell is given that of
    one item more that is right and one that is wrong; twice it, for the difference of two runs, is that of the items
    which Bonett and Price add (see `paired`). With hundreds of items it is next to nothing, and graded scores get none.
    """
    weights = np.reshape(weights, (len(items.task), -1))
    known = ~np.isnan(values)
    cells, tasks = (np.flatnonzero(np.diff(of, prepend=-1)) for of in (items.cell, items.task))
    binary = np.logical_and.reduceat(~known | np.isin(values, (-1, 0, 1)), cells)
    n = np.add.reduceat(known, cells, dtype=float)
    return np.add.reduceat(binary * (weights / (n + 2)) ** 2, tasks)


def average(values: np.ndarray, items: Items, weights: np.ndarray) -> Estimate:
    """Average scores within cells, then cells by their weights; each column by itself.

    `values` are (rows, columns), nan where there is none; `weights` are (cells,) or (cells, columns). Standard errors
    are clustered (Liang and Zeger 1986, Biometrika 73). A column without a score in a cell is nan, one with a single
    cluster has no standard error.
    """
    value, by_cluster, tasks, dfs = _residuals(values, items, weights)
    return Estimate(value, np.add.reduceat(by_cluster**2, tasks), dfs)


def paired(differences: np.ndarray, clusters: np.ndarray) -> Estimate:
    """Estimate one cell's mean differences on the same items, (items, columns), nan where an item lacks one.

    `clusters` are (items,) the number of each item's cluster. Student's, but where zeros and ones are compared Bonett
    and Price's (2012, Journal of Educational and Behavioral Statistics 37), with Student's quantile: one item that
    gained and one that lost are added, each a cluster. Without them an interval has no width where no item differs, and
    covers 45 % where 3 % of twenty items do.
    """
    sums, sizes = _by_cluster(differences, clusters)
    known = ~np.isnan(differences)
    binary = (~known | np.isin(differences, (-1, 0, 1))).all(axis=0)
    n = sizes.sum(axis=0) + 2 * binary
    found = np.count_nonzero(sizes, axis=0)
    several = found + 2 * binary
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = sums.sum(axis=0) / n
        squares = ((sums - mean * sizes) ** 2).sum(axis=0) + 2 * binary * (1 + mean**2)
        variance = np.where(found > 1, squares / n**2 * np.where(binary, 1, several / (several - 1)), np.nan)
    return Estimate(mean, variance[None], np.maximum(1, several - 1)[None])


@dataclass(frozen=True)
class Joint:
    """What several runs average over the same items, and how their averages vary together.

    value: (runs,); covariances: (parts, runs, runs); dfs: (parts,); parts as in Estimate.
    """

    value: np.ndarray
    covariances: np.ndarray
    dfs: np.ndarray

    def contrast(self, weights: np.ndarray) -> Estimate:
        """Return the sums of the runs' averages by `weights`, (runs, contrasts): 1 and -1 compare two of them."""
        variances = np.einsum("rk,prs,sk->pk", weights, self.covariances, weights, optimize=True)
        value = self.value @ weights
        # Runs that answer alike differ by nothing, but for the last digits.
        return Estimate(
            np.where(np.abs(value) < _ROUNDING, 0.0, value),
            np.where(variances < _ROUNDING**2, 0.0, variances),
            np.repeat(self.dfs[:, None], weights.shape[1], axis=1),
        )


def joint(values: np.ndarray, items: Items, weights: np.ndarray, twins: Sequence[int]) -> Joint:
    """Average the scores of several runs over the same items; `values` are (rows, runs), none of them nan.

    Each run's variance is wider by `unseen`.

    `twins` gives each run a number that it shares with those that differ from it by the seed alone, -1 for a run that
    no seed went into. Where there are twins, the variance between them, pooled over the grid, is a part of its own:
    each run's average varies by it, independently of the others. It holds what is left of the items' variance within
    twins once more, so that intervals are rather too wide than too narrow.
    """
    value, by_cluster, tasks, dfs = _residuals(values, items, weights)
    blocks = zip(np.split(by_cluster, tasks[1:]), unseen(values, items, weights), strict=True)
    covariances = [block.T @ block + np.diag(more) for block, more in blocks]
    dfs = list(dfs[:, 0])
    twins = np.asarray(twins)
    families = [value[twins == number] for number in np.unique(twins[twins >= 0])]
    if spare := sum(len(family) - 1 for family in families):
        between = sum(((family - family.mean()) ** 2).sum() for family in families) / spare
        covariances.append(between * np.diag(twins >= 0))
        dfs.append(float(spare))
    return Joint(value, np.stack(covariances), np.array(dfs))
