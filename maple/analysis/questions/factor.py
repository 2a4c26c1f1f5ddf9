"""Questions of the shape: which of two factors moves the score more?"""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from maple.analysis.questions.comparison import Blocks, Comparison, blocks_with, equally, paths_of, stacked
from maple.analysis.questions.contrasts import UNIT, Contrast, average_contrasts, effects, labels_of
from maple.analysis.questions.evidence import Evidence
from maple.analysis.questions.records import Answer, Effect, Line, NotAsked, Part, heading, not_asked
from maple.definitions.question import Factor, FactorQuestion
from maple.definitions.run import NONE

# The number of differences, between models or between datasets, that are tried with both signs; each one more doubles
# the number of contrasts.
SIGNS = 10


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


@dataclass(frozen=True)
class _Size:
    """The mean size of some differences: the mean of their absolute values."""

    mean: float
    """The mean size, as a share of 1."""
    signed: np.ndarray
    """(columns, 1) The contrast that gives it: the mean of the differences, each with its estimated sign."""
    all_signs: np.ndarray
    """(columns, combinations) The same with both signs of the SIGNS smallest differences, in all combinations."""


def _size(comparison: Comparison, differences: list[Contrast]) -> _Size:
    weights = stacked(differences)
    values = comparison.value @ weights
    estimated = np.where(values < 0, -1, 1)
    smallest = np.argsort(np.abs(values))[:SIGNS]
    signs = np.repeat(estimated[:, None], 2 ** len(smallest), axis=1)
    signs[smallest] = np.array(list(itertools.product((1, -1), repeat=len(smallest)))).T
    return _Size(
        mean=float(np.abs(values).mean()),
        signed=weights @ estimated[:, None] / len(values),
        all_signs=weights @ signs / len(values),
    )


def _bound(of: Callable[[Iterable[float]], float], bounds: Sequence[float | None]) -> float | None:
    """Return the lowest or the highest of some bounds; None if one of them is unknown."""
    numbers = [bound for bound in bounds if bound is not None]
    return of(numbers) if numbers and len(numbers) == len(bounds) else None


def _compare_sizes(comparison: Comparison, first: _Size, second: _Size, confidence: float) -> Effect:
    """Estimate the mean size of the differences in the first factor, M, less that of those in the second, D.

    |M| is M or -M, whichever is greater, so |M| - |D| is the smaller of |M| - D and |M| + D. It is above zero only if
    both of these contrasts are, which is an intersection-union test (Berger 1982, Technometrics 24), and the lower
    bound of its interval is the lowest of theirs. Likewise its upper bound is the highest of M - |D| and -M - |D|. With
    many differences only the SIGNS smallest take both signs, and the larger ones their estimated sign.
    """
    above = effects(comparison.contrast(first.signed - second.all_signs), confidence, comparison.least)
    below = effects(comparison.contrast(first.all_signs - second.signed), confidence, comparison.least)
    binding = max(above if first.mean > second.mean else below, key=lambda row: math.inf if row.p is None else row.p)
    update = {
        "effect": 100 * (first.mean - second.mean),
        "low": _bound(min, [row.low for row in above]),
        "high": _bound(max, [row.high for row in below]),
    }
    return binding.model_copy(update=update)


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
    sizes: dict[Factor, _Size] = {}
    for factor, other in zip(question.factors, reversed(question.factors), strict=True):
        rest = [label for label in UNIT if label not in question.factors]
        units = average_contrasts(placed[factor, False], (f"{factor}s", other, *rest))
        sizes[factor] = _size(comparison, average_contrasts(units, (f"{factor}s",)))
        pairs = average_contrasts([*placed[factor, True], *units], (f"{factor}s", other))
        parts += comparison.estimate(pairs, confidence)
        lines += [Line(**row.params()) for row in comparison.estimate(units, confidence)]
    first, second = (sizes[factor] for factor in question.factors)
    return Answer(
        **heading(name, question),
        **_compare_sizes(comparison, first, second, confidence).params(),
        sizes={factor: 100 * size.mean for factor, size in sizes.items()},
        parts=parts,
        lines=lines,
        cells=comparison.cells,
        runs=paths_of(evidence, [contrast for factor in question.factors for contrast in placed[factor, False]]),
    )
