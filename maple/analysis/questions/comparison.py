"""Comparisons: the estimates of contrasts, also where runs are asked different tasks."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import polars as pl

from maple.analysis.questions.contrasts import Contrast, average_contrasts, parts_of
from maple.analysis.questions.evidence import Block, Evidence, select_cells
from maple.analysis.questions.over_languages import Value, Whole
from maple.analysis.questions.records import Part
from maple.analysis.questions.repeats import Drawn, Repeats, drawn, drawn_with_sides, repeated
from maple.analysis.statistics import Estimate, Joint
from maple.analysis.training_noise import SEEDS
from maple.definitions.question import CellSelection


@dataclass(frozen=True)
class Weighted:
    """Cells with their weights in a mean."""

    cells: pl.DataFrame
    """The cells."""
    weights: np.ndarray
    """(cells,) Their weights, which sum to 1; or to 0 in the difference of two means."""

    def of(self, languages: Collection[str]) -> "Weighted":
        """Return the cells of some languages, with the weights that they have in the whole."""
        kept = self.cells["language"].is_in(list(languages))
        return Weighted(self.cells.filter(kept), self.weights[kept.to_numpy()])

    @property
    def share(self) -> float:
        """Their share of the mean; a cell of blind answers has none beside the cell that it is taken from."""
        is_blind = (self.cells["cell"] == self.cells["blind"]).fill_null(False).to_numpy()
        return float(self.weights[~is_blind].sum())


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
    left_out: list[str]
    """Selected cells, as task/language, in which the runs have too few items in common."""

    def compare(self, pick: Pick, sides: Sequence["Comparison"] = ()) -> "Comparison":
        """Average the picked cells of each block in each of its runs, over the items that all of these have.

        `sides` are the comparisons of two groups of languages whose difference this one is.
        """
        return _averaged(self, [pick(block.cells) for block in self.blocks], sides)

    def only(self, numbers: Sequence[int]) -> "Blocks":
        """Return some of the blocks, by number, without contrasts."""
        links = [[numbers.index(number) for number in link if number in numbers] for link in self.links]
        blocks, links = [self.blocks[number] for number in numbers], [link for link in links if link]
        return replace(self, blocks=blocks, links=links, contrasts=[])


@dataclass(frozen=True)
class Comparison:
    """The averages of the runs of each block, with their covariances."""

    blocks: Blocks
    """The blocks."""
    weighted: list[Weighted]
    """The cells of each block."""
    joints: list[Joint]
    """The averages of each block."""
    sides: Sequence["Comparison"]
    """The comparisons of two groups of languages whose difference this one is; empty for a mean over languages."""

    @property
    def least(self) -> float:
        """The smallest effect of interest, in points."""
        return self.blocks.least

    @property
    def left_out(self) -> list[str]:
        """As in Blocks."""
        return self.blocks.left_out

    @cached_property
    def cells(self) -> dict[str, list[str]]:
        """The languages that are compared, by task."""
        return _languages_by_task([one.cells for one in self.weighted])

    @property
    def languages(self) -> list[str]:
        """The codes of the languages that are compared."""
        return list(dict.fromkeys(code for codes in self.cells.values() for code in codes))

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
        return self._sum(
            weights, [joint.contrast(own) for joint, own in zip(self.joints, self._by_block(weights), strict=True)]
        )

    def _sum(self, weights: np.ndarray, of_blocks: Sequence[Estimate]) -> Estimate:
        """Return the estimates of contrasts from those of each block."""
        if len(of_blocks) == 1:
            return of_blocks[0]
        parts = [
            _where_used(one, (own != 0).any(axis=0))
            for one, own in zip(of_blocks, self._by_block(weights), strict=True)
        ]
        sums = [_dependent([parts[number] for number in link]) for link in self.blocks.links]
        return Estimate(
            np.sum([one.value for one in sums], axis=0),
            np.concatenate([one.variances for one in sums]),
            np.concatenate([one.dfs for one in sums]),
            np.min([one.scope for one in sums], axis=0),
            trainings=np.sum([one.trainings for one in sums], axis=0),
        )

    @cached_property
    def _drawn(self) -> list[tuple[Drawn, ...]]:
        """Repeated studies of each block, and of each of its sides; those of linked blocks have the same luck."""
        links = {number: place for place, link in enumerate(self.blocks.links) for number in link}
        luck = [links[number] for number in range(len(self.joints))]
        if not self.sides:
            return [(drawn(joint, seed),) for joint, seed in zip(self.joints, luck, strict=True)]
        low, high = self.sides
        joints = zip(self.joints, low.joints, high.joints, luck, strict=True)
        return [drawn_with_sides(both, of_low, of_high, seed) for both, of_low, of_high, seed in joints]

    def repeats(self, weights: np.ndarray) -> Repeats:
        """Return what repeated studies estimate of weighted sums of the averages, as in `contrast`."""
        whole, *sides = (
            one._sum(
                weights,
                [
                    repeated(joint, of_block[place], own)
                    for joint, of_block, own in zip(one.joints, self._drawn, one._by_block(weights), strict=True)
                ],
            )
            for place, one in enumerate((self, *self.sides))
        )
        return Repeats(whole, sides)

    def covariance(self, weights: np.ndarray) -> np.ndarray | None:
        """Return the covariance of weighted sums of the averages, (sums, sums); None where blocks may be dependent."""
        return self.joints[0].covariance(weights) if len(self.joints) == 1 else None

    def _by_block(self, weights: np.ndarray) -> list[np.ndarray]:
        """Return weights over all columns, (columns, ...), as those over the columns of each block."""
        return np.split(weights, np.cumsum([len(joint.value) for joint in self.joints])[:-1])

    def of_items(self, weights: np.ndarray) -> float:
        """Return the variance that items alone cause in one contrast, with `weights` (columns,)."""
        se = [
            np.sqrt(max(0.0, own @ joint.covariances.sum(axis=0) @ own))
            for joint, own in zip(self.joints, self._by_block(weights), strict=True)
        ]
        return float(sum(sum(se[number] for number in link) ** 2 for link in self.blocks.links))

    def estimate(self, contrasts: Sequence[Contrast], confidence: float) -> list[Part]:
        """Return the labels of contrasts with their estimates in points, and what draws repeated studies of each."""
        found = parts_of(self.contrast(stacked(contrasts)), contrasts, confidence, self.least)
        return [
            part.model_copy(update={"repeats": partial(self.repeats, contrast.weights[:, None])})
            for part, contrast in zip(found, contrasts, strict=True)
        ]

    def effects(
        self, contrasts: Sequence[Contrast], by: Sequence[str], unit: Sequence[str], confidence: float
    ) -> "Effects":
        """Return the effects that contrasts give, in points.

        The lines average the contrasts by the labels `unit`, as the seeds of one setting; the parts average the lines
        by the labels `by`, and the whole averages all lines.
        """
        units = average_contrasts(contrasts, _labels(by, unit))
        parts = average_contrasts(units, by)
        whole, *rows = self.estimate([*average_contrasts(units, ()), *parts, *units], confidence)
        return Effects(whole, rows[: len(parts)], rows[len(parts) :])

    def whole(self, contrasts: Sequence[Contrast], by: Sequence[str], unit: Sequence[str]) -> Whole:
        """Return the contrast that gives the whole effect of contrasts, as in `effects`."""

        def mean(weights: Sequence[np.ndarray]) -> np.ndarray:
            own = [replace(one, weights=each) for one, each in zip(contrasts, weights, strict=True)]
            return average_contrasts(average_contrasts(own, _labels(by, unit)), ())[0].weights

        used = [np.array([float(own.any()) for own in self._by_block(one.weights)]) for one in contrasts]
        return Whole(mean([one.weights for one in contrasts]), mean(used))

    def values(self, whole: Whole, clusters: Mapping[str, str]) -> list[Value]:
        """Return the values of one contrast in the clusters of the compared languages, `clusters` by code."""
        members: dict[str, list[str]] = {}
        for code in self.languages:
            members.setdefault(clusters[code], []).append(code)
        return [self._value(whole, name, codes) for name, codes in members.items()]

    def _value(self, whole: Whole, name: str, codes: Collection[str]) -> Value:
        """Return the value of a contrast in some languages, on their cells with the weights that these have."""
        cells = [one.of(codes) for one in self.weighted]
        numbers = [number for number, one in enumerate(cells) if not one.cells.is_empty()]
        columns, own = self._by_block(whole.weights), [cells[number] for number in numbers]
        share = sum(whole.shares[number] * cells[number].share for number in numbers)
        weights = np.concatenate([columns[number] for number in numbers]) / share
        there = _averaged(self.blocks.only(numbers), own)
        return Value(name, share, there.contrast(weights[:, None]), there.of_items(weights))


@dataclass(frozen=True)
class Effects:
    """The effects that contrasts give on a comparison, in points."""

    whole: Part
    """The effect of all lines."""
    parts: list[Part]
    """The effects of the parts."""
    lines: list[Part]
    """The effects of the lines."""


def _labels(by: Sequence[str], unit: Sequence[str]) -> tuple[str, ...]:
    return (*unit, *(label for label in by if label not in unit))


def _averaged(blocks: Blocks, weighted: list[Weighted], sides: Sequence[Comparison] = ()) -> Comparison:
    joints = [
        block.scores.average_shared_items(one.cells["cell"].to_list(), one.weights)
        for block, one in zip(blocks.blocks, weighted, strict=True)
    ]
    return Comparison(blocks, weighted, joints, sides)


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
        trainings=np.where(used, estimate.trainings, 0.0),
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
    sum_of_variances = np.sum([estimate.variances.sum(axis=0) for estimate in estimates], axis=0)
    trainings = np.sum([estimate.trainings for estimate in estimates], axis=0)
    with np.errstate(invalid="ignore"):
        share = np.nan_to_num(trainings / sum_of_variances)
    return Estimate(value, se[None] ** 2, np.min(dfs, axis=0)[None], scope, trainings=share * se**2)


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
    lacking = [select_cells(block.left_out, selection).select("task", "language").rows() for block in blocks]
    left_out = list(dict.fromkeys(f"{task}/{language}" for cells in lacking for task, language in cells))
    return Blocks(blocks, _links(linked), compared, evidence.settings.smallest_effect, left_out)


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
