"""Questions of the shape: how does the score change over an axis of the grid?"""

import math

import numpy as np

from maple.analysis.questions.comparison import answer_from_contrasts, blocks_of, equally
from maple.analysis.questions.contrasts import Contrast, LabelValue, labels_of
from maple.analysis.questions.evidence import Evidence, select_cells
from maple.analysis.questions.records import Answer, NotAsked, not_asked
from maple.definitions.question import SlopeQuestion


def _curve_labels(evidence: Evidence, axis: str) -> tuple[str, ...]:
    """Return what the runs of one curve over an axis have in common, beside the seed: all other axes of the grid."""
    others = dict.fromkeys(other for run in evidence.runs for other in run.axes if other != axis)
    return ("model", "dataset", "family", *others)


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
            labels = labels_of(run, names) | {"dataset": run.dataset_family}
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
    if evidence.has_no_cells(question.cells):
        return not_asked(name, question, evidence.missing(question.cells))
    if not contrasts:
        missing = f"no two runs differ in {axis} alone; add a second value to `{axis}` of a method under `grid`"
        return not_asked(name, question, missing)
    blocks = blocks_of(evidence, contrasts, lambda cells: not select_cells(cells, question.cells).is_empty())
    if not blocks.contrasts:
        return not_asked(name, question, evidence.missing(question.cells))
    return answer_from_contrasts(
        name,
        question,
        evidence,
        blocks.compare(equally(question.cells)),
        blocks.contrasts,
        by=question.by,
        unit=_curve_labels(evidence, axis),
        confidence=evidence.settings.confidence,
    )
