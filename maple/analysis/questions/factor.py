"""Questions of the shape: which of two factors moves the score more?"""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from maple.analysis.questions.comparison import Blocks, Comparison, blocks_with, equally, paths_of, stacked
from maple.analysis.questions.contrasts import UNIT, Contrast, average_contrasts, effects, labels_of
from maple.analysis.questions.effect import Effect
from maple.analysis.questions.evidence import Evidence
from maple.analysis.questions.records import Answer, Line, NotAsked, Part, heading, not_asked
from maple.analysis.statistics import Estimate
from maple.definitions.question import Claim, Factor, FactorQuestion
from maple.definitions.run import NONE

# The number of differences, between models or between datasets, that are tried with both signs; each one more doubles
# the number of contrasts.
SIGNS = 10
# Steps to the most likely size. Just beyond one standard error they still miss 0.05 standard errors, elsewhere nothing.
_STEPS = 200


def _differences(
    evidence: Evidence, question: FactorQuestion, factor: Factor, of_bases: bool = False
) -> list[Contrast]:
    """Return the difference, the first less the second, of every two runs that differ only in `factor`.

    They are finetuned runs or, with `of_bases`, base models. Runs that share no task have no difference.
    """
    one = np.eye(len(evidence.runs))
    numbers = evidence.selected(question.runs)
    runs = [(number, evidence.runs[number]) for number in numbers if evidence.runs[number].is_baseline == of_bases]
    same = [name for name in (*UNIT, "seed") if name != factor]
    return [
        Contrast(
            {**labels_of(a, UNIT), f"{factor}s": [getattr(a, factor), getattr(b, factor)]},
            (first, second),
            one[first] - one[second],
        )
        for (first, a), (second, b) in itertools.combinations(runs, 2)
        if getattr(a, factor) != getattr(b, factor)
        and labels_of(a, same) == labels_of(b, same)
        and evidence.asked(first) & evidence.asked(second)
    ]


def corrected_sizes(differences: Estimate) -> np.ndarray:
    """Return the sizes of differences without most of their upward bias, (differences,).

    Noise makes a small difference large on either side: where the true one is 0, the mean absolute value is 0.8
    standard errors. The size here is the most likely mean m of a folded normal |x| with standard error s (Leone, Nelson
    and Nottingham 1961, Technometrics 3), where m = |x| tanh(m |x| / s^2): 0 within one standard error, and |x| from
    three on. No estimator is without bias everywhere (Cai and Low 2011, Annals of Statistics 39); this one was chosen
    by simulation (docs/statistics.md). A difference without a standard error keeps its size.
    """
    sizes, se = np.abs(differences.value), differences.se
    with np.errstate(divide="ignore", invalid="ignore"):
        t = sizes / se
        most_likely = t
        for _ in range(_STEPS):
            most_likely = t * np.tanh(t * most_likely)
        return np.where(np.isfinite(t), np.where(t > 1, most_likely, 0.0) * se, sizes)


@dataclass(frozen=True)
class SignedSum:
    """Means of differences, each with a sign."""

    weights: np.ndarray
    """(columns, sums) The contrasts that give them."""
    bias: np.ndarray
    """(sums,) Their differences from the same sums of corrected sizes."""


@dataclass(frozen=True)
class MeanSize:
    """The mean size of some differences."""

    mean: float
    """The mean of their corrected sizes, as a share of 1."""
    estimated: SignedSum
    """The mean of the differences, each with its estimated sign."""
    all_signs: SignedSum
    """The same with both signs of the SIGNS smallest differences, in all combinations."""


def mean_size(comparison: Comparison, differences: Sequence[Contrast]) -> MeanSize:
    """Return the mean size of differences in one factor."""
    weights = stacked(differences)
    estimate = comparison.contrast(weights)
    values, sizes = estimate.value, corrected_sizes(estimate)
    estimated = np.where(values < 0, -1, 1)
    smallest = np.argsort(np.abs(values))[:SIGNS]
    signs = np.repeat(estimated[:, None], 2 ** len(smallest), axis=1)
    signs[smallest] = np.array(list(itertools.product((1, -1), repeat=len(smallest)))).T
    bias = values - estimated * sizes
    one, every = (
        SignedSum(weights @ each / len(values), bias @ each / len(values)) for each in (estimated[:, None], signs)
    )
    return MeanSize(float(sizes.mean()), one, every)


def _bound(of: Callable[[Iterable[float]], float], bounds: Sequence[float | None]) -> float | None:
    """Return the lowest or the highest of some bounds; None if one of them is unknown."""
    numbers = [bound for bound in bounds if bound is not None]
    return of(numbers) if numbers and len(numbers) == len(bounds) else None


def _both(comparison: Comparison, first: SignedSum, second: SignedSum, confidence: float) -> list[Effect]:
    """Return the differences of sums, each as it is and with corrected sizes."""
    raw = comparison.contrast(first.weights - second.weights)
    corrected = replace(raw, value=raw.value - (first.bias - second.bias))
    return [row for one in (raw, corrected) for row in effects(one, confidence, comparison.least)]


def compare_sizes(comparison: Comparison, first: MeanSize, second: MeanSize, confidence: float) -> Effect:
    """Estimate the mean size of the differences in the first factor, M, less that of those in the second, D.

    |M| is M or -M, whichever is greater, so |M| - |D| is the smaller of |M| - D and |M| + D. It is above zero only if
    both of these contrasts are, which is an intersection-union test (Berger 1982, Technometrics 24), and the lower
    bound of its interval is the lowest of theirs. Likewise its upper bound is the highest of M - |D| and -M - |D|. With
    many differences only the SIGNS smallest take both signs, and the larger ones their estimated sign.

    The effect is of corrected sizes (corrected_sizes). These are not normal near 0, where the contrasts as they are
    have exact tests; but with many differences the mean of these is biased. So both count, the contrasts with sizes as
    they are and with corrected ones: p is the larger one, and the interval holds both.
    """
    above = _both(comparison, first.estimated, second.all_signs, confidence)
    below = _both(comparison, first.all_signs, second.estimated, confidence)
    binding = max(above if first.mean > second.mean else below, key=lambda row: math.inf if row.p is None else row.p)
    update = {
        "effect": 100 * (first.mean - second.mean),
        "low": _bound(min, [row.low for row in above]),
        "high": _bound(max, [row.high for row in below]),
    }
    return binding.model_copy(update=update)


def _contrasts(first: MeanSize, second: MeanSize, claim: Claim) -> np.ndarray:
    """Return the weights of the contrasts that a claim needs to be beyond the bound, as they are, (columns, sums).

    The signs of the factor that is claimed to move the score more are known once it does so by enough for a verdict.
    """
    above = claim == "above"
    return (first.estimated if above else first.all_signs).weights - (
        second.all_signs if above else second.estimated
    ).weights


def factor_answer(name: str, question: FactorQuestion, evidence: Evidence) -> Answer | NotAsked:
    """Answer whether scores differ more in the first factor than in the second.

    The parts are the differences themselves, those between base models that were not finetuned among them.
    """
    if evidence.has_no_cells(question.cells):
        return not_asked(name, question, evidence.missing(question.cells))
    runs = {factor: _differences(evidence, question, factor) for factor in question.factors}
    bases = {factor: _differences(evidence, question, factor, of_bases=True) for factor in question.factors}
    contrasts = [contrast for found in (*runs.values(), *bases.values()) for contrast in found]
    blocks = blocks_with(evidence, contrasts, question.cells)
    placed = {key: [one for one in blocks.contrasts if _is_of(one, *key)] for key in _keys(question.factors)}
    for factor in question.factors:
        if not placed[factor, False]:
            missing = f"no two runs differ in {factor} alone; add a second one to `{factor}s` under `grid`"
            return not_asked(name, question, missing)
    return _answer(name, question, evidence, blocks, placed)


def _keys(factors: Iterable[Factor]) -> list[tuple[Factor, bool]]:
    return [(factor, of_bases) for factor in factors for of_bases in (False, True)]


def _is_of(contrast: Contrast, factor: Factor, of_bases: bool) -> bool:
    return f"{factor}s" in contrast.labels and (contrast.labels["method"] == NONE) == of_bases


def _answer(
    name: str,
    question: FactorQuestion,
    evidence: Evidence,
    blocks: Blocks,
    placed: dict[tuple[Factor, bool], list[Contrast]],
) -> Answer:
    """Return the answer from the differences in either factor, of finetuned runs (False) and of bases (True)."""
    comparison, confidence = blocks.compare(equally(question.cells)), evidence.settings.confidence
    lines: list[Line] = []
    parts: list[Part] = []
    sizes: dict[Factor, MeanSize] = {}
    for factor, other in zip(question.factors, reversed(question.factors), strict=True):
        rest = [label for label in UNIT if label not in question.factors]
        units = average_contrasts(placed[factor, False], (f"{factor}s", other, *rest))
        sizes[factor] = mean_size(comparison, average_contrasts(units, (f"{factor}s",)))
        pairs = average_contrasts([*placed[factor, True], *units], (f"{factor}s", other))
        parts += comparison.estimate(pairs, confidence)
        lines += [Line(**row.params()) for row in comparison.estimate(units, confidence)]
    first, second = (sizes[factor] for factor in question.factors)
    return Answer(
        **heading(name, question),
        **compare_sizes(comparison, first, second, confidence).params(),
        repeats=partial(comparison.repeats, _contrasts(first, second, question.claim)),
        sizes={factor: 100 * size.mean for factor, size in sizes.items()},
        parts=parts,
        lines=lines,
        cells=comparison.cells,
        left_out=comparison.left_out,
        runs=paths_of(evidence, [contrast for factor in question.factors for contrast in placed[factor, False]]),
    )
