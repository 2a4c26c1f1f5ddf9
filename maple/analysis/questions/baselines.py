"""Baselines: what a run is compared with, the untouched base or the runs of another method."""

from collections.abc import Sequence

import numpy as np

from maple.analysis.questions.contrasts import UNIT, Contrast, labels_of, mean_of
from maple.analysis.questions.evidence import Evidence
from maple.definitions.question import Baseline, Reference, RunSelection
from maple.definitions.run import Run

BLIND = "blind"
NO_BLIND = (
    "no task is asked again without its pictures in every run that is compared; add one with pictures to `tasks`, and "
    "blind to its `answers`"
)
_NO_RUN = "no run is finetuned; add `datasets` and `methods` under `grid`"
_SEVERAL = (
    "several variants of {0} could be the baseline; write values of its axes in the question's file, as "
    "`baseline: {{method: {0}, axes: {{bits: 16}}}}`"
)


class NoBaselineError(ValueError):
    """No run has a baseline to compare it with; the message says what to write."""


def reference_runs(evidence: Evidence, reference: Reference, run: Run) -> list[int]:
    """Return the numbers of the runs that `run` is compared with: the seeds of one variant of the reference's method.

    They have the model and the dataset of `run`. Of several variants, it is the one whose axes have the run's values,
    as far as both have an axis. Raises NoBaselineError if several variants fit.
    """
    found = [
        number
        for number, other in enumerate(evidence.runs)
        if other.family == reference.method
        and (other.model, other.dataset) == (run.model, run.dataset)
        and all(other.axis(axis) == value for axis, value in reference.axes.items())
    ]
    if len({evidence.runs[number].method for number in found}) > 1:
        found = [number for number in found if _agree(evidence.runs[number], run)]
    if len({evidence.runs[number].method for number in found}) > 1:
        raise NoBaselineError(_SEVERAL.format(reference.method))
    return found


def _agree(one: Run, other: Run) -> bool:
    return all(one.axis(axis) == other.axis(axis) for axis in set(one.axes) & set(other.axes))


def changes(evidence: Evidence, baseline: Baseline, selection: RunSelection, by: Sequence[str]) -> list[Contrast]:
    """Return the contrast of every selected run with its baseline, labelled by UNIT and `by`.

    A run is compared with the mean over the seeds of the reference. Compared with its blind answers, it is the only run
    of its contrast, whose two sides are cells (maple.analysis.questions.comparison.less_blind). Raises NoBaselineError
    if no run has a baseline.
    """
    names = dict.fromkeys((*UNIT, *by))
    one, runs = np.eye(len(evidence.runs)), evidence.runs
    tuned = [number for number in evidence.selected(selection) if not runs[number].is_baseline]
    if not tuned:
        raise NoBaselineError(_NO_RUN)
    if baseline == BLIND:
        return [Contrast(labels_of(runs[number], names), (number,), one[number]) for number in tuned]
    if not isinstance(baseline, Reference):
        pairs = [(number, [int(base)]) for number in tuned if (base := evidence.scores.bases[number]) >= 0]
        missing = (
            "no untouched base has scores; add one, or name a method in the question's file, as `baseline: {method: "
            "full}`: a model whose head is random before finetuning cannot answer untouched"
        )
    else:
        others = [number for number in tuned if runs[number].family != baseline.method]
        pairs = [(number, reference_runs(evidence, baseline, runs[number])) for number in others]
        missing = (
            f"no two runs differ only in that one is of {baseline.method}; add {baseline.method} and another method to "
            "`methods` under `grid`, on the same models and datasets"
        )
    if not any(against for _, against in pairs):
        raise NoBaselineError(missing)
    return [
        Contrast(labels_of(runs[number], names), (number, *against), one[number] - mean_of(against, len(runs)))
        for number, against in pairs
        if against
    ]
