"""Questions of the shape: in which order do things stand, and which of them cannot be told apart?"""

from collections.abc import Sequence
from typing import get_args

import numpy as np

from maple.analysis.questions.comparison import blocks_with, equally, paths_of, stacked
from maple.analysis.questions.contrasts import UNIT, Contrast, average_contrasts, labels_by_axis, labels_of, mean_of
from maple.analysis.questions.evidence import Evidence
from maple.analysis.questions.records import SUPPORTED, UNDETERMINED, NotAsked, Rank, Ranking, heading, not_asked
from maple.analysis.questions.scope import with_missing
from maple.analysis.simultaneous import pairs_of, rank_sets
from maple.analysis.training_noise import SCOPES
from maple.definitions.question import Label, RankingQuestion


def _settings(evidence: Evidence, question: RankingQuestion) -> tuple[list[str], list[dict[str, list[int]]]]:
    """Return what is ranked, and the runs of each in every setting that all of them have.

    A setting is a model, a dataset and a method variant, without what is ranked. Runs without a ranked axis are left
    out.
    """
    of, by_axis = question.of, question.of not in get_args(Label)
    rest = [label for label in UNIT if label != ("method" if of == "family" else of)]
    if by_axis:
        rest = ["model", "dataset", "family", *evidence.axes_but({of})]
    settings: dict[tuple, dict[str, list[int]]] = {}
    for number in evidence.selected(question.runs):
        run = evidence.runs[number]
        value = labels_of(run, [of])[of]
        if not run.is_baseline and value is not None:
            labels = labels_by_axis(run, rest) if by_axis else labels_of(run, rest)
            settings.setdefault(tuple(labels.values()), {}).setdefault(str(value), []).append(number)
    names = list(dict.fromkeys(name for members in settings.values() for name in members))
    return names, [members for members in settings.values() if len(members) == len(names)]


def _contrasts(evidence: Evidence, names: Sequence[str], settings: Sequence[dict[str, list[int]]]) -> list[Contrast]:
    """Return the mean score of each of `names` in each setting; all runs of a setting share its tasks."""
    return [
        Contrast(
            {"name": name},
            tuple(sorted(number for numbers in members.values() for number in numbers)),
            mean_of(members[name], len(evidence.runs)),
        )
        for members in settings
        for name in names
    ]


def ranking_answer(name: str, question: RankingQuestion, evidence: Evidence) -> Ranking | NotAsked:
    """Answer in which order things stand: the mean score of each over all settings that all have, and its rank set.

    The claim is that the first is better than every other. It is supported if its rank set is {1}. Pairs are corrected
    by max-t over their joint covariance; by Holm where runs are asked different tasks, since what the errors of several
    blocks have in common is not known (Comparison.contrast).
    """
    if evidence.has_no_cells(question.cells):
        return not_asked(name, question, evidence.missing(question.cells))
    names, settings = _settings(evidence, question)
    if len(names) < 2:
        return not_asked(name, question, f"there is one {question.of} alone; add a second one under `grid`")
    if not settings:
        missing = f"no setting has every {question.of}; finetune all of them on one model and dataset under `grid`"
        return not_asked(name, question, missing)
    blocks = blocks_with(evidence, _contrasts(evidence, names, settings), question.cells)
    if not blocks.contrasts:
        return not_asked(name, question, evidence.missing(question.cells))
    means = average_contrasts(blocks.contrasts, ("name",))
    weights = stacked(means)
    comparison = blocks.compare(equally(question.cells))
    first, second = pairs_of(len(names))
    differences = comparison.contrast(weights[:, first] - weights[:, second])
    sets = rank_sets(differences, comparison.covariance(weights), len(names), 1 - evidence.settings.confidence)
    scores = 100 * (comparison.value @ weights)
    order = np.argsort(-scores, kind="stable")
    ranks = [
        Rank(name=names[at], score=float(scores[at]), low=int(sets.low[at]), high=int(sets.high[at])) for at in order
    ]
    sure = ranks[0].high == 1
    of = SCOPES[differences.scope[(first == order[0]) | (second == order[0])].min()]
    because = f"{ranks[0].name} is {'surely' if sure else 'not surely'} better than every other {question.of}"
    return Ranking(
        **heading(name, question),
        ranks=ranks,
        pairs=len(first),
        told_apart=sets.told_apart,
        cells=comparison.cells,
        left_out=comparison.left_out,
        runs=paths_of(evidence, blocks.contrasts),
        of=of,
        verdict=SUPPORTED if sure else UNDETERMINED,
        because=with_missing(because, of, evidence.runs) if sure else because,
    )
