"""Verdicts: what an interval says of a claim, corrected for the number of tests."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from maple.analysis.questions.effect import Effect
from maple.analysis.questions.margin import margin_p, margin_verdict
from maple.analysis.questions.partial_conjunction import number_beyond, surely_at_least
from maple.analysis.questions.power import Rule, minimum_detectable
from maple.analysis.questions.records import (
    CONTRADICTED,
    NO_DIFFERENCE,
    SUPPORTED,
    UNDETERMINED,
    Answer,
    Margin,
    Verdict,
)
from maple.analysis.questions.scope import with_missing
from maple.analysis.statistics import holm
from maple.definitions.question import Claim, ClaimingQuestion, Question
from maple.definitions.run import Run

FAMILY = "the answers to all questions that were asked, and all their parts"
# The sign of the effect that is claimed.
SIGNS: dict[Claim, int] = {"above": 1, "below": -1}


def _are_sides_sure(effect: Effect, claim: int) -> bool:
    """Return True if one group surely gains and the other one loses, as claimed, or if there are no sides."""
    low, high = effect.low_resource, effect.high_resource
    if low is None or high is None:
        return True
    gains, loses = (low, high) if claim > 0 else (high, low)
    return gains.low is not None and loses.high is not None and gains.low > 0 > loses.high


def _is_within(effect: Effect, rule: Rule) -> bool:
    """Return True if an effect is surely smaller than the smallest of interest.

    That are two one-sided tests (Schuirmann 1987), at the level divided by the number of tests (Bonferroni).
    """
    margin = Margin(points=rule.least, test="equivalence", confidence=1 - rule.level)
    p, _ = margin_p(effect, margin)
    return p is not None and p * rule.tests <= rule.level


def _verdict(effect: Effect, p_holm: float, claim: int, rule: Rule) -> tuple[Verdict, str]:
    """Return the verdict on the claim that an effect is above zero (1) or below (-1), and its reason."""
    least = rule.least
    if effect.se == effect.effect == 0:
        return UNDETERMINED, "no item tells the runs apart, which tells nothing of the items that were not asked"
    if effect.se == 0:
        return UNDETERMINED, "all items differ by the same amount, which tells nothing of the items that were not asked"
    if effect.low is None or effect.high is None or effect.p is None:
        return UNDETERMINED, "there are too few items for an interval"
    low, high = sorted((claim * effect.low, claim * effect.high))
    if -least < low and high < least:
        if _is_within(effect, rule):
            return NO_DIFFERENCE, "whatever the effect is, it is smaller than the smallest of interest"
        return (
            UNDETERMINED,
            "the interval is wholly within the smallest effect of interest, but not after the correction",
        )
    if low <= least and high >= -least:
        return UNDETERMINED, "the interval is not wholly beyond the smallest effect of interest"
    if p_holm > rule.level:
        return UNDETERMINED, "p does not stand the correction over the family"
    if low > least and not _are_sides_sure(effect, claim):
        gains, loses = ("low", "high") if claim > 0 else ("high", "low")
        return UNDETERMINED, f"it is not sure that {gains}-resource languages gain and that {loses}-resource ones lose"
    if low > least:
        return SUPPORTED, "the interval is wholly beyond the smallest effect of interest"
    return CONTRADICTED, "the interval is wholly beyond the smallest effect of interest, on the other side"


def with_verdicts(
    answers: Sequence[Answer],
    questions: Mapping[str, Question],
    least: float,
    level: float,
    runs: Sequence[Run],
) -> list[Answer]:
    """Return the answers and their parts with p_holm, mde, verdict and because.

    p is corrected over all answers and parts as one family. `least` is the smallest effect of interest, in points; the
    `level` is that of the tests. A test against a margin has no minimum detectable effect. An answer whose
    interval holds no seeds says what the grid, of which these are the `runs`, lacks for it.
    """
    tests = [(answer, test) for answer in answers for test in (answer, *answer.parts)]
    if not tests:
        return []
    p = np.array([test.p for _, test in tests], dtype=float)
    size = int(np.count_nonzero(~np.isnan(p)))
    rule = Rule(least, level, size)
    updates: list[dict[str, Any]] = []
    for (answer, test), p_holm in zip(tests, holm(p), strict=True):
        question = questions[answer.question]
        claim = SIGNS[question.claim] if isinstance(question, ClaimingQuestion) else 1
        repeats = test.repeats if test.se and not answer.margin else None
        mde = minimum_detectable(repeats(), rule) if repeats else None
        update: dict[str, Any] = {"p_holm": _or_none(p_holm), "mde": mde, "repeats": None}
        if answer.margin:
            verdict, because = margin_verdict(test, answer.margin, p_holm, level, size)
            update |= {"verdict": verdict, "because": _told(test, verdict, because, runs)}
        elif isinstance(question, ClaimingQuestion) and (question.parts_claim or isinstance(test, Answer)):
            verdict, because = _verdict(test, p_holm, claim, rule)
            update |= {"verdict": verdict, "because": _told(test, verdict, because, runs)}
            if question.parts_claim and isinstance(test, Answer):
                update["lines_at_least"] = number_beyond(test.lines, claim, least, level)
        updates.append(update)
    judged = iter(updates)  # in the order of `tests`: each answer, then its parts
    return _with_languages(
        [
            answer.model_copy(
                update={**next(judged), "parts": [part.model_copy(update=next(judged)) for part in answer.parts]}
            )
            for answer in answers
        ],
        questions,
        least,
        level,
    )


def _with_languages(
    answers: Sequence[Answer], questions: Mapping[str, Question], least: float, level: float
) -> list[Answer]:
    """Return answers, whose own verdicts are known, with that of over_languages, and with languages_at_least.

    p is corrected over these tests by themselves, which are fewer than those of answers and parts. So that nothing is
    surer of languages like these than of these, there is no other verdict than the answer's own or undetermined.
    """
    p = [one.p if (one := answer.over_languages) else None for answer in answers]
    rule = Rule(least, level, sum(one is not None for one in p))
    found = []
    for answer, p_holm in zip(answers, holm(np.array(p, dtype=float)), strict=True):
        question, over, rows = questions[answer.question], answer.over_languages, answer.by_language or []
        claim = SIGNS[question.claim] if isinstance(question, ClaimingQuestion) else 1
        update: dict[str, Any] = {}
        if over and over.se is not None:
            verdict, because = (
                margin_verdict(over, answer.margin, p_holm, level, rule.tests)
                if answer.margin
                else _verdict(over, p_holm, claim, rule)
            )
            if verdict not in (answer.verdict, UNDETERMINED):
                verdict, because = UNDETERMINED, "it is not sure in the compared languages either, as one of all claims"
            judged = {"p_holm": _or_none(p_holm), "verdict": verdict, "because": because}
            update = {"over_languages": over.model_copy(update=judged)}
        if rows and answer.margin:
            update["languages_at_least"] = surely_at_least(np.array([one.p for one in rows], dtype=float), level)
        elif rows and not answer.low_resource:
            update["languages_at_least"] = number_beyond(rows, claim, least, level)
        found.append(answer.model_copy(update=update))
    return found


def _told(test: Effect, verdict: Verdict, because: str, runs: Sequence[Run]) -> str:
    """Return the reason for a verdict; of an answer, with what the grid lacks for a verdict about the method."""
    return because if verdict == UNDETERMINED or not isinstance(test, Answer) else with_missing(because, test.of, runs)


def _or_none(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None
