"""Statistics: confidence intervals of mean item scores, and of differences between runs on the same items.

The items of a task are a sample of the items that the task could have, so an interval says what other items of the
same kind would give. Runs are compared on the same items. All translations of an item, and all items on the same text,
form one cluster and count as one observation; an item without such neighbours is a cluster of one.
"""

import math
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from statistics import NormalDist

import numpy as np
from scipy.special import stdtr, stdtrit

from maple.analysis.training_noise import ITEMS, Trainings, noise_covariance, noise_of

POWER = 0.8
# The number of bootstrap resamples, and a fixed seed, so that the same scores always give the same summary.
RESAMPLES, RESAMPLES_SEED = 2000, 1
# A generous bound on the rounding error of sums of many numbers up to 1: a smaller difference is taken as zero.
_ROUNDING = 1e-12


def t_p(t: np.ndarray, df: np.ndarray | float) -> np.ndarray:
    """Return the two-sided p of Student's t with `df` degrees of freedom, elementwise."""
    return 2 * stdtr(df, -np.abs(t))


def t_quantile(p: np.ndarray | float, df: np.ndarray | float) -> np.ndarray:
    """Return the quantile of Student's t with `df` degrees of freedom whose two-sided p is `p`, elementwise."""
    return -stdtrit(df, np.asarray(p) / 2)


def holm(p: np.ndarray) -> np.ndarray:
    """Return the p values of one family of tests after Holm's correction (1979, Scandinavian Journal of Statistics 6).

    A nan stands for no test: it stays nan and is not counted in the family.
    """
    order = np.argsort(p)[: np.count_nonzero(~np.isnan(p))]
    corrected = np.full(len(p), np.nan)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)))
    return corrected


def wilson(mean: np.ndarray, n: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and upper bounds of Wilson's interval (1927, JASA 22) for the mean of `n` zeros and ones."""
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    centre = (mean + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(mean * (1 - mean) / n + z**2 / (4 * n**2))
    return centre - half, centre + half


@lru_cache(maxsize=1)
def _resample_weights(n: int) -> np.ndarray:
    """Return the weight of each of `n` clusters in each of RESAMPLES resamples, (resamples, clusters)."""
    numbers = np.random.default_rng(RESAMPLES_SEED).integers(n, size=(RESAMPLES, n))
    numbers += n * np.arange(RESAMPLES)[:, None]
    return np.bincount(numbers.ravel(), minlength=RESAMPLES * n).reshape(RESAMPLES, n) / n


def _by_cluster(values: np.ndarray, clusters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum and the number of each cluster's values, both (clusters, columns); nan is left out."""
    order = np.argsort(clusters, kind="stable")
    first = np.flatnonzero(np.diff(clusters[order], prepend=-1))
    present = ~np.isnan(values[order])
    sums = np.add.reduceat(np.where(present, values[order], 0.0), first)
    return sums, np.add.reduceat(present, first, dtype=float)


def bootstrap(sums: np.ndarray, sizes: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and upper bounds of the bootstrap intervals of the columns' means.

    `sums` and `sizes` are the sum and the number of each cluster's scores, both (clusters, columns). The bounds are
    quantiles of the means of RESAMPLES resamples of clusters. They are those of Hesterberg's expanded percentile
    interval (2015, The American Statistician 69): with few clusters they lie further out, so that the interval is as
    wide as Student's.
    """
    n = len(sums)
    t = t_quantile(1 - confidence, n - 1)
    outside = NormalDist().cdf(-float(t) * math.sqrt(n / (n - 1)))
    low, high = np.quantile(
        (_resample_weights(n) @ sums) / (_resample_weights(n) @ sizes), [outside, 1 - outside], axis=0
    )
    return low, high


def _effective(mean: np.ndarray, sums: np.ndarray, sizes: np.ndarray, confidence: float) -> np.ndarray:
    """Return the effective sample size of the means of zeros and ones: the number of independent items.

    The number of items is divided by the design effect, which is the clustered variance over the variance of as many
    independent items (Kish 1965, Survey Sampling), and corrected for the fewer degrees of freedom (Korn and Graubard
    1998, Survey Methodology 24). If all scores are equal, there is no variance, and a cluster counts as one item. The
    result is never above the number of items; without that limit it would be, if every text had one right and one wrong
    answer.
    """
    n, clusters = sizes.sum(axis=0), np.count_nonzero(sizes, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        clustered = ((sums - mean * sizes) ** 2).sum(axis=0) * clusters / (clusters - 1) / n**2
        effect = clustered * (n - 1) / (mean * (1 - mean))
        alike = (sizes**2).sum(axis=0) / n
    # A single cluster has no variance between clusters.
    effect = np.where((mean > 0) & (mean < 1) & (clusters > 1), effect, alike)
    by_clusters, by_items = (t_quantile(1 - confidence, np.maximum(count - 1, 1)) for count in (clusters, n))
    return np.where(clusters == n, n, n / np.maximum(effect, 1) * (by_items / by_clusters) ** 2)


def mean_interval(
    values: np.ndarray, clusters: np.ndarray, confidence: float, graded: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and upper bounds of the intervals of one cell's means.

    `values` are (items, columns), nan for a missing score; `clusters` (items,) are the numbers of the items' clusters.
    `graded` says that a score can be another number than 0 and 1, even if none is, as a pseudo-value.
    Scores of 0 and 1 have Wilson's interval with the effective sample size; graded scores have the bootstrap's over
    clusters, and none with fewer than two clusters or if all clusters have the same mean. Both were selected by
    simulation (docs/statistics.md): with few items and scores near 0 or 1 they cover 92 to 94 %, Student's interval 75
    to 92 %. From about a hundred items on all cover 95 %, but only the bootstrap stays within the range of the scores.
    """
    sums, sizes = _by_cluster(values, clusters)
    scored = ~np.isnan(values)
    n, present = sizes.sum(axis=0), sizes > 0
    binary = (~scored | (values == 0) | (values == 1)).all(axis=0) & (not graded)
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
    flat = high - low < _ROUNDING
    return np.where(flat, np.nan, low), np.where(flat, np.nan, high)


@dataclass(frozen=True)
class Items:
    """The cell, cluster and task of each row of an array of scores; rows are sorted by cell, and cells by task."""

    cell: np.ndarray
    """(rows,) The number of the row's cell, from 0; every cell has a row."""
    cluster: np.ndarray
    """(rows,) The number of the row's cluster in its task, shared by translations and by items on the same text."""
    task: np.ndarray
    """(cells,) The number of the cell's task."""
    graded: np.ndarray = field(default_factory=lambda: np.zeros(1, bool))
    """(cells,) or, for all cells, (1,): can a score be another number than 0 and 1, even if none is?"""


@dataclass(frozen=True)
class Estimate:
    """Estimates, each with the independent components of its variance: one per task, two of training's noise."""

    value: np.ndarray
    """(columns,) The estimates."""
    variances: np.ndarray
    """(components, columns) The variances that add up to the variance of an estimate."""
    dfs: np.ndarray
    """(components, columns) The degrees of freedom of the variances."""
    scope: np.ndarray = field(default_factory=lambda: np.full(1, ITEMS))
    """(columns,) or, for all columns, (1,): what the variances hold, a number of training_noise.SCOPES."""

    @cached_property
    def se(self) -> np.ndarray:
        """The standard errors; 0 if all items say the same, which tells nothing of the items that were not asked."""
        se = np.sqrt(self.variances.sum(axis=0))
        return np.where(se < _ROUNDING, 0.0, se)

    @property
    def _known_se(self) -> np.ndarray:
        """The standard errors, nan for those of 0: nothing is as sure as a variance of 0 would make it."""
        return np.where(self.se > 0, self.se, np.nan)

    @cached_property
    def df(self) -> np.ndarray:
        """The degrees of freedom of the standard errors (Satterthwaite 1946, Biometrics Bulletin 2)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            df = self.variances.sum(axis=0) ** 2 / (self.variances**2 / self.dfs).sum(axis=0)
        return np.where(self.se > 0, df, np.maximum(1, self.dfs.min(axis=0)))

    def with_extra_variance(self, variances: np.ndarray) -> "Estimate":
        """Return the same estimates with `variances`, (components, columns), added to their variances."""
        return replace(self, variances=self.variances + variances)

    def interval(self, confidence: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the lower and upper bounds of Student's intervals; nan if the standard error is 0 or unknown."""
        half = t_quantile(1 - confidence, self.df) * self._known_se
        return self.value - half, self.value + half

    def p(self, least: float = 0.0) -> np.ndarray:
        """Return the two-sided p of an effect that is at most `least` in size; 0: of no effect.

        It is the probability of an estimate that lies at least as far from 0, if the effect is `least` (Hodges and
        Lehmann 1954, Journal of the Royal Statistical Society B 16). It is 1 for an estimate of exactly 0, else nan if
        the standard error is 0 or unknown.
        """
        size = np.where(np.abs(self.value) < _ROUNDING, 0.0, np.abs(self.value))
        with np.errstate(invalid="ignore"):
            far, opposite = (
                np.where(size > 0, distance / self._known_se, 0.0) for distance in (size - least, size + least)
            )
        p = stdtr(self.df, -far) + stdtr(self.df, -opposite)
        return np.where(np.isnan(self.se), np.nan, p)

    def mde(self, level: float) -> np.ndarray:
        """Return the minimum detectable effects of a two-sided test at `level` with power POWER; nan as `interval`.

        It is the sum of two quantiles of Student's t times the standard error. From ten degrees of freedom on this
        differs by less than one percent from the result of the noncentral t.
        """
        return (t_quantile(level, self.df) + t_quantile(2 - 2 * POWER, self.df)) * self._known_se


def _count_clusters(scored: np.ndarray, items: Items) -> np.ndarray:
    """Return the number of clusters with a score per cell and column, (cells, columns).

    `scored`, (rows, columns), is True for a row that has a score.
    """
    order = np.lexsort((items.cluster, items.cell))
    new_cell = np.diff(items.cell[order], prepend=-1) != 0
    first = np.flatnonzero(new_cell | (np.diff(items.cluster[order], prepend=-1) != 0))
    by_cluster = scored if len(first) == len(scored) else np.logical_or.reduceat(scored[order], first)
    return np.add.reduceat(by_cluster, np.flatnonzero(new_cell[first]), dtype=float)


def _residuals(
    values: np.ndarray, items: Items, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the weighted means, the residuals by cluster, the first row of each task in these, and each task's df.

    Shapes: (columns,), (clusters, columns), (tasks,), (tasks, columns). A residual is the difference of a score from
    the mean of its cell, scaled so that the squared sums of the clusters add up to the variance of the weighted mean.
    That estimate is unbiased if all clusters have the same size and occur either in all cells or in one cell each. A
    task's degrees of freedom are those of its cell with the fewest clusters.
    """
    weights = np.reshape(weights, (len(items.task), -1))
    scored = ~np.isnan(values)
    cells, tasks = (np.flatnonzero(np.diff(numbers, prepend=-1)) for numbers in (items.cell, items.task))
    n, clusters = np.add.reduceat(scored, cells, dtype=float), _count_clusters(scored, items)
    with np.errstate(divide="ignore", invalid="ignore"):
        means = np.add.reduceat(np.where(scored, values, 0.0), cells) / n
        residuals = np.where(scored, values - means[items.cell], 0.0)
        residuals *= (weights / n * np.sqrt(clusters / (clusters - 1)))[items.cell]
    task = items.task[items.cell]
    order = np.lexsort((items.cluster, task))
    new_task = np.diff(task[order], prepend=-1) != 0
    first = np.flatnonzero(new_task | (np.diff(items.cluster[order], prepend=-1) != 0))
    by_cluster = np.add.reduceat(residuals[order], first)
    dfs = np.minimum.reduceat(clusters - 1, tasks)
    return (weights * means).sum(axis=0), by_cluster, np.flatnonzero(new_task[first]), dfs


def small_sample_variance(values: np.ndarray, items: Items, weights: np.ndarray) -> np.ndarray:
    """Return the small-sample correction of the variances of means of zeros and ones, (tasks, columns).

    If all of twenty items are right, their variance is 0, and the interval of the mean would have no width, although
    the next item may be wrong. So each cell gets the variance of one more right and one more wrong item. Twice that,
    for the difference of two runs, is the variance of the two items that Bonett and Price add (see `paired`). It is
    negligible with hundreds of items, and zero for graded scores, of which Items.graded are some.
    """
    weights = np.reshape(weights, (len(items.task), -1))
    scored = ~np.isnan(values)
    cells, tasks = (np.flatnonzero(np.diff(numbers, prepend=-1)) for numbers in (items.cell, items.task))
    binary = np.logical_and.reduceat(~scored | np.isin(values, (-1, 0, 1)), cells) & ~items.graded[:, None]
    n = np.add.reduceat(scored, cells, dtype=float)
    return np.add.reduceat(binary * (weights / (n + 2)) ** 2, tasks)


def average(values: np.ndarray, items: Items, weights: np.ndarray) -> Estimate:
    """Average scores within cells, then the cells by their weights, separately for each column.

    `values` are (rows, columns), nan for a missing score; `weights` are (cells,) or (cells, columns). Standard errors
    are clustered (Liang and Zeger 1986, Biometrika 73). A column without a score in some cell is nan; a column with a
    single cluster in some cell has no standard error.
    """
    value, by_cluster, tasks, dfs = _residuals(values, items, weights)
    return Estimate(value, np.add.reduceat(by_cluster**2, tasks), dfs)


def paired(differences: np.ndarray, clusters: np.ndarray, graded: bool = False) -> Estimate:
    """Estimate the mean differences of one cell, whose runs are compared item by item.

    `differences` are (items, columns), nan for an item that lacks a score; `clusters` (items,) are the numbers of the
    items' clusters; `graded` as in mean_interval. The variance is Student's. For differences of zeros and ones it is
    Bonett and Price's (2012, Journal of Educational and Behavioral Statistics 37), with Student's quantile: one item
    that gained and one that lost are added, each a cluster of its own. Without them an interval has no width if no item
    differs, and covers only 45 % if 3 % of twenty items do.
    """
    sums, sizes = _by_cluster(differences, clusters)
    scored = ~np.isnan(differences)
    binary = (~scored | np.isin(differences, (-1, 0, 1))).all(axis=0) & (not graded)
    n = sizes.sum(axis=0) + 2 * binary
    present = np.count_nonzero(sizes, axis=0)
    total = present + 2 * binary
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = sums.sum(axis=0) / n
        squares = ((sums - mean * sizes) ** 2).sum(axis=0) + 2 * binary * (1 + mean**2)
        variance = np.where(present > 1, squares / n**2 * np.where(binary, 1, total / (total - 1)), np.nan)
    return Estimate(mean, variance[None], np.maximum(1, total - 1)[None])


@dataclass(frozen=True)
class Joint:
    """The averages of several runs over the same items, with their covariances."""

    value: np.ndarray
    """(runs,) The averages."""
    covariances: np.ndarray
    """(components, runs, runs) The covariances, with the components of Estimate."""
    dfs: np.ndarray
    """(components,) The degrees of freedom of the covariances."""
    trainings: Trainings
    """How the runs were trained."""

    def contrast(self, weights: np.ndarray) -> Estimate:
        """Return weighted sums of the averages; `weights` are (runs, contrasts): 1 and -1 compare two runs.

        Where the grid tells of the noise of training, their variances hold it.
        """
        variances, terms = (
            np.einsum("rk,prs,sk->pk", factors, covariances, factors, optimize=True)
            for factors, covariances in ((weights, self.covariances), (np.abs(weights), np.abs(self.covariances)))
        )
        value = self.value @ weights
        # The difference of two runs with the same answers would be 1e-17 and not 0, and its variance, in which large
        # covariances cancel, 1e-19: that is a p of 0.
        variances = np.where(variances < _ROUNDING * terms, 0.0, variances)
        dfs = np.repeat(self.dfs[:, None], weights.shape[1], axis=1)
        noise = noise_of(self.trainings, self.value, self.covariances.sum(axis=0), weights)
        if noise.uncertainty.any():
            # Two components whose sum is the noise and whose squares over their df are its uncertainty, also where
            # items account for all of it: the first has one degree of freedom, the second is known.
            unsure = np.sqrt(noise.uncertainty)
            variances = np.vstack([variances, unsure, noise.variance - unsure])
            dfs = np.vstack([dfs, np.ones_like(unsure), np.full_like(unsure, np.inf)])
        return Estimate(np.where(np.abs(value) < _ROUNDING, 0.0, value), variances, dfs, noise.scope)

    def covariance(self, weights: np.ndarray) -> np.ndarray:
        """Return the covariance of weighted sums of the averages, (sums, sums), of items and of the noise of training.

        `weights` are (runs, sums). It tells how errors of several contrasts go together; the variance of each is that
        of `contrast`, which may be larger.
        """
        of_items = self.covariances.sum(axis=0)
        return weights.T @ (of_items + noise_covariance(self.trainings, self.value, of_items)) @ weights


def joint(values: np.ndarray, items: Items, weights: np.ndarray, trainings: Trainings) -> Joint:
    """Average the scores of several runs over the same items; `values` are (rows, runs), without nan.

    Each run's variance includes its small-sample correction (small_sample_variance).
    """
    value, by_cluster, tasks, dfs = _residuals(values, items, weights)
    blocks = zip(np.split(by_cluster, tasks[1:]), small_sample_variance(values, items, weights), strict=True)
    covariances = [block.T @ block + np.diag(extra) for block, extra in blocks]
    return Joint(value, np.stack(covariances), dfs[:, 0], trainings)
