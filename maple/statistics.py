"""Statistics: how sure a mean of item scores is, and how far runs differ on the same items.

The items of a task are the sample: what is said holds for other items like them. Runs are compared on the same items,
and an item that was put to a run in several languages is one draw, not several.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from statistics import NormalDist

import numpy as np

POWER = 0.8
# Replicates of a bootstrap, and their seed: two summaries of the same scores are the same.
DRAWS, DRAWS_SEED = 2000, 1
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)
# Newton's steps from 1 to the last digits of a quantile, for any p and any degrees of freedom.
_STEPS = 12


def _constant(df: np.ndarray) -> np.ndarray:
    """Return gamma((df + 1) / 2) / (gamma(df / 2) sqrt(pi))."""
    of = np.vectorize(
        lambda df: math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(math.pi), [float]
    )
    return of(df)


def _tail(t: np.ndarray, df: np.ndarray) -> np.ndarray:
    """Return the integral of cos(u)^(df - 1) from u = arctan(|t| / sqrt(df)) to a right angle.

    It is cut where the integrand has fallen by e^-40, and added up by Gauss and Legendre's rule.
    """
    start = np.arctan(np.abs(t) / np.sqrt(df))
    end = np.arccos(np.cos(start) * np.exp(-40 / np.maximum(df - 1, 1e-9)))
    angles = start[..., None] + (end - start)[..., None] * (_NODES + 1) / 2
    return np.cos(angles) ** (df[..., None] - 1) @ _WEIGHTS * (end - start) / 2


def t_p(t: np.ndarray, df: np.ndarray) -> np.ndarray:
    """Return the two-sided p of Student's t with `df` degrees of freedom (1 or more), elementwise."""
    t, df = np.broadcast_arrays(np.asarray(t, dtype=float), np.asarray(df, dtype=float))
    return np.minimum(1.0, 2 * _constant(df) * _tail(t, df))


def t_quantile(p: np.ndarray, df: np.ndarray) -> np.ndarray:
    """Return the t whose two-sided p is `p`, elementwise.

    Newton's method on the logarithms of t and p, between which the tails are nearly straight.
    """
    p, df = np.broadcast_arrays(np.asarray(p, dtype=float), np.asarray(df, dtype=float))
    constant = _constant(df)
    t = np.ones(p.shape)
    for _ in range(_STEPS):
        reached = 2 * constant * _tail(t, df)
        density = constant / np.sqrt(df) * np.exp(-(df + 1) / 2 * np.log1p(t**2 / df))
        t = t * np.exp(np.log(reached / p) * reached / (2 * t * density))
    return t


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


def bootstrap(values: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Return both ends of the bootstrap intervals of the means of columns; `values` are (items, columns).

    The ends are quantiles of the means of DRAWS resamples, whose spread is the standard error itself. The quantiles are
    those of Hesterberg's expanded percentile interval (2015, The American Statistician 69): further out where items are
    few, so that the interval is as wide as Student's.
    """
    n = len(values)
    t = t_quantile(1 - confidence, n - 1)
    outside = NormalDist().cdf(-float(t) * math.sqrt(n / (n - 1)))
    low, high = np.quantile(_shares(n) @ values, [outside, 1 - outside], axis=0)
    return low, high


def mean_interval(values: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Return both ends of the intervals of one cell's means; `values` are (items, columns), nan where there is none.

    Wilson's for zeros and ones, the bootstrap's for what is graded. Chosen by simulation (docs/statistics.md): where
    items are few and scores crowd at 0 or 1 they cover 92 to 94 %, Student's 75 to 92 %; from some hundred items on
    both cover 95 %, and the bootstrap's alone ends within the scores' own range. What is graded needs two items.
    """
    known = ~np.isnan(values)
    n = known.sum(axis=0)
    binary = (~known | (values == 0) | (values == 1)).all(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = wilson(np.where(known, values, 0).sum(axis=0) / n, n, confidence)
    low[~binary], high[~binary] = np.nan, np.nan
    complete = ~binary & known.all(axis=0)
    if len(values) > 1 and complete.any():
        low[complete], high[complete] = bootstrap(values[:, complete], confidence)
    for column in np.flatnonzero(~binary & ~complete & (n > 1)):
        low[[column]], high[[column]] = bootstrap(values[known[:, column]][:, [column]], confidence)
    return low, high


@dataclass(frozen=True)
class Items:
    """Which item of which cell each row of an array of scores is; rows stand in order of cells, and cells of tasks.

    cell: (rows,) number of the cell, from 0, none without a row; item: (rows,) number of the item within its task, the
    same for all translations of an item; task: (cells,) number of the cell's task.
    """

    cell: np.ndarray
    item: np.ndarray
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


def _residuals(
    values: np.ndarray, items: Items, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the weighed means, the residuals by item, where each task begins in them, and its degrees of freedom.

    A score's residual is its difference from the mean of its cell, so weighed that the square sum of what an item has
    in all languages is the variance of the weighed mean: unbiased where items are in all cells or each in one alone.
    A task has as many degrees of freedom as its smallest cell.
    """
    weights = np.reshape(weights, (len(items.task), -1))
    known = ~np.isnan(values)
    cells, tasks = (np.flatnonzero(np.diff(of, prepend=-1)) for of in (items.cell, items.task))
    n = np.add.reduceat(known, cells, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        means = np.add.reduceat(np.where(known, values, 0.0), cells) / n
        residuals = np.where(known, values - means[items.cell], 0.0)
        residuals *= (weights / np.sqrt(n * (n - 1)))[items.cell]
    task = items.task[items.cell]
    order = np.lexsort((items.item, task))
    new_task = np.diff(task[order], prepend=-1) != 0
    first = np.flatnonzero(new_task | (np.diff(items.item[order], prepend=-1) != 0))
    by_item = np.add.reduceat(residuals[order], first)
    return (weights * means).sum(axis=0), by_item, np.flatnonzero(new_task[first]), np.minimum.reduceat(n - 1, tasks)


def average(values: np.ndarray, items: Items, weights: np.ndarray) -> Estimate:
    """Average scores within cells, then cells by their weights; each column by itself.

    `values` are (rows, columns), nan where there is none; `weights` are (cells,) or (cells, columns). Standard errors
    are clustered by item (Liang and Zeger 1986, Biometrika 73). A column without a score in a cell is nan, one with a
    single score has no standard error.
    """
    value, by_item, tasks, dfs = _residuals(values, items, weights)
    return Estimate(value, np.add.reduceat(by_item**2, tasks), dfs)


def paired(differences: np.ndarray) -> Estimate:
    """Estimate one cell's mean differences on the same items, (items, columns), nan where an item lacks one.

    Student's, but where zeros and ones are compared Bonett and Price's (2012, Journal of Educational and Behavioral
    Statistics 37), with Student's quantile: one item that gained and one that lost are added. Without them an interval
    has no width where no item differs, and covers 45 % where 3 % of twenty items do.
    """
    known = ~np.isnan(differences)
    binary = (~known | np.isin(differences, (-1, 0, 1))).all(axis=0)
    n = known.sum(axis=0) + 2 * binary
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.nansum(differences, axis=0) / n
        squares = np.nansum((differences - mean) ** 2, axis=0) + 2 * binary * (1 + mean**2)
        variance = np.where(known.sum(axis=0) > 1, squares / n / np.where(binary, n, n - 1), np.nan)
    return Estimate(mean, variance[None], np.maximum(1, n - 1)[None])


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
        # Runs that answer alike differ by nothing, but for the last digits.
        return Estimate(
            self.value @ weights, np.maximum(variances, 0), np.repeat(self.dfs[:, None], weights.shape[1], axis=1)
        )


def joint(values: np.ndarray, items: Items, weights: np.ndarray, twins: Sequence[int]) -> Joint:
    """Average the scores of several runs over the same items; `values` are (rows, runs), none of them nan.

    `twins` gives each run a number that it shares with those that differ from it by the seed alone, -1 for a run that
    no seed went into. Where there are twins, the variance between them, pooled over the grid, is a part of its own:
    each run's average varies by it, independently of the others. It holds what is left of the items' variance within
    twins once more, so that intervals are rather too wide than too narrow.
    """
    value, by_item, tasks, dfs = _residuals(values, items, weights)
    covariances = [block.T @ block for block in np.split(by_item, tasks[1:])]
    dfs = list(dfs[:, 0])
    twins = np.asarray(twins)
    families = [value[twins == number] for number in np.unique(twins[twins >= 0])]
    if spare := sum(len(family) - 1 for family in families):
        between = sum(((family - family.mean()) ** 2).sum() for family in families) / spare
        covariances.append(between * np.diag(twins >= 0))
        dfs.append(float(spare))
    return Joint(value, np.stack(covariances), np.array(dfs))
