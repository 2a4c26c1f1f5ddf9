"""Futility: the chance that the items which are still to be asked give a question its verdict at the last look.

It is predictive (Spiegelhalter, Freedman and Blackburn 1986, Controlled Clinical Trials 7, 8-17): the estimate is not
taken for the truth, as it is in maple.analysis.questions.settling, but counts with its uncertainty. A question whose
chance is small may be ended (stochastic curtailment; Lan, Simon and Halperin 1982, Communications in Statistics C 1,
207-219). Levels and bounds know nothing of it, so it is non-binding: ended or not, verdicts are wrong no more often,
and what is lost are verdicts that would have come.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtr

from maple.analysis.questions.effect import Margin, Side
from maple.analysis.questions.power import Precision, Rule, critical, precision_of
from maple.analysis.questions.records import UNDETERMINED, Answer
from maple.analysis.spending import LookLevels
from maple.analysis.statistics import t_quantile

# Standard normal numbers, each as probable as the others, over which a chance is averaged.
_NODES = 25
_NORMAL = ndtri((np.arange(_NODES) + 0.5) / _NODES)
# How many times the noise of items in an effect is that in the mean square which tells the noise of training: one if
# all runs have the same seeds, more where few runs have several and the effect is an average over many. Our choice, by
# simulation: with one, a few anchors end questions that would have had a verdict.
_ITEMS_OF_TRAININGS = 10
_LEAST_WIDTH = 1e-12  # points: where items add nothing, the estimate stays as it is
# Beyond one bound and below another one, in points: an array of each, for the precisions that the last look may have.
_Region = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class LastLook:
    """What a verdict at the last look needs, as seen from the present one."""

    present: LookLevels
    """The present look."""
    levels: LookLevels
    """The last look."""
    least: float
    """The smallest effect of interest, in points."""
    p: list[float]
    """p of all tests of the family at the present look, uncorrected."""

    @property
    def share(self) -> float:
        """The share of its items that the present look has."""
        return self.present.share / self.levels.share

    def rule(self, p: float | None) -> Rule:
        """Return the rule for a test that has a p now: Holm's correction counts the tests whose p is not smaller."""
        return Rule(self.least, self.levels.spent, sum(p is None or other >= p for other in self.p))


def _precisions(one: Answer | Side, share: float, are_trainings_known: bool) -> list[Precision]:
    """Return precisions that an effect may have at the last look, each as probable as the others.

    Trainings stay the same, and items divide their own part alone. But the part of the trainings was estimated beside
    the noise of the items, which will be less: like that of a noncentral chi-squared mean square, of the variance of
    the estimate, 2 (I + T)^2 / df, items make the share 1 - T^2 / (T + M)^2, with the parts I of the items and T of the
    trainings, and what items make of the mean square, M.
    """
    now = precision_of(one)
    if now is None:
        return []
    unsure = 0.0
    if now.items and not are_trainings_known:
        of_items = 1 - (now.trainings / (now.trainings + _ITEMS_OF_TRAININGS * now.items)) ** 2
        unsure = now.se**2 * math.sqrt(2 * of_items / now.df)
    trainings = np.maximum(0.0, now.trainings + unsure * _NORMAL)
    return [Precision(now.items * share, float(part), now.df) for part in trainings]


def _chance(one: Answer | Side, share: float, region: _Region) -> float:
    """Return the chance that the estimate will lie in a region.

    Items of the present look are in the last one, so that estimates differ by a variance of (1 - share) x that of the
    items now, whatever the trainings are. No effect is more probable than another one before the study.
    """
    now = precision_of(one)
    assert now is not None  # its precisions made the region
    width = max(_LEAST_WIDTH, math.sqrt((1 - share) * now.items))
    low, high = ((bound - one.effect) / width for bound in region)
    return float(np.mean(np.maximum(0.0, stdtr(now.df, high) - stdtr(now.df, low))))


def _sizes(precisions: Iterable[Precision], level: float) -> np.ndarray:
    """Return the half-widths of intervals at a two-sided level, in points."""
    return np.array([float(t_quantile(min(1.0, level), one.df)) * one.se for one in precisions])


def _margin_regions(margin: Margin, precisions: list[Precision], last: LastLook, p: float | None) -> list[_Region]:
    """Return where the estimate must lie for a verdict on a margin (maple.analysis.questions.margin)."""
    everywhere, tests = np.full(len(precisions), np.inf), max(1, len(last.p))
    inside = -margin.points + _sizes(precisions, 2 * last.levels.spent / max(1, last.rule(p).tests))
    if margin.test == "non-inferiority":
        return [(inside, everywhere), (-everywhere, -margin.points - _sizes(precisions, 2 * last.levels.spent / tests))]
    outside = margin.points + _sizes(precisions, last.levels.spent / tests)
    return [(inside, -inside), (outside, everywhere), (-everywhere, -outside)]


def _chance_of_claim(answer: Answer, claim: int, last: LastLook, precisions: list[Precision]) -> float:
    """Return the chance of a verdict on the claim that an effect is above zero (1) or below (-1)."""
    everywhere, level, share = np.full(len(precisions), np.inf), last.levels.level, last.share
    rule, tests = last.rule(answer.p), max(1, len(last.p))
    se, df = (np.array([getattr(one, name) for one in precisions]) for name in ("se", "df"))
    beyond = last.least + critical(se, df, rule)
    within = last.least - np.maximum(_sizes(precisions, 2 * last.levels.spent / tests), _sizes(precisions, level))
    above, below = (beyond, everywhere), (-everywhere, -beyond)
    claimed, other = (above, below) if claim > 0 else (below, above)
    supported = _chance(answer, share, claimed)
    for side, sign in ((answer.low_resource, claim), (answer.high_resource, -claim)):
        # A difference of two groups is supported only if one surely gains and the other one loses. The chance of all
        # is at most the smallest one.
        if side and (found := _precisions(side, share, answer.of == "items")):
            size = _sizes(found, level)
            supported = min(supported, _chance(side, share, (size, everywhere) if sign > 0 else (-everywhere, -size)))
    return supported + _chance(answer, share, other) + _chance(answer, share, (-within, within))


def with_chance(answer: Answer, claim: int, last: LastLook) -> Answer:
    """Return an undetermined answer with the chance of a verdict at the last look, and whether it is ended.

    `claim` is 1 or -1, the sign of the claimed effect. Without a standard error there is no chance, and it goes on.
    """
    precisions = _precisions(answer, last.share, answer.of == "items")
    if answer.verdict != UNDETERMINED or not precisions:
        return answer
    if answer.margin:
        regions = _margin_regions(answer.margin, precisions, last, answer.p)
        chance = sum(_chance(answer, last.share, region) for region in regions)
    else:
        chance = _chance_of_claim(answer, claim, last, precisions)
    threshold = last.present.futility
    return answer.model_copy(update={"chance": chance, "ended": threshold is not None and chance < threshold})
