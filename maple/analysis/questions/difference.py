"""Questions of the shape: how much do two groups of runs differ, as those of two groups of models?"""

from maple.analysis.questions.contrast_answers import mean_answer
from maple.analysis.questions.contrasts import Contrast, labels_by_axis, labels_of, mean_of
from maple.analysis.questions.evidence import Evidence
from maple.analysis.questions.records import Answer, NotAsked
from maple.definitions.question import DifferenceQuestion


def _in_common(evidence: Evidence, question: DifferenceQuestion) -> list[str]:
    """Return the labels of a setting: `same` and, with family in it, the axes by which no group is selected."""
    selected = {*question.first.axes, *question.second.axes}
    return [*question.same, *(evidence.axes_but(selected) if "family" in question.same else [])]


def _settings(evidence: Evidence, question: DifferenceQuestion) -> list[Contrast]:
    """Return, for each setting that both groups have, the mean of the first group less the mean of the second.

    A setting is what _in_common names. Runs in both groups are in neither.
    """
    names = _in_common(evidence, question)
    label = labels_by_axis if "family" in question.same else labels_of
    groups = [set(evidence.selected(question.runs, group)) for group in (question.first, question.second)]
    settings: dict[tuple, tuple[list[int], list[int]]] = {}
    for number, run in enumerate(evidence.runs):
        if not run.is_baseline and (number in groups[0]) != (number in groups[1]):
            sides = settings.setdefault(tuple(label(run, names).values()), ([], []))
            sides[number in groups[1]].append(number)
    runs = len(evidence.runs)
    return [
        Contrast(
            dict(zip(names, setting, strict=True)),
            (*first, *second),
            mean_of(first, runs) - mean_of(second, runs),
        )
        for setting, (first, second) in settings.items()
        if first and second
    ]


def difference_answer(name: str, question: DifferenceQuestion, evidence: Evidence) -> Answer | NotAsked:
    """Answer by how much the first group scores above the second: the mean over all settings that both have.

    The groups are not paired by run, but every item is answered by the runs of both, so errors are paired by item. The
    interval is over other items and, with several seeds, other seeds; the models of a group are fixed: it says nothing
    of models that the grid does not have.
    """
    same = [*question.same, *(["other axes"] if "family" in question.same else [])]
    missing = f"no two runs of the two groups have the same {' and '.join(same)}; add them under `grid`"
    contrasts = _settings(evidence, question)
    unit = _in_common(evidence, question)
    return mean_answer(name, question, evidence, contrasts, missing, by=question.same[:1], unit=unit)
