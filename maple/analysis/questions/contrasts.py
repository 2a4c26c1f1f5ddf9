"""Contrasts: weighted sums of runs' scores, by which the questions compare runs."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import polars as pl

from maple.analysis.questions.effect import Effect
from maple.analysis.questions.records import Part
from maple.analysis.statistics import Estimate
from maple.analysis.training_noise import SCOPES
from maple.definitions.run import AxisValue, Run

UNIT = ("model", "dataset", "method")
_FIELDS = {field.name for field in fields(Run)}
LabelValue = AxisValue | list[str] | None


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of scores."""

    labels: dict[str, LabelValue]
    """What the contrast is about: fields and axes of Run, "models", "datasets" and "methods"."""
    runs: tuple[int, ...]
    """The numbers of the runs that it compares."""
    weights: np.ndarray
    """(runs,) The weight of each run's score; in a Comparison (columns,), the weight of each of its columns."""


def labels_of(run: Run, names: Iterable[str]) -> dict[str, LabelValue]:
    """Return some of a run's fields and axes by name; None for an axis that it lacks."""
    return {name: getattr(run, name) if name in _FIELDS else run.axis(name) for name in names}


def labels_by_axis(run: Run, names: Iterable[str]) -> dict[str, LabelValue]:
    """Return labels_of a run where axes are names of their own: the dataset is its file, without their values."""
    labels = labels_of(run, names)
    return labels | {"dataset": run.dataset_family} if "dataset" in labels else labels


def average_contrasts(contrasts: Iterable[Contrast], names: Sequence[str]) -> list[Contrast]:
    """Average the contrasts whose labels `names` are the same, in the order of the first of each."""
    groups: dict[tuple, list[Contrast]] = {}
    for contrast in contrasts:
        key = [contrast.labels[name] for name in names]
        groups.setdefault(tuple(tuple(label) if isinstance(label, list) else label for label in key), []).append(
            contrast
        )
    return [
        Contrast(
            labels={name: group[0].labels[name] for name in names},
            runs=tuple(sorted({run for contrast in group for run in contrast.runs})),
            weights=np.mean([contrast.weights for contrast in group], axis=0),
        )
        for group in groups.values()
    ]


def mean_of(numbers: Sequence[int], runs: int) -> np.ndarray:
    """Return the weights, (runs,), of the mean of the runs with these numbers."""
    weights = np.zeros(runs)
    weights[list(numbers)] = 1 / len(numbers)
    return weights


def effects(estimate: Estimate, confidence: float, least: float) -> list[Effect]:
    """Return estimates in points, with intervals, standard errors, degrees of freedom, and p.

    p is that of an effect of at most `least` points.
    """
    low, high = estimate.interval(confidence)
    in_points = {"effect": estimate.value, "low": low, "high": high, "se": estimate.se}
    in_points["se_trainings"] = np.minimum(np.sqrt(estimate.trainings), estimate.se)
    columns = {
        **{name: 100 * column for name, column in in_points.items()},
        "df": estimate.df,
        "p": estimate.p(least / 100),
    }
    finite = {name: [x if math.isfinite(x) else None for x in column.tolist()] for name, column in columns.items()}
    scopes = [SCOPES[scope] for scope in np.broadcast_to(estimate.scope, len(estimate.value))]
    return [Effect.model_validate(row) for row in pl.DataFrame(finite | {"of": scopes}).to_dicts()]


def parts_of(estimate: Estimate, contrasts: Sequence[Contrast], confidence: float, least: float) -> list[Part]:
    """Return the labels of contrasts with their estimates in points."""
    rows = zip(contrasts, effects(estimate, confidence, least), strict=True)
    return [Part(**contrast.labels, **effect.params()) for contrast, effect in rows]
