"""Questions of the shape: is the score not worse than a baseline's by more than a margin, or within it?"""

from typing import TypeVar

import numpy as np
from scipy.special import stdtr

from maple.analysis.questions.change import compared_changes
from maple.analysis.questions.contrast_answers import answer_from_contrasts
from maple.analysis.questions.effect import Effect
from maple.analysis.questions.evidence import Evidence
from maple.analysis.questions.records import CONTRADICTED, SUPPORTED, UNDETERMINED, Answer, Margin, NotAsked, Verdict
from maple.definitions.question import MarginQuestion

_E = TypeVar("_E", bound=Effect)


def one_sided_confidence(confidence: float) -> float:
    """Return the confidence of the interval that belongs to one-sided tests at alpha = 1 - confidence: 1 - 2 alpha.

    Its lower bound lies above a number exactly if the one-sided test against the number rejects at alpha.
    """
    return 2 * confidence - 1


def margin_p(effect: Effect, margin: Margin) -> tuple[float | None, float | None]:
    """Return the p of the claim that an effect is within the margin, and that of the claim that it is beyond it.

    Of equivalence, the first is that of two one-sided tests (TOST; Schuirmann 1987, Journal of Pharmacokinetics and
    Biopharmaceutics 15): the larger of their two p. The second is twice the smaller p of the two opposite tests. None
    without a standard error.
    """
    if not effect.se or effect.df is None:
        return None, None
    below, above = (
        float(stdtr(effect.df, (effect.effect - bound) / effect.se)) for bound in (-margin.points, margin.points)
    )
    # `below` is p of "less than -margin", `above` of "less than +margin"; the opposite claims have 1 - p.
    not_worse = float(stdtr(effect.df, -(effect.effect + margin.points) / effect.se))
    if margin.test == "non-inferiority":
        return not_worse, below
    better = float(stdtr(effect.df, -(effect.effect - margin.points) / effect.se))
    return max(not_worse, above), min(1.0, 2 * min(below, better))


def margin_verdict(effect: Effect, margin: Margin, p_holm: float, level: float, tests: int) -> tuple[Verdict, str]:
    """Return the verdict on the claim that an effect is within the margin, and its reason.

    It is supported if its corrected p is at most `level`, which is a test at the bounds of the interval. It is
    contradicted if the opposite claim is significant at `level` divided by the number of tests (Bonferroni).
    """
    _, opposite = margin_p(effect, margin)
    if opposite is None or not np.isfinite(p_holm):
        return UNDETERMINED, "all items differ by the same amount, or there are too few of them"
    if p_holm <= level:
        inside = "above minus the margin" if margin.test == "non-inferiority" else "within the margin on both sides"
        return SUPPORTED, f"the {100 * margin.confidence:g} % interval is wholly {inside}"
    if opposite * tests <= level:
        return CONTRADICTED, f"the {100 * margin.confidence:g} % interval is wholly beyond the margin"
    if (
        effect.low is not None
        and effect.low > -margin.points
        and (margin.test == "non-inferiority" or (effect.high is not None and effect.high < margin.points))
    ):
        return UNDETERMINED, "p does not stand the correction over the family"
    return UNDETERMINED, f"the {100 * margin.confidence:g} % interval contains a bound of the margin"


def _against(effect: _E, margin: Margin) -> _E:
    return effect.model_copy(update={"p": margin_p(effect, margin)[0]})


def _languages_against(answer: Answer, margin: Margin) -> dict[str, object]:
    found: dict[str, object] = {}
    if answer.over_languages:
        found["over_languages"] = _against(answer.over_languages, margin)
    if answer.by_language:
        found["by_language"] = [_against(one, margin) for one in answer.by_language]
    return found


def margin_answer(name: str, question: MarginQuestion, evidence: Evidence) -> Answer | NotAsked:
    """Answer whether scores are not worse than the baseline's by the margin, or equivalent; so each part by itself.

    Changes are paired by item and clustered as all contrasts are. p is that of the one-sided test against minus the
    margin or, of equivalence, of two one-sided tests; the intervals are at 2 * confidence - 1.
    """
    compared = compared_changes(name, question, evidence)
    if isinstance(compared, NotAsked):
        return compared
    blocks, comparison = compared
    confidence = one_sided_confidence(evidence.settings.confidence)
    margin = Margin(points=question.margin, test=question.test, confidence=round(confidence, 10))
    answer = answer_from_contrasts(
        name, question, evidence, comparison, blocks.contrasts, by=question.by, confidence=confidence
    )
    return _against(answer, margin).model_copy(
        update={
            "margin": margin,
            "parts": [_against(part, margin) for part in answer.parts],
            "lines": [_against(line, margin) for line in answer.lines],
            **_languages_against(answer, margin),
        }
    )
