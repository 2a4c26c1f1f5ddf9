"""Repeated studies: what other studies of the same runs would estimate, drawn from the variances that one estimates."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from maple.analysis.statistics import Estimate, Joint
from maple.analysis.training_noise import ITEMS, noise_covariance

# The number of repeated studies: by chance, an effect that nine studies of ten must find is off by a twentieth of a
# standard error. The seed is fixed, so that the same scores always give the same minimum detectable effect.
STUDIES, STUDIES_SEED = 500, 1


@dataclass(frozen=True)
class Repeats:
    """What repeated studies estimate if nothing is true, as shares of 1; arrays have studies before contrasts."""

    estimate: Estimate
    """The contrasts that must each be beyond the smallest effect of interest."""
    sides: Sequence[Estimate] = ()
    """The change of low- and that of high-resource languages, of a difference of two groups."""


@dataclass(frozen=True)
class Drawn:
    """What other items and other trainings add to the averages of a study's runs in repeated studies."""

    by_items: np.ndarray
    """(studies, runs) What other items add."""
    by_trainings: np.ndarray
    """(studies, runs) What other trainings add."""
    luck: np.ndarray
    """(components, studies) The estimated variance of items over the true one, by component of the covariances."""


@dataclass(frozen=True)
class _Covariances:
    """The covariances of the averages of runs, (runs, runs)."""

    items: np.ndarray
    """What items make of them."""
    trainings: np.ndarray
    """What training makes of them."""

    @classmethod
    def of(cls, joint: Joint) -> "_Covariances":
        """Return the covariances that a study estimates; unknown ones are 0, and their contrasts have no interval."""
        items = np.nan_to_num(joint.covariances.sum(axis=0))
        return cls(items, noise_covariance(joint.trainings, joint.value, items))


def _normal(covariance: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw (STUDIES, runs) normal values with mean 0."""
    values, vectors = np.linalg.eigh(covariance)
    return (rng.standard_normal((STUDIES, len(values))) * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def _luck(joint: Joint, rng: np.random.Generator) -> np.ndarray:
    df = np.nan_to_num(joint.dfs, nan=1.0)[:, None]
    return rng.chisquare(df, (len(df), STUDIES)) / df


def drawn(joint: Joint, seed: int) -> Drawn:
    """Draw repeated studies of the runs of a comparison; with the same seed, the same luck."""
    rng, true = np.random.default_rng([STUDIES_SEED, seed]), _Covariances.of(joint)
    return Drawn(_normal(true.items, rng), _normal(true.trainings, rng), _luck(joint, rng))


def drawn_with_sides(both: Joint, low: Joint, high: Joint, seed: int) -> tuple[Drawn, Drawn, Drawn]:
    """Draw as `drawn` the averages of two groups of languages, and their difference `both`.

    The groups have items and trainings in common: what their averages have in common is half of what the variance of
    the difference lacks to the sum of theirs.
    """
    rng, true = np.random.default_rng([STUDIES_SEED, seed]), [_Covariances.of(one) for one in (both, low, high)]

    def sides(difference: np.ndarray, first: np.ndarray, second: np.ndarray) -> list[np.ndarray]:
        common = (first + second - difference) / 2
        return np.split(_normal(np.block([[first, common], [common, second]]), rng), 2, axis=1)

    of_items, of_trainings = sides(*(one.items for one in true)), sides(*(one.trainings for one in true))
    values = [(items, trainings) for items, trainings in zip(of_items, of_trainings, strict=True)]
    values = [(of_items[0] - of_items[1], of_trainings[0] - of_trainings[1]), *values]
    first, second, third = (
        Drawn(*one, _luck(joint, rng)) for one, joint in zip(values, (both, low, high), strict=True)
    )
    return first, second, third


def repeated(joint: Joint, drawn: Drawn, weights: np.ndarray) -> Estimate:
    """Return what repeated studies estimate of contrasts, with `weights` (runs, contrasts), by the procedure of one.

    Where an interval is over items alone, trainings move no study: its verdict is one about these runs.
    """
    found = replace(joint, value=drawn.by_items + drawn.by_trainings).contrast(weights)
    of_items = len(joint.dfs)
    variances = np.concatenate([found.variances[:of_items] * drawn.luck[:, :, None], found.variances[of_items:]])
    return replace(
        found, value=np.where(found.scope == ITEMS, drawn.by_items @ weights, found.value), variances=variances
    )
