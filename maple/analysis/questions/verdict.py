"""Verdicts: what an interval says of a claim, corrected for the number of tests."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from maple.analysis.questions.margin import margin_verdict
from maple.analysis.questions.records import CONTRADICTED, SUPPORTED, UNDETERMINED, Answer, Effect, Verdict
from maple.analysis.statistics import POWER, holm, t_quantile
from maple.definitions.question import Claim, ClaimingQuestion, Question

FAMILY = "the answers to all questions that were asked, and all their parts"
_SIGNS: dict[Claim, int] = {"above": 1, "below": -1}


def _are_sides_sure(effect: Effect, claim: int) -> bool:
    """Return True if one group surely gains and the other one loses, as claimed, or if there are no sides."""
    low, high = effect.low_resource, effect.high_resource
    if low is None or high is None:
        return True
    gains, loses = (low, high) if claim > 0 else (high, low)
    return gains.low is not None and loses.high is not None and gains.low > 0 > loses.high


def _verdict(effect: Effect, p_holm: float, claim: int, least: float, level: float) -> tuple[Verdict, str]:
    """Return the verdict on the claim that an effect is above zero (1) or below (-1), and its reason."""
    if effect.se == effect.effect == 0:
        return UNDETERMINED, "no item tells the runs apart, which tells nothing of the items that were not asked"
    if effect.se == 0:
        return UNDETERMINED, "all items differ by the same amount, which tells nothing of the items that were not asked"
    if effect.low is None or effect.high is None or effect.p is None:
        return UNDETERMINED, "there are too few items for an interval"
    low, high = sorted((claim * effect.low, claim * effect.high))
    if -least < low and high < least:
        return UNDETERMINED, "whatever the effect is, it is smaller than the smallest of interest"
    if low <= least and high >= -least:
        return UNDETERMINED, "the interval is not wholly beyond the smallest effect of interest"
    if p_holm > level:
        return UNDETERMINED, "p does not stand the correction over the family"
    if low > least and not _are_sides_sure(effect, claim):
        gains, loses = ("low", "high") if claim > 0 else ("high", "low")
        return UNDETERMINED, f"it is not sure that {gains}-resource languages gain and that {loses}-resource ones lose"
    if low > least:
        return SUPPORTED, "the interval is wholly beyond the smallest effect of interest"
    return CONTRADICTED, "the interval is wholly beyond the smallest effect of interest, on the other side"


def _minimum_detectable(se: np.ndarray, df: np.ndarray, least: float, level: float) -> np.ndarray:
    """Return the minimum detectable effects of a family of tests, of which these are the standard errors.

    A verdict needs two conditions, so the larger of two effects counts: the interval must exclude `least`, and p must
    pass the first and strictest step of Holm's correction. nan for a standard error of 0, as Estimate.mde.
    """
    se = np.where(se > 0, se, np.nan)
    power = t_quantile(2 - 2 * POWER, df)
    return np.maximum(least + (t_quantile(level, df) + power) * se, (t_quantile(level / len(se), df) + power) * se)


def with_verdicts(
    answers: Sequence[Answer], questions: Mapping[str, Question], least: float, confidence: float
) -> list[Answer]:
    """Return the answers and their parts with p_holm, mde, verdict and because.

    p is corrected over all answers and parts as one family. `least` is the smallest effect of interest, in points; the
    level of the tests is 1 - `confidence`. A test against a margin has no minimum detectable effect.
    """
    level = 1 - confidence
    tests = [(answer, test) for answer in answers for test in (answer, *answer.parts)]
    if not tests:
        return []
    p, se, df = (np.array([getattr(test, name) for _, test in tests], dtype=float) for name in ("p", "se", "df"))
    corrected, detectable = holm(p), _minimum_detectable(se, df, least, level)
    size = int(np.count_nonzero(~np.isnan(p)))
    updates: list[dict[str, Any]] = []
    for (answer, test), p_holm, mde in zip(tests, corrected, detectable, strict=True):
        question = questions[answer.question]
        update: dict[str, Any] = {"p_holm": _or_none(p_holm), "mde": None if answer.margin else _or_none(mde)}
        if answer.margin:
            verdict, because = margin_verdict(test, answer.margin, p_holm, level, size)
            update |= {"verdict": verdict, "because": because}
        elif isinstance(question, ClaimingQuestion) and (question.parts_claim or isinstance(test, Answer)):
            verdict, because = _verdict(test, p_holm, _SIGNS[question.claim], least, level)
            update |= {"verdict": verdict, "because": because}
        updates.append(update)
    judged = iter(updates)  # in the order of `tests`: each answer, then its parts
    return [
        answer.model_copy(
            update={**next(judged), "parts": [part.model_copy(update=next(judged)) for part in answer.parts]}
        )
        for answer in answers
    ]


def _or_none(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None
