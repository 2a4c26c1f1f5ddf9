"""Noise of training: how far contrasts of runs lie from those of other trainings of the same runs.

A score is that of its setting (model, dataset and method variant), plus what its draw shares (all variants of a model,
dataset and seed see the same examples in the same order), plus what is its own. Both are variance components of a
grid, estimated by mean squares of the runs' averages, from which the part that items cause is taken away: seeds are
crossed with items (Sellam et al. 2022, arXiv 2106.16163, have both in one resampling; here both have a variance).
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from scipy.special import chdtri

from maple.definitions.run import Run

Scope = Literal["items", "trainings", "seeds"]
# What an interval holds beside its estimate's value: the number of a scope is its place.
SCOPES: tuple[Scope, ...] = ("items", "trainings", "seeds")
ITEMS, TRAININGS, SEEDS = range(3)
# Degrees of freedom from which on noise counts as known: with one, intervals are thrice as wide as with two.
LEAST_DF = 2
# From so many degrees of freedom on, what trainings have of their own is taken from replicated seeds alone. The square
# of axes has more, but takes a true interaction for noise.
_OWN_DF = 4
_ROUNDING = 1e-9


def numbered(keys: Sequence[Hashable]) -> np.ndarray:
    """Return the number of each key, from 0 in the order of the first of each; -1 for None."""
    numbers: dict[Hashable, int] = {}
    return np.array([-1 if key is None else numbers.setdefault(key, len(numbers)) for key in keys], dtype=int)


def _one_hot(numbers: np.ndarray) -> np.ndarray:
    """Return (runs, numbers): 1 where a run has a number; a run with -1 has none."""
    return (numbers[:, None] == np.arange(numbers.max(initial=-1) + 1)).astype(float)


@dataclass(frozen=True)
class _Form:
    """A mean square of the runs' averages: what is left of them beside some effects."""

    matrix: np.ndarray
    """(runs, runs) The projection that leaves it."""
    df: int
    """Its degrees of freedom."""
    shared: float
    """How often it holds the variance of what a draw shares; that of a training's own it holds once."""


@dataclass(frozen=True)
class Trainings:
    """How the runs of a study were trained; numbers are -1 for a model that nothing was trained on."""

    setting: np.ndarray
    """(runs,) The number of model, dataset and method variant: such runs differ in their seed alone."""
    draw: np.ndarray
    """(runs,) The number of model, dataset and seed: such runs see the same examples in the same order."""
    unit: np.ndarray
    """(runs,) The number of model and dataset."""
    effects: np.ndarray
    """(runs, columns) The values of each axis, one-hot, by model, dataset and method: their effects without
    interaction."""

    @classmethod
    def of(cls, runs: Sequence[Run]) -> "Trainings":
        """Return how runs were trained."""

        def numbers(*names: str) -> np.ndarray:
            return numbered([None if run.is_baseline else tuple(getattr(run, name) for name in names) for run in runs])

        axes = dict.fromkeys(axis for run in runs for axis in run.axes)
        effects = [
            numbered(
                [None if run.is_baseline else (run.model, run.dataset, run.family, run.axis(axis)) for run in runs]
            )
            for axis in axes
        ]
        return cls(
            numbers("model", "dataset", "method"),
            numbers("model", "dataset", "seed"),
            numbers("model", "dataset"),
            np.hstack([np.zeros((len(runs), 0)), *map(_one_hot, effects)]),
        )

    def _form(self, effects: Sequence[np.ndarray], without: np.ndarray | float = 0.0) -> _Form:
        """Return the mean square of what effects, (runs, columns) each, leave, less the projection `without`."""
        trained = np.diag((self.setting >= 0).astype(float))
        left, singular, _ = np.linalg.svd(np.hstack(effects), full_matrices=False)
        basis = left[:, singular > _ROUNDING]
        matrix = trained - basis @ basis.T - without
        df = round(float(np.trace(matrix)))
        draws = _one_hot(self.draw)
        return _Form(matrix, df, float(np.sum(draws * (matrix @ draws))) / df if df else 0.0)

    @cached_property
    def within_seeds(self) -> _Form:
        """What settings and draws leave: the variants of a model and dataset that differ otherwise in another seed."""
        return self._form([_one_hot(self.setting), _one_hot(self.draw)])

    @cached_property
    def between_seeds(self) -> _Form:
        """What settings leave, less `within_seeds`: how draws of a model and dataset differ."""
        return self._form([_one_hot(self.setting)], without=self.within_seeds.matrix)

    @cached_property
    def square(self) -> _Form:
        """What draws and the effects of each axis leave: the interaction of the axes, which needs no second seed.

        It holds `within_seeds`.
        """
        family = self.effects if self.effects.shape[1] else _one_hot(self.setting)
        return self._form([family, _one_hot(self.draw)])

    @cached_property
    def own(self) -> _Form | None:
        """The mean square of what trainings have of their own; None if nothing of the grid tells it."""
        if self.within_seeds.df >= _OWN_DF:
            return self.within_seeds
        return next((form for form in (self.square, self.within_seeds) if form.df), None)


@dataclass(frozen=True)
class Noise:
    """The noise of training in some contrasts; of repeated studies, each study's estimate of it."""

    variance: np.ndarray
    """(..., contrasts) Its variance, without what items cause."""
    uncertainty: np.ndarray
    """(..., contrasts) The squares of the mean squares behind it over their degrees of freedom (Satterthwaite)."""
    scope: np.ndarray
    """(contrasts,) What an interval with this variance holds, a number of SCOPES."""


@dataclass(frozen=True)
class _Estimated:
    """A variance of some contrasts that is estimated by mean squares."""

    variance: np.ndarray
    """(..., contrasts) The variance, without what items cause."""
    uncertainty: np.ndarray
    """(..., contrasts) As in Noise."""
    df: np.ndarray
    """(contrasts,) The degrees of freedom of the mean squares; at least 1."""


@dataclass(frozen=True)
class _MeanSquare:
    """The estimate that a form gives."""

    whole: np.ndarray
    """(..., 1) The mean square."""
    of_items: float
    """What items cause of it."""
    df: int
    """Its degrees of freedom."""

    @property
    def net(self) -> np.ndarray:
        """(..., 1) The mean square without what items cause, at least 0."""
        return np.maximum(0.0, self.whole - self.of_items)

    @property
    def median(self) -> np.ndarray:
        """(..., 1) The same, as often too small as too large: a mean square of few degrees is mostly too small."""
        return np.maximum(0.0, self.whole * self.df / chdtri(self.df, 0.5) - self.of_items)

    @property
    def uncertainty(self) -> np.ndarray:
        """(..., 1) The square of the mean square over its degrees of freedom."""
        return self.whole**2 / self.df


def _mean_square(form: _Form, value: np.ndarray, covariance: np.ndarray) -> _MeanSquare:
    whole = ((value @ form.matrix) * value).sum(axis=-1, keepdims=True) / form.df
    return _MeanSquare(whole, float(np.sum(form.matrix * covariance)) / form.df, form.df)


def noise_of(trainings: Trainings, value: np.ndarray, covariance: np.ndarray, weights: np.ndarray) -> Noise:
    """Return the noise of training in contrasts, with `weights` (runs, contrasts), of the runs' averages.

    `value` are the averages, (runs,) or, of repeated studies, (studies, runs), and `covariance` is what items make of
    them, (runs, runs). The variance is the
    larger one of two: that of the components of the whole grid, and that of the contrast itself between seeds, where
    each of its models and datasets has several seeds with the same weights. The first has more degrees of freedom; the
    second also holds seeds that tilt a curve or that move models and datasets unequally, and counts from LEAST_DF on:
    with one, a contrast whose two seeds differ by luck would have an interval of a hundred points.

    Satterthwaite's degrees of freedom are too many where a mean square of few degrees is small by luck beside the
    variance of items: so is its own uncertainty. A factor, up to 1 + 2 / df where items are all of the variance, is our
    choice by simulation. A mean square that items account for can be more unsure than the whole variance, which would
    then have less than one degree of freedom; it keeps LEAST_DF.
    """
    of_items = np.einsum("rk,rs,sk->k", weights, covariance, weights, optimize=True)
    weights = np.where(trainings.setting[:, None] >= 0, weights, 0.0)
    own = (weights**2).sum(axis=0)
    shared = ((_one_hot(trainings.draw).T @ weights) ** 2).sum(axis=0)
    shared = np.where(shared < _ROUNDING * own, 0.0, shared)
    noise = _pooled(trainings, value, covariance, shared, own)
    if trainings.between_seeds.df:
        direct = _between_seeds(trainings, value, covariance, weights)
        # Of a mean over all variants and seeds both are the same number, and rounding would choose.
        larger = (direct.variance > noise.variance * (1 + _ROUNDING)) & (direct.df >= LEAST_DF)
        noise = _Estimated(
            np.where(larger, direct.variance, noise.variance),
            np.where(larger, direct.uncertainty, noise.uncertainty),
            np.where(larger, direct.df, noise.df),
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.nan_to_num(of_items / (of_items + noise.variance))
    uncertainty = noise.uncertainty * (1 + 2 * share / noise.df)
    most = np.nan_to_num((of_items + noise.variance) ** 2) / np.minimum(noise.df, LEAST_DF)
    return Noise(noise.variance, np.minimum(uncertainty, most), _scope(trainings, shared, own))


def noise_covariance(trainings: Trainings, value: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Return the noise of training of the runs' averages, (runs, runs), by the components of the whole grid.

    `value` and `covariance` are as in noise_of. Runs of one draw have in common what it shares; what a training has of
    its own is on the diagonal. What the grid tells nothing of is 0. The components are as often too small as too large.
    """
    trained, draws = trainings.setting >= 0, _one_hot(trainings.draw)
    between, within = trainings.between_seeds, trainings.own
    own = _mean_square(within, value, covariance).median if within else 0.0
    of_draws = _mean_square(between, value, covariance).median if between.df else 0.0
    shared = max(0.0, of_draws - own) / between.shared if between.df else 0.0
    return shared * (draws @ draws.T) + own * np.diag(trained.astype(float))


def _scope(trainings: Trainings, shared: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return what intervals hold of contrasts in which draws and trainings have these squared weights, (contrasts,)."""
    between, within = trainings.between_seeds.df >= LEAST_DF, trainings.within_seeds.df >= LEAST_DF
    within_draw = ITEMS
    if between or within:
        within_draw = SEEDS
    elif trainings.own and trainings.own.df >= LEAST_DF:
        within_draw = TRAININGS
    trained = np.where(shared > 0, SEEDS if between else ITEMS, within_draw)
    return np.where(own > 0, trained, SEEDS)  # what was not trained has no seed


def _pooled(
    trainings: Trainings, value: np.ndarray, covariance: np.ndarray, shared: np.ndarray, own: np.ndarray
) -> _Estimated:
    """Return the noise by the components of the grid, of which contrasts hold `shared` and `own`, (contrasts,).

    With one seed, only contrasts within draws are told anything, by the square of axes. A contrast that averages more
    variants of a draw than have several seeds keeps what these have of their own: taking one uncertain mean square from
    another one would leave nothing too often (a difference of models in the paper's grid, of which one variant has
    three seeds, would be covered in 86 %).
    """
    between, within = trainings.between_seeds, trainings.own
    of_own = _mean_square(within, value, covariance) if within else None
    if between.df == 0:
        if of_own is None:
            return _Estimated(np.zeros_like(own), np.zeros_like(own), np.ones_like(own))
        told = np.where(shared > 0, 0.0, own)
        return _Estimated(told * of_own.net, told**2 * of_own.uncertainty, np.full_like(own, of_own.df))
    of_draws = _mean_square(between, value, covariance)
    if of_own is None:  # one variant in all seeds: nothing tells what is shared from what is its own
        most = np.maximum(shared, own)
        return _Estimated(most * of_draws.net, most**2 * of_draws.uncertainty, np.full_like(own, of_draws.df))
    by_draws = shared / between.shared
    rest = np.maximum(0.0, own - by_draws)
    return _Estimated(
        by_draws * of_draws.net + rest * of_own.net,
        by_draws**2 * of_draws.uncertainty + rest**2 * of_own.uncertainty,
        np.where(shared > 0, of_draws.df, of_own.df),
    )


def _between_seeds(trainings: Trainings, value: np.ndarray, covariance: np.ndarray, weights: np.ndarray) -> _Estimated:
    """Return the variance of contrasts between the seeds of each model and dataset.

    It is 0 for a contrast that has a model and dataset without several seeds, or with other weights in each.
    """
    settings, draws, units = map(_one_hot, (trainings.setting, trainings.draw, trainings.unit))
    used = (weights != 0).astype(float)
    runs = units.T @ used  # (units, contrasts), as all that follow
    variants, seeds = ((units.T @ sort > 0) @ (sort.T @ used > 0).astype(float) for sort in (settings, draws))
    means = settings @ ((settings.T @ weights) / np.maximum(settings.sum(axis=0), 1)[:, None])
    unequal = units.T @ (np.abs(weights - means) > _ROUNDING * np.abs(weights).max(axis=0))
    fits = (runs == 0) | ((runs == variants * seeds) & (seeds > 1) & (unequal == 0))
    sums = np.einsum("...r,rd,rk->...dk", value, draws, weights, optimize=True)
    of_draws = (units.T @ draws > 0).astype(float)
    more = np.maximum(seeds - 1, 1)
    raw = (of_draws @ sums**2 - (of_draws @ sums) ** 2 / np.maximum(seeds, 1)) * seeds / more
    within_draw, within_unit = (
        units.T @ (weights * ((covariance * (sort @ sort.T)) @ weights)) for sort in (draws, units)
    )
    of_items = (within_draw - within_unit / np.maximum(seeds, 1)) * seeds / more
    valid = fits.all(axis=0) & (runs.sum(axis=0) > 0)
    variance = np.where(valid, np.maximum(0.0, (raw - of_items).sum(axis=-2)), 0.0)
    df = np.maximum((seeds - 1).clip(0).sum(axis=0), 1)
    return _Estimated(variance, (raw**2 / more).sum(axis=-2), df)
