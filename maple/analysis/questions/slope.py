"""Questions of the shape: how does the score change over an axis of the grid?"""

import math
from typing import Literal

import numpy as np
import polars as pl

from maple.analysis.item_scores import ItemScores
from maple.analysis.questions.contrasts import Contrast, answer_from_contrasts, equal_weights, labels_of
from maple.analysis.questions.records import Answer, NotAsked, Question

Axis = Literal["rank", "bits"]
# What the runs of one curve over an axis have in common, beside the seed.
_CURVES = {"rank": ("model", "dataset", "family", "bits"), "bits": ("model", "dataset", "family", "rank")}


def _slopes(scores: ItemScores, axis: Axis) -> list[Contrast]:
    """Return the least-squares slope per doubling of `axis` of each curve: runs that differ only in it.

    Methods without the axis have no curve.
    """
    curves: dict[tuple, dict[int, float]] = {}
    for number, run in enumerate(scores.runs):
        if (value := run.axis(axis)) is not None:
            key = (*labels_of(run, _CURVES[axis]).values(), run.seed)
            curves.setdefault(key, {})[number] = math.log2(value)
    contrasts = []
    for curve in curves.values():
        doublings = np.array(list(curve.values()))
        if np.ptp(doublings) > 0:
            weights = np.zeros(len(scores.runs))
            weights[list(curve)] = (doublings - doublings.mean()) / ((doublings - doublings.mean()) ** 2).sum()
            first = scores.runs[next(iter(curve))]
            contrasts.append(Contrast(labels_of(first, _CURVES[axis]), tuple(curve), weights))
    return contrasts


def slope_answer(
    question: Question, scores: ItemScores, axis: Axis, low: pl.DataFrame, confidence: float
) -> Answer | NotAsked:
    """Answer how the score of low-resource cells, `low`, changes per doubling of `axis`."""
    contrasts = _slopes(scores, axis)
    if low.is_empty():
        missing = "no low-resource language is scored in every run; add one to `languages`"
        return question.not_asked(missing)
    if not contrasts:
        missing = f"no two runs differ in {axis} alone; add a second value to `{axis}` of a method under `grid`"
        return question.not_asked(missing)
    return answer_from_contrasts(question, scores, low, equal_weights(low), contrasts, confidence, unit=_CURVES[axis])
