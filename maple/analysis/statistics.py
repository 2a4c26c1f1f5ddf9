"""Statistics: confidence intervals of mean item scores, and of differences between runs on the same items.

The items of a task are a sample of the items that the task could have, so an interval says what other items of the
same kind would give. Runs are compared on the same items. All translations of an item, and all items on the same text,
form one cluster and count as one observation; an item without such neighbours is a cluster of one.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from statistics import NormalDist

import numpy as np
from scipy.special import ndtr, stdtr, stdtrit

from maple.analysis.cell_means import Items, cell_means, is_binary
from maple.analysis.cluster_variance import by_cluster, clustered_variance, degrees_of_freedom, in_order, sums_at
from maple.analysis.training_noise import ITEMS, Trainings, noise_covariance, noise_of

POWER = 0.8
# Means of fewer clusters of graded scores have Student's interval, those of fewer than the second number none.
_FEWEST_RESAMPLED, _FEWEST_CLUSTERS = 10, 3
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


def bootstrap(sums: np.ndarray, sizes: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and upper bounds of the bootstrap intervals of the columns' means.

    `sums` and `sizes` are the sum and the number of each cluster's scores, both (clusters, columns). The bounds are
    quantiles of the means of RESAMPLES resamples of clusters. They are those of Hesterberg's expanded percentile
    interval (2015, The American Statistician 69): with few clusters they lie further out, so that the interval is as
    wide as Student's with the degrees of freedom of unequal clusters.
    """
    n = sizes.sum(axis=0)
    t = t_quantile(1 - confidence, degrees_of_freedom(sizes, np.zeros(1, int))[0])
    # The variance of resampled means is smaller than CR2, for independent scores by this factor: (n - 1) / n if all
    # clusters have the same size.
    outside = ndtr(-t / np.sqrt(1 - ((sizes / n) ** 2).sum(axis=0)))
    weights = _resample_weights(len(sums))
    means = (weights @ sums) / (weights @ sizes)
    bounds = np.empty((2, len(n)))
    for level in np.unique(outside):
        alike = outside == level
        bounds[:, alike] = np.quantile(means[:, alike], [level, 1 - level], axis=0)
    return bounds[0], bounds[1]


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
        effect = clustered_variance(mean, sums, sizes) * (n - 1) / (mean * (1 - mean))
        alike = (sizes**2).sum(axis=0) / n
    # A single cluster has no variance between clusters.
    several = clusters > 1
    effect = np.where((mean > 0) & (mean < 1) & several, effect, alike)
    df = np.where(several, degrees_of_freedom(sizes, np.zeros(1, int))[0], 1)
    by_clusters, by_items = (t_quantile(1 - confidence, count) for count in (df, np.maximum(n - 1, 1)))
    return np.where(clusters == n, n, n / np.maximum(effect, 1) * (by_items / by_clusters) ** 2)


def _student(sums: np.ndarray, sizes: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and upper bounds of Student's intervals; arguments as of bootstrap."""
    mean = sums.sum(axis=0) / sizes.sum(axis=0)
    df = degrees_of_freedom(sizes, np.zeros(1, int))[0]
    half = t_quantile(1 - confidence, df) * np.sqrt(clustered_variance(mean, sums, sizes))
    return mean - half, mean + half


def mean_interval(
    values: np.ndarray, clusters: np.ndarray, confidence: float, graded: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and upper bounds of the intervals of one cell's means.

    `values` are (items, columns), nan for a missing score; `clusters` (items,) are the numbers of the items' clusters.
    `graded` says that a score can be another number than 0 and 1, even if none is, as a pseudo-value.
    Scores of 0 and 1 have Wilson's interval with the effective sample size; graded scores have the bootstrap's over
    clusters, Student's with fewer than ten clusters, which a resample repeats too often, and none with fewer than three
    or if all clusters have the same mean. They were selected by simulation (docs/statistics.md): with few items and
    scores near 0 or 1 the first two cover 92 to 94 %, Student's interval 75 to 92 %. From about a hundred items on all
    cover 95 %, but only the bootstrap stays within the range of the scores.
    """
    sums, sizes = by_cluster(values, clusters)
    scored = ~np.isnan(values)
    n, present = sizes.sum(axis=0), sizes > 0
    binary = (~scored | (values == 0) | (values == 1)).all(axis=0) & (not graded)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = sums.sum(axis=0) / n
        low, high = wilson(
            mean, n if len(sums) == len(values) else _effective(mean, sums, sizes, confidence), confidence
        )
    low[~binary], high[~binary] = np.nan, np.nan
    known = ~binary & (present.sum(axis=0) >= _FEWEST_CLUSTERS)
    few = known & (present.sum(axis=0) < _FEWEST_RESAMPLED)
    low[few], high[few] = _student(sums[:, few], sizes[:, few], confidence)
    complete = known & ~few & present.all(axis=0)
    if complete.any():
        low[complete], high[complete] = bootstrap(sums[:, complete], sizes[:, complete], confidence)
    for column in np.flatnonzero(known & ~few & ~complete):
        rows = present[:, column]
        low[[column]], high[[column]] = bootstrap(sums[rows][:, [column]], sizes[rows][:, [column]], confidence)
    flat = high - low < _ROUNDING
    return np.where(flat, np.nan, low), np.where(flat, np.nan, high)


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
    added: np.ndarray = field(default_factory=lambda: np.zeros((1, 1)))
    """(tasks, columns) The variances of one more right and one more wrong item in each cell (with_added)."""
    trainings: np.ndarray = field(default_factory=lambda: np.zeros(1))
    """(columns,) or, for all columns, (1,): how much of the variance of an estimate is noise of training."""

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
        return np.where(self.se > 0, df, np.fmax(1, self.dfs.min(axis=0)))

    def with_added(self, times: int = 1) -> "Estimate":
        """Return the same estimates with `added` in their variances: once for means, twice for their differences.

        If all of twenty items are right, their variance is 0, and the interval of the mean would have no width,
        although the next item may be wrong. So each cell gets the variance of one more right and one more wrong item.
        Twice that is the variance of the two items that Bonett and Price add to a difference (see `paired`).
        """
        return replace(self, variances=self.variances + times * self.added)

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


@dataclass(frozen=True)
class _Residuals:
    """The weighted means of cells, and what their variances are computed from."""

    value: np.ndarray
    """(columns,) The weighted means."""
    by_cluster: np.ndarray
    """(clusters, columns) The residuals, whose squares add up to the variance of the weighted mean."""
    tasks: np.ndarray
    """(tasks,) The first of each task's rows in by_cluster."""
    dfs: np.ndarray
    """(tasks, columns) The degrees of freedom."""
    added: np.ndarray
    """(tasks, columns) As in Estimate."""


def _in_all_cells(
    by_cell: np.ndarray, by_cluster: np.ndarray, cell_tasks: np.ndarray, tasks: np.ndarray, shared: np.ndarray
) -> np.ndarray:
    """Return how many times larger the variance of an item is that is added to all cells of a task, (tasks, columns).

    The translations of an item are one draw, so the added one is in all languages at once, right or wrong in as many of
    them together as the task's own items are: the variance with their covariances over that without. If no score
    differs, all translations are taken as alike: `shared`, (tasks,), is the mean number of cells that have an item.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = sums_at(tasks)(by_cluster**2) / sums_at(cell_tasks)(by_cell**2)
    return np.where(np.isnan(ratio), shared[:, None], np.maximum(ratio, 1))


def _residuals(values: np.ndarray, items: Items, weights: np.ndarray) -> _Residuals:
    """Return the weighted means of cells with their residuals by cluster; arguments as of average.

    A residual is the difference of a cluster's scores from the mean of their cell, scaled as by CR2 (Bell and McCaffrey
    2002) and summed over the cells of a task. A task's degrees of freedom are the fewest of its cells.
    """
    weights = np.reshape(weights, (len(items.task), -1))
    found = cell_means(values, items)
    cell, cluster, sizes, n, means = found.cell, found.cluster, found.sizes, found.n, found.means
    of_task = np.flatnonzero(np.diff(items.task, prepend=-1))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = sizes / n[cell]
        left = np.where(share < 1, 1 - share, np.nan)
        by_cell = (found.sums - means[cell] * sizes) * ((weights / n)[cell] / np.sqrt(left))
    order = in_order(cluster, items.task[cell])
    new_task = np.diff(items.task[cell][order], prepend=-1) != 0
    first = np.flatnonzero(new_task | (np.diff(cluster[order], prepend=-1) != 0))
    by_cell = by_cell[order]
    residuals, tasks = sums_at(first)(by_cell), np.flatnonzero(new_task[first])
    dfs = np.minimum.reduceat(degrees_of_freedom(sizes, np.flatnonzero(np.diff(cell, prepend=-1))), of_task)
    binary = np.logical_and.reduceat(~found.scored | is_binary(values), np.flatnonzero(np.diff(items.cell, prepend=-1)))
    cells_of_cluster = np.diff(first, append=len(cluster))
    of_clusters = sums_at(tasks)
    shared = of_clusters(cells_of_cluster**2) / of_clusters(cells_of_cluster)
    alone = np.where(binary & ~items.graded[:, None], weights / (n + 2), 0.0) ** 2
    return _Residuals(
        value=(weights * means).sum(axis=0),
        by_cluster=residuals,
        tasks=tasks,
        dfs=np.broadcast_to(dfs, (len(dfs), values.shape[1])),
        added=np.add.reduceat(alone, of_task) * _in_all_cells(by_cell, residuals, first[tasks], tasks, shared),
    )


def average(values: np.ndarray, items: Items, weights: np.ndarray) -> Estimate:
    """Average scores within cells, then the cells by their weights, separately for each column.

    `values` are (rows, columns), nan for a missing score; `weights` are (cells,) or (cells, columns). Standard errors
    are clustered (Liang and Zeger 1986, Biometrika 73; CR2). A column without a score in some cell is nan; a column
    with a single cluster in some cell has no standard error.
    """
    found = _residuals(values, items, weights)
    return Estimate(found.value, np.add.reduceat(found.by_cluster**2, found.tasks), found.dfs, added=found.added)


def paired(differences: np.ndarray, clusters: np.ndarray, graded: bool = False) -> Estimate:
    """Estimate the mean differences of one cell, whose runs are compared item by item.

    `differences` are (items, columns), nan for an item that lacks a score; `clusters` (items,) are the numbers of the
    items' clusters; `graded` as in mean_interval. The interval is Student's. For differences of zeros and ones it is
    that of Bonett and Price (2012, Journal of Educational and Behavioral Statistics 37), with Student's quantile and
    the variance of clusters: one item that gained and one that lost are added, each a cluster of its own. Without them
    an interval has no width if no item differs, and covers only 45 % if 3 % of twenty items do.
    """
    sums, sizes = by_cluster(differences, clusters)
    scored = ~np.isnan(differences)
    binary = (~scored | is_binary(differences)).all(axis=0) & (not graded)
    several = np.count_nonzero(sizes, axis=0) > 1
    added = binary.astype(float)
    sums, sizes = np.vstack([sums, added, -added]), np.vstack([sizes, added, added])
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = sums.sum(axis=0) / sizes.sum(axis=0)
    variance = np.where(several, clustered_variance(mean, sums, sizes), np.nan)
    return Estimate(mean, variance[None], degrees_of_freedom(sizes, np.zeros(1, int)))


@dataclass(frozen=True)
class Joint:
    """The averages of several runs over the same items, with their covariances."""

    value: np.ndarray
    """(runs,) The averages; (studies, runs), those of repeated studies."""
    covariances: np.ndarray
    """(components, runs, runs) The covariances, with the components of Estimate."""
    dfs: np.ndarray
    """(components,) The degrees of freedom of the covariances."""
    trainings: Trainings
    """How the runs were trained."""

    def contrast(self, weights: np.ndarray) -> Estimate:
        """Return weighted sums of the averages; `weights` are (runs, contrasts): 1 and -1 compare two runs.

        Where the grid tells of the noise of training, their variances hold it. Of repeated studies, all arrays have the
        studies before the contrasts.
        """
        variances, terms = (
            np.einsum("rk,prs,sk->pk", factors, covariances, factors, optimize=True)
            for factors, covariances in ((weights, self.covariances), (np.abs(weights), np.abs(self.covariances)))
        )
        value = self.value @ weights
        # The difference of two runs with the same answers would be 1e-17 and not 0, and its variance, in which large
        # covariances cancel, 1e-19: that is a p of 0.
        variances = np.where(variances < _ROUNDING * terms, 0.0, variances)
        one_study = (len(variances), *[1] * (value.ndim - 1), weights.shape[1])
        variances = np.broadcast_to(variances.reshape(one_study), (len(variances), *value.shape))
        dfs = np.broadcast_to(self.dfs.reshape(-1, *[1] * value.ndim), variances.shape)
        noise = noise_of(self.trainings, self.value, self.covariances.sum(axis=0), weights)
        if noise.uncertainty.any():
            # Two components whose sum is the noise and whose squares over their df are its uncertainty, also where
            # items account for all of it: the first has one degree of freedom, the second is known.
            unsure = np.sqrt(noise.uncertainty)
            variances = np.concatenate([variances, [unsure, noise.variance - unsure]])
            dfs = np.concatenate([dfs, [np.ones_like(unsure), np.full_like(unsure, np.inf)]])
        return Estimate(
            np.where(np.abs(value) < _ROUNDING, 0.0, value), variances, dfs, noise.scope, trainings=noise.variance
        )

    def covariance(self, weights: np.ndarray) -> np.ndarray:
        """Return the covariance of weighted sums of the averages, (sums, sums), of items and of the noise of training.

        `weights` are (runs, sums). It tells how errors of several contrasts go together; the variance of each is that
        of `contrast`, which may be larger.
        """
        of_items = self.covariances.sum(axis=0)
        return weights.T @ (of_items + noise_covariance(self.trainings, self.value, of_items)) @ weights


def joint(values: np.ndarray, items: Items, weights: np.ndarray, trainings: Trainings) -> Joint:
    """Average the scores of several runs over the same items; `values` are (rows, runs), without nan.

    Each run's variance includes that of the added items (Estimate.with_added).
    """
    found = _residuals(values, items, weights)
    blocks = zip(np.split(found.by_cluster, found.tasks[1:]), found.added, strict=True)
    covariances = [block.T @ block + np.diag(extra) for block, extra in blocks]
    return Joint(found.value, np.stack(covariances), found.dfs[:, 0], trainings)
