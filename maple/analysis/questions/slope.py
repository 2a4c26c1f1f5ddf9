"""Questions of the shape: how does the score change over an axis of the grid?"""

import math

import numpy as np
import polars as pl

from maple.analysis.item_scores import ItemScores
from maple.analysis.questions.contrasts import Line, answer_from_contrasts, equal_weights

# What a curve over one axis has in common, beside the seed.
_CURVES = {"rank": ("model", "dataset", "family", "bits"), "bits": ("model", "dataset", "family", "rank")}


def _slopes(scores: ItemScores, axis: str) -> list[Line]:
    """Return the least-squares slope over each doubling of `axis` where runs differ in it alone.

    Methods without the axis have none.
    """
    curves: dict[tuple, dict[int, float]] = {}
    for number, run in enumerate(scores.runs):
        if run[axis] is not None:
            key = tuple(run[name] for name in (*_CURVES[axis], "seed"))
            curves.setdefault(key, {})[number] = math.log2(run[axis])
    lines = []
    for key, points in curves.items():
        doublings = np.array(list(points.values()))
        if np.ptp(doublings) > 0:
            weights = np.zeros(len(scores.runs))
            weights[list(points)] = (doublings - doublings.mean()) / ((doublings - doublings.mean()) ** 2).sum()
            lines.append(({**dict(zip(_CURVES[axis], key, strict=False)), "runs": list(points)}, weights))
    return lines


def capacity_answer(scores: ItemScores, axis: str, low: pl.DataFrame, confidence: float) -> dict | str:
    """Answer how the score of low-resource cells changes per doubling of `axis`, or return what is missing."""
    lines = _slopes(scores, axis)
    if low.is_empty():
        return "no low-resource language is scored in every run; add one to `languages`"
    if not lines:
        return f"no two runs differ in {axis} alone; add a second value to `{axis}` of a method under `grid`"
    return answer_from_contrasts(scores, low, equal_weights(low), lines, confidence, unit=_CURVES[axis])
