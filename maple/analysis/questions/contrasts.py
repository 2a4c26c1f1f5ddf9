"""Contrasts: weighted sums of runs' scores, by which the questions compare runs."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from maple.analysis.item_scores import ItemScores
from maple.analysis.questions.records import Answer, Effect, Line, Part, Question
from maple.analysis.statistics import Estimate, Joint
from maple.definitions.run import Run

UNIT = ("model", "dataset", "method")
AXES = ("rank", "bits")


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of the scores of all runs."""

    labels: dict[str, str | int | list[str] | None]
    """What the contrast is about: fields of Run, "models" and "datasets"."""
    runs: tuple[int, ...]
    """The numbers of the runs that it compares."""
    weights: np.ndarray
    """(runs,) The weight of each run's score."""


def labels_of(run: Run, names: Iterable[str]) -> dict[str, str | int | list[str] | None]:
    """Return some of a run's fields by name."""
    return {name: run.axis(name) if name in AXES else getattr(run, name) for name in names}


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


def effects(estimate: Estimate, confidence: float) -> list[Effect]:
    """Return estimates in points, with intervals, standard errors, degrees of freedom and p."""
    low, high = estimate.interval(confidence)
    in_points = {"effect": estimate.value, "low": low, "high": high, "se": estimate.se}
    columns = {**{name: 100 * column for name, column in in_points.items()}, "df": estimate.df, "p": estimate.p()}
    finite = {name: [x if math.isfinite(x) else None for x in column.tolist()] for name, column in columns.items()}
    return [Effect.model_validate(row) for row in pl.DataFrame(finite).to_dicts()]


def estimate_contrasts(joint: Joint, contrasts: Sequence[Contrast], confidence: float) -> list[Part]:
    """Return the contrasts' labels with their estimates in points."""
    estimate = joint.contrast(np.stack([contrast.weights for contrast in contrasts], axis=1))
    rows = zip(contrasts, effects(estimate, confidence), strict=True)
    return [Part(**contrast.labels, **effect.params()) for contrast, effect in rows]


def languages_by_task(cells: pl.DataFrame) -> dict[str, list[str]]:
    """Return the languages of some cells, by task."""
    return {str(task): rows["language"].to_list() for (task,), rows in cells.group_by("task", maintain_order=True)}


def paths_of(scores: ItemScores, contrasts: Iterable[Contrast]) -> list[str]:
    """Return the paths of the runs that contrasts compare, in the order of the grid."""
    return [scores.runs[number].path for number in sorted({run for contrast in contrasts for run in contrast.runs})]


def answer_from_contrasts(
    question: Question,
    scores: ItemScores,
    cells: pl.DataFrame,
    weights: np.ndarray,
    contrasts: Sequence[Contrast],
    confidence: float,
    unit: Sequence[str] = UNIT,
) -> Answer:
    """Return the answer that contrasts give on the weighted mean of cells, without its verdict.

    Its lines average the contrasts by the labels `unit`, as the seeds of one setting; its parts average the lines by
    model and dataset, and its effect averages all lines.
    """
    units = average_contrasts(contrasts, unit)
    parts = average_contrasts(units, UNIT[:2])
    joint = scores.average_shared_items(cells["cell"].to_list(), weights)
    whole, *rows = estimate_contrasts(joint, [*average_contrasts(units, ()), *parts, *units], confidence)
    return Answer(
        **question.params(),
        **whole.params(),
        parts=rows[: len(parts)],
        lines=[Line(**row.params()) for row in rows[len(parts) :]],
        cells=languages_by_task(cells),
        runs=paths_of(scores, contrasts),
    )


def equal_weights(cells: pl.DataFrame) -> np.ndarray:
    """Return equal weights for the cells, which sum to 1."""
    return np.full(cells.height, 1 / cells.height)
