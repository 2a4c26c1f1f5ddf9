"""Questions of the shape: which of two factors moves the score more?"""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from maple.analysis.item_scores import ItemScores
from maple.analysis.questions.contrasts import (
    UNIT,
    Contrast,
    average_contrasts,
    effects,
    equal_weights,
    estimate_contrasts,
    labels_of,
    languages_by_task,
    paths_of,
)
from maple.analysis.questions.records import Answer, Effect, Line, NotAsked, Part, Question
from maple.analysis.statistics import Joint

Axis = Literal["model", "dataset"]
# The number of differences, between models or between datasets, that are tried with both signs; each one more doubles
# the number of contrasts.
SIGNS = 10


def _differences(scores: ItemScores, axis: Axis, of_bases: bool = False) -> list[Contrast]:
    """Return the difference, the first less the second, of every two runs that differ only in `axis`.

    They are finetuned runs or, with `of_bases`, base models.
    """
    one = np.eye(len(scores.runs))
    runs = [(number, run) for number, run in enumerate(scores.runs) if run.is_baseline == of_bases]
    same = [name for name in (*UNIT, "seed") if name != axis]
    return [
        Contrast(
            {**labels_of(a, UNIT), f"{axis}s": [getattr(a, axis), getattr(b, axis)]},
            (first, second),
            one[first] - one[second],
        )
        for (first, a), (second, b) in itertools.combinations(runs, 2)
        if getattr(a, axis) != getattr(b, axis) and labels_of(a, same) == labels_of(b, same)
    ]


@dataclass(frozen=True)
class _Size:
    """The mean size of some differences: the mean of their absolute values."""

    mean: float
    """The mean size, as a share of 1."""
    signed: np.ndarray
    """(runs, 1) The contrast that gives it: the mean of the differences, each with its estimated sign."""
    all_signs: np.ndarray
    """(runs, combinations) The same with both signs of the SIGNS smallest differences, in all combinations."""


def _size(joint: Joint, differences: list[Contrast]) -> _Size:
    weights = np.stack([contrast.weights for contrast in differences], axis=1)
    values = joint.value @ weights
    estimated = np.where(values < 0, -1, 1)
    smallest = np.argsort(np.abs(values))[:SIGNS]
    signs = np.repeat(estimated[:, None], 2 ** len(smallest), axis=1)
    signs[smallest] = np.array(list(itertools.product((1, -1), repeat=len(smallest)))).T
    return _Size(
        mean=float(np.abs(values).mean()),
        signed=weights @ estimated[:, None] / len(values),
        all_signs=weights @ signs / len(values),
    )


def _bound(of: Callable[[Iterable[float]], float], bounds: Sequence[float | None]) -> float | None:
    """Return the lowest or the highest of some bounds; None if one of them is unknown."""
    numbers = [bound for bound in bounds if bound is not None]
    return of(numbers) if numbers and len(numbers) == len(bounds) else None


def _compare_sizes(joint: Joint, model: _Size, dataset: _Size, confidence: float) -> Effect:
    """Estimate the mean size of the differences between models less that of the differences between datasets.

    |M| is M or -M, whichever is greater, so |M| - |D| is the smaller of |M| - D and |M| + D. It is above zero only if
    both of these contrasts are, which is an intersection-union test (Berger 1982, Technometrics 24), and the lower
    bound of its interval is the lowest of theirs. Likewise its upper bound is the highest of M - |D| and -M - |D|. With
    many differences only the SIGNS smallest take both signs, and the larger ones their estimated sign.
    """
    above = effects(joint.contrast(model.signed - dataset.all_signs), confidence)
    below = effects(joint.contrast(model.all_signs - dataset.signed), confidence)
    binding = max(above if model.mean > dataset.mean else below, key=lambda row: math.inf if row.p is None else row.p)
    update = {
        "effect": 100 * (model.mean - dataset.mean),
        "low": _bound(min, [row.low for row in above]),
        "high": _bound(max, [row.high for row in below]),
    }
    return binding.model_copy(update=update)


def factor_answer(question: Question, scores: ItemScores, cells: pl.DataFrame, confidence: float) -> Answer | NotAsked:
    """Answer whether scores differ more between base models than between datasets, on the mean of `cells`.

    The parts are the differences themselves, those between base models that were not finetuned among them.
    """
    if cells.is_empty():
        return question.not_asked("no task and language is scored in every run")
    axes: tuple[tuple[Axis, Axis], ...] = (("model", "dataset"), ("dataset", "model"))
    runs = {axis: _differences(scores, axis) for axis, _ in axes}
    for axis, differences in runs.items():
        if not differences:
            missing = f"no two runs differ in {axis} alone; add a second one to `{axis}s` under `grid`"
            return question.not_asked(missing)
    joint = scores.average_shared_items(cells["cell"].to_list(), equal_weights(cells))
    lines: list[Line] = []
    parts: list[Part] = []
    sizes: dict[str, _Size] = {}
    for axis, other in axes:
        units = average_contrasts(runs[axis], (f"{axis}s", other, "method"))
        sizes[axis] = _size(joint, average_contrasts(units, (f"{axis}s",)))
        pairs = average_contrasts([*_differences(scores, axis, of_bases=True), *units], (f"{axis}s", other))
        parts += estimate_contrasts(joint, pairs, confidence)
        lines += [Line(**row.params()) for row in estimate_contrasts(joint, units, confidence)]
    effect = _compare_sizes(joint, sizes["model"], sizes["dataset"], confidence)
    return Answer(
        **question.params(),
        **effect.params(),
        sizes={axis: 100 * size.mean for axis, size in sizes.items()},
        parts=parts,
        lines=lines,
        cells=languages_by_task(cells),
        runs=paths_of(scores, [*runs["model"], *runs["dataset"]]),
    )
