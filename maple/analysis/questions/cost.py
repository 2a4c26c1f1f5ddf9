"""Questions of the shape: what does a method cost against another one, at an equal score?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from maple.analysis.questions.baselines import NoBaselineError, changes
from maple.analysis.questions.comparison import Blocks, blocks_with, equally, paths_of
from maple.analysis.questions.contrasts import Contrast, average_contrasts
from maple.analysis.questions.effect import Effect
from maple.analysis.questions.evidence import Evidence
from maple.analysis.questions.margin import margin_p, one_sided_confidence
from maple.analysis.questions.records import (
    CONTRADICTED,
    SUPPORTED,
    UNDETERMINED,
    CostAnswer,
    CostRatio,
    Margin,
    MethodCost,
    NotAsked,
    Verdict,
    heading,
    not_asked,
)
from maple.analysis.statistics import holm, t_quantile
from maple.definitions.question import Cost, CostQuestion

# Costs that are counted and not measured: another seed has the same.
_COUNTED: frozenset[Cost] = frozenset({"trainable_parameters", "saved_bytes"})
# What a cost is taken from where no card has it.
_INSTEAD: dict[Cost, Cost] = {"step_seconds": "job_seconds"}


@dataclass(frozen=True)
class _Ratio:
    """A geometric mean of costs over those of the baseline."""

    ratio: float
    low: float | None
    high: float | None


def _known(evidence: Evidence, cost: Cost, contrasts: Sequence[Contrast]) -> tuple[np.ndarray, list[Contrast]]:
    """Return the logarithm of a cost of every run, nan if its card does not say it, and the contrasts that know it."""
    costs = [evidence.costs.get(run.path) for run in evidence.runs]
    values = np.array([getattr(one, cost) if one and getattr(one, cost) else np.nan for one in costs], dtype=float)
    return np.log(values), [one for one in contrasts if not np.isnan(values[list(one.runs)]).any()]


def _ratios(
    evidence: Evidence, logs: np.ndarray, contrasts: Sequence[Contrast], counted: bool, confidence: float
) -> list[_Ratio]:
    """Return the ratios of contrasts of the study's runs, with Student's intervals over seeds.

    The logarithms of costs are averaged, so ratios are geometric means. Their variance is that between runs that differ
    only in their seed, pooled over the runs that are compared; without several seeds there is no interval.
    """
    used = sorted({run for contrast in contrasts for run in contrast.runs})
    groups = evidence.scores.seed_groups[used]
    seeds = [logs[used][groups == group] for group in np.unique(groups)]
    df = sum(len(seed) - 1 for seed in seeds)
    weights = np.stack([contrast.weights[used] for contrast in contrasts], axis=1)
    means = logs[used] @ weights
    half = np.full(len(contrasts), 0.0 if counted else np.nan)
    if df and not counted:
        variance = sum(float(((seed - seed.mean()) ** 2).sum()) for seed in seeds) / df
        half = t_quantile(1 - confidence, df) * np.sqrt(variance * (weights**2).sum(axis=0))
    rows = zip(np.exp(means).tolist(), np.exp(means - half).tolist(), np.exp(means + half).tolist(), strict=True)
    return [_Ratio(mean, low, high) if np.isfinite(low) else _Ratio(mean, None, None) for mean, low, high in rows]


def _in_points(margin: float) -> str:
    return f"{margin:g} point{'s' if margin != 1 else ''}"


def _verdict(ratio: _Ratio, within: bool, question: CostQuestion) -> tuple[Verdict, str]:
    """Return the verdict on the claim of a lower cost at a score that is not worse by the margin, and its reason."""
    if ratio.low is None or ratio.high is None:
        return UNDETERMINED, "there is one seed, so nothing tells how the cost varies"
    if ratio.low > 1:
        return CONTRADICTED, "it costs more, whatever the score"
    if not within:
        return (
            UNDETERMINED,
            f"the score may be worse by {_in_points(question.margin)} or more, where a cost says nothing",
        )
    if ratio.high < 1:
        return SUPPORTED, f"it costs less, and the score is less than {_in_points(question.margin)} worse"
    return UNDETERMINED, "the interval of the ratio contains 1"


def _rows(
    ratios: Sequence[_Ratio], scores: Sequence[Effect], question: CostQuestion, confidence: float
) -> list[CostRatio]:
    """Join the ratios with the differences of the scores, of all methods together and of each."""
    margin = Margin(points=question.margin, test="non-inferiority", confidence=one_sided_confidence(confidence))
    p = np.array([margin_p(score, margin)[0] for score in scores], dtype=float)
    rows = []
    for ratio, score, corrected in zip(ratios, scores, holm(p), strict=True):
        within = bool(corrected <= 1 - confidence)
        verdict, because = _verdict(ratio, within, question)
        rows.append(
            CostRatio(
                ratio=ratio.ratio,
                low=ratio.low,
                high=ratio.high,
                difference=score.change,
                p_holm=float(corrected) if np.isfinite(corrected) else None,
                within_margin=within,
                of=score.of,
                verdict=verdict,
                because=because,
            )
        )
    return rows


def cost_answer(name: str, question: CostQuestion, evidence: Evidence) -> CostAnswer | NotAsked:
    """Answer what each method costs against the baseline's: a ratio of costs, beside the difference of the scores.

    Both compare the same runs: same model and dataset, averaged over seeds. The claim is that the cost is lower and
    that the score is not worse by the margin, which is tested as in the shape margin and corrected by Holm over the
    methods and their mean. step_seconds are taken from the whole job where a card does not say them; `cost` of the
    answer names what was compared.
    """
    try:
        contrasts = changes(evidence, question.baseline, question.runs, ())
    except NoBaselineError as error:
        return not_asked(name, question, str(error))
    cost: Cost = question.cost
    logs, known = _known(evidence, cost, contrasts)
    if not known and cost in _INSTEAD:
        cost = _INSTEAD[cost]
        logs, known = _known(evidence, cost, contrasts)
    if not known:
        return not_asked(name, question, f"no run card says {cost} of a run and of its baseline")
    blocks = blocks_with(evidence, known, question.cells)
    if not blocks.contrasts:
        return not_asked(name, question, evidence.missing(question.cells))
    return _answer(name, question, evidence, blocks, _Costs(cost, logs, known))


@dataclass(frozen=True)
class _Costs:
    """The costs that are compared."""

    cost: Cost
    """Which cost it is."""
    logs: np.ndarray
    """(runs,) Its logarithm of every run of the study."""
    contrasts: list[Contrast]
    """The runs with their baselines, with weights over the runs of the study."""


def _answer(name: str, question: CostQuestion, evidence: Evidence, blocks: Blocks, costs: _Costs) -> CostAnswer:
    confidence = evidence.settings.confidence
    compared = {contrast.runs for contrast in blocks.contrasts}
    contrasts = [contrast for contrast in costs.contrasts if contrast.runs in compared]
    ratios = _ratios(evidence, costs.logs, _whole_and_methods(contrasts), costs.cost in _COUNTED, confidence)
    comparison, methods = blocks.compare(equally(question.cells)), _whole_and_methods(blocks.contrasts)
    scores = comparison.estimate(methods, one_sided_confidence(confidence))
    whole, *rows = _rows(ratios, scores, question, confidence)
    named = zip(methods[1:], rows, strict=True)
    return CostAnswer(
        **heading(name, question),
        **whole.params(),
        cost=costs.cost,
        margin=question.margin,
        methods=[MethodCost(method=str(one.labels["method"]), **row.params()) for one, row in named],
        cells=comparison.cells,
        left_out=comparison.left_out,
        runs=paths_of(evidence, blocks.contrasts),
    )


def _whole_and_methods(contrasts: Sequence[Contrast]) -> list[Contrast]:
    """Return the mean of contrasts, with equal weights of models, datasets and methods, and that of each method."""
    units = average_contrasts(contrasts, ("model", "dataset", "method"))
    return [*average_contrasts(units, ()), *average_contrasts(units, ("method",))]
