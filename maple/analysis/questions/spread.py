"""Questions of the shape: how far do the scores of a method lie apart between seeds?"""

from collections.abc import Sequence

import numpy as np
from scipy.special import chdtri, fdtrc

from maple.analysis.questions.comparison import blocks_with, equally, paths_of, stacked
from maple.analysis.questions.contrasts import Contrast, mean_of
from maple.analysis.questions.evidence import Evidence
from maple.analysis.questions.records import SUPPORTED, UNDETERMINED, NotAsked, Spread, Spreads, heading, not_asked
from maple.analysis.statistics import holm
from maple.definitions.question import Reference, SpreadQuestion
from maple.definitions.run import Run

# A standard deviation of fewer has an interval that says nothing: of two, its bounds differ by a factor of seventy.
SEEDS = 3


def standard_deviation(groups: Sequence[np.ndarray], confidence: float) -> tuple[float, float, float, int]:
    """Return the standard deviation within groups, the bounds of its interval, and its degrees of freedom.

    The interval is that of a variance of normal scores: df times the variance over quantiles of chi-square.
    """
    df = sum(len(group) - 1 for group in groups)
    squares = float(sum(((group - group.mean()) ** 2).sum() for group in groups))
    tail = (1 - confidence) / 2
    low, high = (float(np.sqrt(squares / chdtri(df, p))) for p in (tail, 1 - tail))
    return float(np.sqrt(squares / df)), low, high, df


def brown_forsythe(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> float:
    """Return the p of the test that two sets of groups have the same spread within their groups; nan if none varies.

    It is an analysis of variance of the absolute deviations from each group's median (Brown and Forsythe 1974, Journal
    of the American Statistical Association 69). It was chosen over the F test of two variances, which rejects too often
    where scores are not normal. With three seeds it rejects rather too rarely, since the deviation of the middle one is
    always 0.
    """
    sides = [np.concatenate([np.abs(group - np.median(group)) for group in groups]) for groups in (first, second)]
    both = np.concatenate(sides)
    df = len(both) - 2
    between = sum(len(side) * (side.mean() - both.mean()) ** 2 for side in sides)
    within = sum(((side - side.mean()) ** 2).sum() for side in sides) / df
    return float(fdtrc(1, df, between / within)) if within > 0 else float("nan")


def _runs_by_seed(evidence: Evidence, question: SpreadQuestion) -> list[Contrast]:
    """Return the score of each selected run that differs from at least SEEDS - 1 others only in its seed.

    The runs of each contrast are all of its group, so that they share their tasks.
    """
    groups: dict[int, list[int]] = {}
    for number in evidence.selected(question.runs):
        if (group := int(evidence.scores.seed_groups[number])) >= 0:
            groups.setdefault(group, []).append(number)
    return [
        Contrast({"seed": evidence.runs[one].seed}, tuple(members), mean_of([one], len(evidence.runs)))
        for members in groups.values()
        if len(members) >= SEEDS
        for one in members
    ]


def _is_baseline(run: Run, reference: Reference | None) -> bool:
    if reference is None or run.family != reference.method:
        return False
    return all(run.axis(axis) == value for axis, value in reference.axes.items())


def _spreads(named: Sequence[tuple[Run, np.ndarray]], question: SpreadQuestion, confidence: float) -> list[Spread]:
    """Return the spread of each method from the scores of its groups, in points, compared with the baseline's."""
    of_baseline = [scores for run, scores in named if _is_baseline(run, question.baseline)]
    spreads, p = [], []
    for name in dict.fromkeys(getattr(run, question.of) for run, _ in named):
        own = [(run, scores) for run, scores in named if getattr(run, question.of) == name]
        groups = [scores for _, scores in own]
        sd, low, high, df = standard_deviation(groups, confidence)
        spread = Spread(name=name, sd=sd, low=low if sd > 0 else None, high=high if sd > 0 else None, df=df)
        compared = of_baseline and not _is_baseline(own[0][0], question.baseline)
        against = standard_deviation(of_baseline, confidence)[0] if compared else 0.0
        p.append(brown_forsythe(groups, of_baseline) if compared else float("nan"))
        spreads.append(spread.model_copy(update={"ratio": sd / against}) if against else spread)
    return [
        spread.model_copy(update={"p": float(one), "p_holm": float(corrected)}) if np.isfinite(one) else spread
        for spread, one, corrected in zip(spreads, p, holm(np.array(p)), strict=True)
    ]


def spread_answer(name: str, question: SpreadQuestion, evidence: Evidence) -> Spreads | NotAsked:
    """Answer how far the scores of each method lie apart between seeds, pooled over models and datasets.

    The scores of a group of seeds are on the same items. Their spread is that of these items' means, and holds what the
    seeds change of single answers as well. The claim is that some method's spread differs from the baseline's.
    """
    if evidence.has_no_cells(question.cells):
        return not_asked(name, question, evidence.missing(question.cells))
    contrasts = _runs_by_seed(evidence, question)
    blocks = blocks_with(evidence, contrasts, question.cells)
    if not blocks.contrasts:
        missing = f"no method has {SEEDS} seeds on one model and dataset; add them to `seeds` under `grid`"
        return not_asked(name, question, evidence.missing(question.cells) if contrasts else missing)
    comparison = blocks.compare(equally(question.cells))
    points: dict[tuple[int, ...], list[float]] = {}
    for contrast, score in zip(blocks.contrasts, comparison.value @ stacked(blocks.contrasts), strict=True):
        points.setdefault(contrast.runs, []).append(100 * float(score))
    named = [(evidence.runs[runs[0]], np.array(scores)) for runs, scores in points.items()]
    spreads = _spreads(named, question, evidence.settings.confidence)
    differ = [one.name for one in spreads if one.p_holm is not None and one.p_holm <= 1 - evidence.settings.confidence]
    return Spreads(
        **heading(name, question),
        spreads=spreads,
        cells=comparison.cells,
        left_out=comparison.left_out,
        runs=paths_of(evidence, blocks.contrasts),
        of="seeds",
        verdict=SUPPORTED if differ else UNDETERMINED,
        because=_because(spreads, differ, question),
    )


def _because(spreads: Sequence[Spread], differ: Sequence[str], question: SpreadQuestion) -> str:
    if not any(spread.p is not None for spread in spreads):
        return "nothing is compared" if question.baseline is None else "the baseline has too few seeds to compare with"
    if differ:
        verb = "differs" if len(differ) == 1 else "differ"
        return f"{', '.join(differ)} {verb} from the baseline after the correction"
    return "no spread differs from the baseline's after the correction"
