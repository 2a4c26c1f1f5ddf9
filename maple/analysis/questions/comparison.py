"""Comparisons: the estimates of contrasts, also where runs are asked different tasks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl

from maple.analysis.questions.contrasts import UNIT, Contrast, average_contrasts, parts_of
from maple.analysis.questions.evidence import Block, Evidence, select_cells
from maple.analysis.questions.records import Answer, Line, NotAsked, Part, heading, not_asked
from maple.analysis.statistics import Estimate, Joint
from maple.analysis.training_noise import SEEDS
from maple.definitions.question import CellSelection, DifferenceQuestion, QuestionBase, SlopeQuestion


@dataclass(frozen=True)
class Weighted:
    """Cells with their weights in a mean."""

    cells: pl.DataFrame
    """The cells."""
    weights: np.ndarray
    """(cells,) Their weights, which sum to 1; or to 0 in the difference of two means."""


Pick = Callable[[pl.DataFrame], Weighted]


def equally(selection: CellSelection) -> Pick:
    """Return what gives the cells of a selection equal weights."""

    def pick(cells: pl.DataFrame) -> Weighted:
        selected = select_cells(cells, selection)
        return Weighted(selected, np.full(selected.height, 1 / selected.height) if selected.height else np.zeros(0))

    return pick


def less_blind(pick: Pick) -> Pick:
    """Return what gives the cells that `pick` gives of those with blind answers, and these as well, with minus.

    An item has one cluster in both cells, so that its answers are compared with each other.
    """

    def seeing_less_blind(cells: pl.DataFrame) -> Weighted:
        seeing = pick(cells.drop_nulls("blind"))
        both = pl.concat([seeing.cells, seeing.cells.with_columns(cell="blind")])
        order = both["cell"].arg_sort()
        return Weighted(both[order], np.concatenate([seeing.weights, -seeing.weights])[order])

    return seeing_less_blind


@dataclass(frozen=True)
class Blocks:
    """Contrasts grouped by the tasks that their runs share, and by the languages in which they are compared."""

    blocks: list[Block]
    """The blocks, in the order of the first contrast of each."""
    links: list[list[int]]
    """The blocks, by number, grouped into those whose errors may depend on each other."""
    contrasts: list[Contrast]
    """The contrasts, with weights over the columns: the runs of the first block, those of the second, and so on."""
    least: float
    """The smallest effect of interest, in points."""

    def compare(self, pick: Pick) -> "Comparison":
        """Average the picked cells of each block in each of its runs, over the items that all of these have."""
        picked = [pick(block.cells) for block in self.blocks]
        joints = [
            block.scores.average_shared_items(one.cells["cell"].to_list(), one.weights)
            for block, one in zip(self.blocks, picked, strict=True)
        ]
        return Comparison(joints, self.links, _languages_by_task([one.cells for one in picked]), self.least)


@dataclass(frozen=True)
class Comparison:
    """The averages of the runs of each block, with their covariances."""

    joints: list[Joint]
    """The averages of each block."""
    links: list[list[int]]
    """As in Blocks."""
    cells: dict[str, list[str]]
    """The languages that are compared, by task."""
    least: float
    """As in Blocks."""

    @cached_property
    def value(self) -> np.ndarray:
        """(columns,) The averages."""
        return np.concatenate([joint.value for joint in self.joints])

    def contrast(self, weights: np.ndarray) -> Estimate:
        """Return weighted sums of the averages; `weights` are (columns, contrasts).

        Blocks on different tasks are independent: their variances add up, each with its degrees of freedom. Blocks that
        share a task, and so items, or a finetuned run, are taken as fully dependent: their standard errors add up, with
        the fewest of their degrees of freedom. That is the largest variance that the sum can have, so an interval is
        rather too wide than too narrow.
        """
        if len(self.joints) == 1:
            return self.joints[0].contrast(weights)
        bounds = np.cumsum([len(joint.value) for joint in self.joints])[:-1]
        parts = [
            _where_used(joint.contrast(own), np.atleast_1d((own != 0).any(axis=0)))
            for joint, own in zip(self.joints, np.split(weights, bounds), strict=True)
        ]
        sums = [_dependent([parts[number] for number in link]) for link in self.links]
        return Estimate(
            np.sum([one.value for one in sums], axis=0),
            np.concatenate([one.variances for one in sums]),
            np.concatenate([one.dfs for one in sums]),
            np.min([one.scope for one in sums], axis=0),
        )

    def covariance(self, weights: np.ndarray) -> np.ndarray | None:
        """Return the covariance of weighted sums of the averages, (sums, sums); None where blocks may be dependent."""
        return self.joints[0].covariance(weights) if len(self.joints) == 1 else None

    def estimate(self, contrasts: Sequence[Contrast], confidence: float) -> list[Part]:
        """Return the labels of contrasts with their estimates in points."""
        return parts_of(self.contrast(stacked(contrasts)), contrasts, confidence, self.least)


def stacked(contrasts: Sequence[Contrast]) -> np.ndarray:
    """Return the weights of contrasts, (columns, contrasts)."""
    return np.stack([contrast.weights for contrast in contrasts], axis=1)


def _where_used(estimate: Estimate, used: np.ndarray) -> Estimate:
    """Return the estimates of a block, with variance 0 for contrasts that have no run in it."""
    return replace(
        estimate,
        variances=np.where(used, estimate.variances, 0.0),
        dfs=np.where(used, estimate.dfs, np.inf),
        scope=np.where(used, estimate.scope, SEEDS),
    )


def _dependent(estimates: Sequence[Estimate]) -> Estimate:
    """Return the sum of estimates whose errors may be the same; a single one as it is."""
    if len(estimates) == 1:
        return estimates[0]
    se = np.sum([np.sqrt(estimate.variances.sum(axis=0)) for estimate in estimates], axis=0)
    with np.errstate(invalid="ignore"):
        dfs = [np.where(estimate.variances.sum(axis=0) == 0, np.inf, estimate.df) for estimate in estimates]
    value = np.sum([estimate.value for estimate in estimates], axis=0)
    scope = np.min([estimate.scope for estimate in estimates], axis=0)
    return Estimate(value, se[None] ** 2, np.min(dfs, axis=0)[None], scope)


def blocks_of(
    evidence: Evidence, contrasts: Sequence[Contrast], selection: CellSelection, has: Callable[[pl.DataFrame], bool]
) -> Blocks:
    """Group contrasts by the tasks and languages in which runs are compared; those without cells are left out.

    `has` tells if there are cells to compare among those of a block. With one block, the columns are its runs.
    """
    grouped: dict[tuple[frozenset[str], frozenset[str] | None], list[Contrast]] = {}
    for contrast in contrasts:
        tasks = evidence.compared(contrast.runs, selection)
        languages = evidence.languages_compared(contrast.runs, selection)
        grouped.setdefault((tasks, languages), []).append(contrast)
    blocks = [evidence.block(*key) for key in grouped if key[0] and has(evidence.block(*key).cells)]
    sizes = [len(block.numbers) for block in blocks]
    placed = {}
    for number, block in enumerate(blocks):
        before, after = np.zeros(sum(sizes[:number])), np.zeros(sum(sizes[number + 1 :]))
        for contrast in grouped[block.tasks, block.languages]:
            weights = np.concatenate([before, contrast.weights[block.numbers], after])
            placed[id(contrast)] = replace(contrast, weights=weights)
    tuned = [
        {run for contrast in of_block for run in contrast.runs if not evidence.runs[run].is_baseline}
        for of_block in (grouped[block.tasks, block.languages] for block in blocks)
    ]
    linked = [(block.tasks, runs) for block, runs in zip(blocks, tuned, strict=True)]
    compared = [placed[id(contrast)] for contrast in contrasts if id(contrast) in placed]
    return Blocks(blocks, _links(linked), compared, evidence.settings.smallest_effect)


def blocks_with(evidence: Evidence, contrasts: Sequence[Contrast], selection: CellSelection) -> Blocks:
    """Return blocks_of contrasts, without the blocks that have none of the selected cells."""
    return blocks_of(evidence, contrasts, selection, lambda cells: not select_cells(cells, selection).is_empty())


def _links(blocks: Sequence[tuple[frozenset[str], set[int]]]) -> list[list[int]]:
    """Group blocks, (tasks, runs) each, that share a task or a run with another one of their group."""
    groups: list[tuple[list[int], set]] = []
    for number, (tasks, runs) in enumerate(blocks):
        numbers, shared = [number], {*tasks, *runs}
        for group in [group for group in groups if group[1] & shared]:
            groups.remove(group)
            numbers, shared = [*group[0], *numbers], shared | group[1]
        groups.append((numbers, shared))
    return [sorted(numbers) for numbers, _ in groups]


def _languages_by_task(frames: Sequence[pl.DataFrame]) -> dict[str, list[str]]:
    """Return the languages of some cells, by task."""
    found: dict[str, list[str]] = {}
    for cells in frames:
        for (task,), rows in cells.group_by("task", maintain_order=True):
            known = found.setdefault(str(task), [])
            known += [code for code in rows["language"].unique(maintain_order=True) if code not in known]
    return found


def paths_of(evidence: Evidence, contrasts: Sequence[Contrast]) -> list[str]:
    """Return the paths of the runs that contrasts compare, in the order of the grid."""
    return [evidence.runs[number].path for number in sorted({run for contrast in contrasts for run in contrast.runs})]


def mean_answer(
    name: str,
    question: SlopeQuestion | DifferenceQuestion,
    evidence: Evidence,
    contrasts: Sequence[Contrast],
    missing: str,
    *,
    by: Sequence[str],
    unit: Sequence[str],
) -> Answer | NotAsked:
    """Return the answer that the mean of contrasts gives on the question's cells; `missing` says why there are none."""
    if evidence.has_no_cells(question.cells):
        return not_asked(name, question, evidence.missing(question.cells))
    if not contrasts:
        return not_asked(name, question, missing)
    blocks = blocks_with(evidence, contrasts, question.cells)
    if not blocks.contrasts:
        return not_asked(name, question, evidence.missing(question.cells))
    comparison, confidence = blocks.compare(equally(question.cells)), evidence.settings.confidence
    return answer_from_contrasts(
        name, question, evidence, comparison, blocks.contrasts, by=by, unit=unit, confidence=confidence
    )


def answer_from_contrasts(
    name: str,
    question: QuestionBase,
    evidence: Evidence,
    comparison: Comparison,
    contrasts: Sequence[Contrast],
    *,
    by: Sequence[str],
    unit: Sequence[str] = UNIT,
    confidence: float,
) -> Answer:
    """Return the answer that contrasts give on a comparison, without its verdict.

    Its lines average the contrasts by the labels `unit`, as the seeds of one setting; its parts average the lines by
    the labels `by`, and its effect averages all lines.
    """
    units = average_contrasts(contrasts, (*unit, *(label for label in by if label not in unit)))
    parts = average_contrasts(units, by)
    whole, *rows = comparison.estimate([*average_contrasts(units, ()), *parts, *units], confidence)
    return Answer(
        **heading(name, question),
        **whole.params(),
        parts=rows[: len(parts)],
        lines=[Line(**row.params()) for row in rows[len(parts) :]],
        cells=comparison.cells,
        runs=paths_of(evidence, contrasts),
    )
