"""Questions of the shape: how does the score change against a baseline?"""

from collections.abc import Sequence

import numpy as np
from scipy.special import stdtr

from maple.analysis.questions.baselines import BLIND, NO_BLIND, NoBaselineError, changes
from maple.analysis.questions.comparison import (
    Blocks,
    Comparison,
    Pick,
    blocks_of,
    equally,
    less_blind,
)
from maple.analysis.questions.contrast_answers import answer_from_contrasts
from maple.analysis.questions.contrasts import Contrast
from maple.analysis.questions.evidence import Evidence
from maple.analysis.questions.records import Answer, EnglishLoss, Gate, NotAsked, not_asked
from maple.analysis.statistics import holm
from maple.definitions.question import Baseline, ChangeQuestion, MarginQuestion


def against(baseline: Baseline, pick: Pick) -> Pick:
    """Return what gives the cells of a change: those that `pick` gives, and of the baseline `blind` both sides."""
    return less_blind(pick) if baseline == BLIND else pick


def compared_changes(
    name: str, question: ChangeQuestion | MarginQuestion, evidence: Evidence
) -> tuple[Blocks, Comparison] | NotAsked:
    """Return the changes of all selected runs against their baselines, and the comparison that estimates them."""
    if evidence.has_no_cells(question.cells):
        return not_asked(name, question, evidence.missing(question.cells))
    try:
        contrasts = changes(evidence, question.baseline, question.runs, question.by)
    except NoBaselineError as error:
        return not_asked(name, question, str(error))
    pick = against(question.baseline, equally(question.cells))
    blocks = blocks_of(evidence, contrasts, question.cells, lambda cells: not pick(cells).cells.is_empty())
    if not blocks.contrasts:
        return not_asked(name, question, NO_BLIND if question.baseline == BLIND else evidence.missing(question.cells))
    return blocks, blocks.compare(pick)


def change_answer(name: str, question: ChangeQuestion, evidence: Evidence) -> Answer | NotAsked:
    """Answer how scores change against the baseline; if the question says so, name the runs that lost English."""
    compared = compared_changes(name, question, evidence)
    if isinstance(compared, NotAsked):
        return compared
    blocks, comparison = compared
    confidence = evidence.settings.confidence
    answer = answer_from_contrasts(
        name, question, evidence, comparison, blocks.contrasts, by=question.by, confidence=confidence
    )
    if not question.names_losses:
        return answer
    return answer.model_copy(update={"gate": _gate(evidence, comparison, blocks.contrasts)})


def _gate(evidence: Evidence, comparison: Comparison, contrasts: Sequence[Contrast]) -> Gate:
    """Name the runs that lost more points than the bound on English; p is corrected by Holm over all runs."""
    bound, confidence = evidence.settings.english_bound, evidence.settings.confidence
    effects = comparison.estimate(contrasts, confidence)
    p = holm(
        np.array([stdtr(one.df, (one.effect + bound) / one.se) if one.se else np.nan for one in effects], dtype=float)
    )
    losses = [
        EnglishLoss(
            run=evidence.runs[contrast.runs[0]].path,
            **effect.change.params(),
            p_holm=float(p_holm) if np.isfinite(p_holm) else None,
            sure=effect.high is not None and effect.high < -bound and bool(p_holm <= 1 - confidence),
        )
        for contrast, effect, p_holm in zip(contrasts, effects, p, strict=True)
        if effect.effect < -bound
    ]
    return Gate(bound=bound, runs=len(contrasts), lost_more=losses)
