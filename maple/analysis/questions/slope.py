"""Questions of the shape: how does the score change over an axis of the grid?"""

import math

import numpy as np

from maple.analysis.questions.contrast_answers import mean_answer
from maple.analysis.questions.contrasts import Contrast, LabelValue, labels_by_axis
from maple.analysis.questions.evidence import Evidence
from maple.analysis.questions.records import Answer, NotAsked
from maple.definitions.dataset import DatasetAxes
from maple.definitions.question import SlopeQuestion


def _curve_labels(evidence: Evidence, axis: str) -> tuple[str, ...]:
    """Return what the runs of one curve over an axis have in common, beside the seed: all other axes of the grid."""
    return ("model", "dataset", "family", *evidence.axes_but({axis}))


def _slopes(evidence: Evidence, question: SlopeQuestion) -> list[Contrast]:
    """Return the least-squares slope of each curve: runs that differ only in the question's axis.

    Runs without a number on the axis are in no curve.
    """
    names = _curve_labels(evidence, question.axis)
    curves: dict[tuple, tuple[dict[str, LabelValue], dict[int, float]]] = {}
    for number in evidence.selected(question.runs):
        run = evidence.runs[number]
        value = run.axis(question.axis)
        if isinstance(value, int | float):
            labels = labels_by_axis(run, names)
            place = math.log2(value) if question.per == "doubling" else float(value)
            curves.setdefault((*labels.values(), run.seed), (labels, {}))[1][number] = place
    contrasts = []
    for labels, curve in curves.values():
        places = np.array(list(curve.values()))
        if np.ptp(places) > 0:
            weights = np.zeros(len(evidence.runs))
            weights[list(curve)] = (places - places.mean()) / ((places - places.mean()) ** 2).sum()
            contrasts.append(Contrast(labels, tuple(curve), weights))
    return contrasts


def slope_answer(name: str, question: SlopeQuestion, evidence: Evidence) -> Answer | NotAsked:
    """Answer how the score changes per doubling, or per unit, of an axis: the mean of all curves' slopes."""
    contrasts, axis = _slopes(evidence, question), question.axis
    owner = "dataset" if axis in DatasetAxes.model_fields else "method"
    missing = (
        f"no two runs differ in a number of {axis} alone; add a second number to `{axis}` of a {owner} under `grid`"
    )
    unit = _curve_labels(evidence, axis)
    return mean_answer(name, question, evidence, contrasts, missing, by=question.by, unit=unit)
