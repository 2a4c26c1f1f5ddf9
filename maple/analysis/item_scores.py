"""A study's item scores: all runs side by side, item by item."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from maple.analysis.score_parts import ALL_SHARES, CELL, RUN_KEY, SHARES, Parts, read_parts
from maple.analysis.statistics import Items, Joint, joint
from maple.analysis.training_noise import Trainings
from maple.definitions.run import NONE, Run, RunKey
from maple.definitions.task import TaskMetrics
from maple.evaluation.clusters import CLUSTER_SCHEMA, cluster_numbers
from maple.metrics.registry import is_of_items, metric_of

# In frames with the columns of a run: is it a base model that nothing was trained on? As Run.is_baseline.
IS_BASELINE = pl.col("method") == NONE
# The last digits of a sum depend on the order of threads; they are rounded away, so that a summary can be repeated.
DECIMALS = 10
# The fewest clusters that runs must have in common in a cell: our choice. With five clusters of graded scores that
# crowd at 1, an interval covers 89 to 93 %, with ten 91 to 94 % (docs/statistics.md).
FEWEST_SHARED = 10


def key_of(row: Mapping[str, Any]) -> RunKey:
    """Return the key of the run that a row with the columns RUN_KEY, or the `run` of a card, belongs to."""
    return RunKey(**{name: row[name] for name in RUN_KEY})


def task_sets(runs: Iterable[Run]) -> list[tuple[str, ...]]:
    """Return the different sets of tasks that runs are asked, in the order in which the runs bring them.

    A mean over tasks compares only runs that are asked the same ones.
    """
    return list(dict.fromkeys(run.tasks for run in runs))


class SummaryError(ValueError):
    """Scores that cannot be summarized or compared; the message names the run, the task or the language."""


@dataclass(frozen=True)
class ItemScores:
    """A study's item scores, all runs side by side. A cell is one task, metric and language."""

    runs: list[Run]
    """The runs that have scores, in the order of the grid."""
    cells: pl.DataFrame
    """cell (its number), task, metric, language, domain and direction (of the task, empty if it states none), chance,
    headline (is the metric the task's headline?), lowest and highest (the range of the metric), signature (of a metric
    of a set of texts, else null), shared (do all runs have scores of enough common items? see shared_cells)."""
    values: np.ndarray
    """(rows, runs) The scores; nan if a run lacks an item."""
    parsed: np.ndarray
    """(rows, runs) Does the run's answer choose a label, or have text? False if a run lacks an item."""
    items: Items
    """The cell and the item of each row."""
    shares: pl.DataFrame
    """run, cell and, for each of SHARES and TRANSLATION_SHARES, its sum over the completions, beside the number of
    those for which it is defined (its name with _known); for length_ratio the characters of completions, beside those
    of references."""

    @cached_property
    def share_names(self) -> list[str]:
        """The columns of `shares` that the study has: those of translations only if it has translations."""
        return ALL_SHARES if self.shares["length_ratio_known"].sum() else SHARES

    @cached_property
    def bases(self) -> np.ndarray:
        """(runs,) The number of each run's base model; -1 for a base model itself, and if it has no scores."""
        numbers = {run.model: number for number, run in enumerate(self.runs) if run.is_baseline}
        return np.array([-1 if run.is_baseline else numbers.get(run.model, -1) for run in self.runs])

    @cached_property
    def seed_groups(self) -> np.ndarray:
        """(runs,) The seed group of each run: runs that differ only in their seed share a number; -1 for a base model.

        The number is that of the group's first run.
        """
        first: dict[tuple[str, str, str], int] = {}
        return np.array(
            [
                -1 if run.is_baseline else first.setdefault((run.model, run.dataset, run.method), number)
                for number, run in enumerate(self.runs)
            ]
        )

    @cached_property
    def trainings(self) -> Trainings:
        """How the runs were trained."""
        return Trainings.of(self.runs)

    @cached_property
    def comparisons(self) -> "list[Comparison]":
        """The comparisons of the study, one per set of tasks that runs are asked."""
        found = []
        for tasks in task_sets(self.runs):
            members = [number for number, run in enumerate(self.runs) if run.tasks == tasks]
            bases = {base for base in self.bases[members].tolist() if base >= 0}
            compared = sorted({*members, *(base for base in bases if set(tasks) <= set(self.runs[base].tasks))})
            found.append(Comparison(self.only(compared), np.array(compared), np.isin(compared, members)))
        return found

    def only(self, runs: Sequence[int]) -> "ItemScores":
        """Return the scores of some runs, given by their numbers in order, as if the study had no others.

        Its cells are those that at least one of the runs has, with numbers of their own. A run whose base is left out
        has no base.
        """
        if list(runs) == list(range(len(self.runs))):
            return self
        chosen = replace(
            self,
            runs=[self.runs[number] for number in runs],
            values=self.values[:, list(runs)],
            parsed=self.parsed[:, list(runs)],
        )
        scored = ~np.isnan(chosen.values)
        present = np.unique(self.items.cell[scored.any(axis=1)])
        values, items = chosen.select(present.tolist())
        kept = (~np.isnan(values)).any(axis=1)
        parsed = chosen.parsed[self.rows_of(present.tolist())]
        cells = self.cells[present].with_columns(
            cell=pl.Series(range(len(present)), dtype=self.cells["cell"].dtype), shared=shared_cells(values, items)
        )
        numbers = pl.DataFrame({"run": list(runs), "number": range(len(runs))})
        return replace(
            chosen,
            cells=cells,
            values=values[kept],
            parsed=parsed[kept],
            items=replace(items, cell=items.cell[kept], cluster=items.cluster[kept]),
            shares=self.shares.drop("cell")
            .join(cells.select("cell", *CELL), on=CELL)
            .join(numbers, on="run")
            .drop("run")
            .rename({"number": "run"}),
        )

    def rows_of(self, cells: Sequence[int]) -> np.ndarray | slice:
        """Return the rows of some cells, which are given by their numbers in order; a slice if they follow each other.

        A slice copies no scores.
        """
        bounds = np.searchsorted(self.items.cell, [[cell, cell + 1] for cell in cells])
        if (bounds[1:, 0] == bounds[:-1, 1]).all():
            return slice(int(bounds[0, 0]), int(bounds[-1, 1]))
        return np.concatenate([np.arange(*pair) for pair in bounds])

    @cached_property
    def _ranges(self) -> np.ndarray:
        """(cells, 2) The lowest and the highest score of each cell."""
        return self.cells.select("lowest", "highest").to_numpy()

    @cached_property
    def _shared(self) -> np.ndarray:
        """(cells,) The column `shared` of `cells`."""
        return self.cells["shared"].to_numpy()

    def select(self, cells: Sequence[int]) -> tuple[np.ndarray, Items]:
        """Return the scores and the items of some cells, which are given by their numbers in order."""
        rows, chosen = self.rows_of(cells), list(cells)
        cell = np.searchsorted(chosen, self.items.cell[rows])
        return self.values[rows], Items(
            cell, self.items.cluster[rows], self.items.task[chosen], self.items.graded[chosen]
        )

    def bounds(self, cells: Sequence[int]) -> tuple[float, float]:
        """Return the smallest and the largest mean that some cells with equal weights can have."""
        low, high = self._ranges[list(cells)].mean(axis=0)
        return float(low), float(high)

    def average_shared_items(self, cells: Sequence[int], weights: Sequence[float] | np.ndarray) -> Joint:
        """Average some cells by their weights, in every run over the same items: those that all runs have.

        Raises SummaryError if some run has no score in a cell: means over different languages do not compare.
        """
        self.check(cells)
        values, items = self.select(cells)
        shared = ~np.isnan(values).any(axis=1)
        if not shared.all():
            items = replace(items, cell=items.cell[shared], cluster=items.cluster[shared])
            values = values[shared]
        return joint(values, items, np.asarray(weights), self.trainings)

    def check(self, cells: Sequence[int]) -> None:
        """Raise SummaryError if in some cell there are too few items that every run has a score of."""
        incomplete = [number for number in cells if not self._shared[number]]
        if not incomplete:
            return
        cell = self.cells.row(incomplete[0], named=True)
        empty = np.isnan(self.select([cell["cell"]])[0]).all(axis=0)
        why = f"{self.runs[np.argmax(empty)].path} has none" if empty.any() else "too few items have one in every run"
        raise SummaryError(
            f"{cell['metric']} of {cell['task']} in {cell['language']}: {why}, and means over differing languages or "
            "items do not compare; score it there, or leave the language out of the mean"
        )


@dataclass(frozen=True)
class Comparison:
    """The runs that are asked the same tasks, with the bases that they changed from."""

    scores: ItemScores
    """The scores of these runs alone."""
    runs: np.ndarray
    """(runs,) The number of each run in the whole study."""
    members: np.ndarray
    """(runs,) Is the run asked just these tasks? False for a base that is asked others as well."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that the runs are asked."""
        return self.scores.runs[int(np.argmax(self.members))].tasks

    def rows_of_members(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of the runs that are asked just these tasks; their column `run` then counts in the study."""
        members = pl.Series(self.members).gather(rows["run"])
        return rows.filter(members).with_columns(run=pl.Series(self.runs).gather(rows["run"]).filter(members))


def item_scores(
    scores: pl.DataFrame | Iterable[pl.DataFrame],
    runs: Iterable[Run],
    tasks: Mapping[str, TaskMetrics],
    clusters: pl.DataFrame | None = None,
) -> ItemScores:
    """Read the item scores of a study; with fifty million of them the statistics take 1.7 GiB.

    `scores` are one frame or many, as those of files, with maple.analysis.score_parts.COLUMNS; `runs` are those of the
    grid, `tasks` are keyed by name. `clusters` tells which items are on the same text
    (maple.evaluation.clusters.CLUSTER_SCHEMA); without it every item is on a text of its own. Raises SummaryError for
    scores of a task or a language that is not the study's, for an item that occurs twice, and if no score belongs to a
    run.
    """
    runs = list(runs)
    keys = {tuple(getattr(run, name) for name in RUN_KEY): number for number, run in enumerate(runs)}
    parts, shares = read_parts([scores] if isinstance(scores, pl.DataFrame) else scores, keys)
    if shares.is_empty():
        raise SummaryError("no score belongs to a run of the grid; score at least one of them")
    if unknown := set(shares["task"].unique()) - set(tasks):
        raise SummaryError(f"scores of task {sorted(unknown)}, which is not among {', '.join(tasks)}")
    for task, code in sorted(set(shares.select("task", "language").iter_rows())):
        if code not in tasks[task].languages:
            raise SummaryError(f"scores of task {task} in {code}, in which this study does not ask it; score it again")
    present = sorted(shares["run"].unique())
    cells = _cells(shares, tasks)
    places = parts.places(cells)
    rows = _rows(places, cells, pl.DataFrame(schema=[*CLUSTER_SCHEMA.items()]) if clusters is None else clusters)
    values, parsed = _values(parts, places, rows, present, runs)
    items = Items(
        rows["cell"].cast(pl.Int64).to_numpy(),
        rows["cluster"].to_numpy(),
        cells["task"].rank("dense").cast(pl.Int64).to_numpy(),
        np.array([not is_of_items(name) for name in cells["metric"]]),
    )
    return ItemScores(
        runs=[runs[number] for number in present],
        cells=cells.with_columns(shared=shared_cells(values, items)),
        values=values,
        parsed=parsed,
        items=items,
        shares=shares.join(cells.select("cell", *CELL), on=CELL).with_columns(
            run=pl.col("run").replace_strict({number: at for at, number in enumerate(present)}, return_dtype=pl.Int64)
        ),
    )


def shared_cells(values: np.ndarray, items: Items) -> np.ndarray:
    """Return whether all runs have scores of enough common items in each cell, (cells,).

    They have if the common items are of FEWEST_SHARED clusters or, in a cell with few clusters, of half of them. With
    fewer, such a cell would decide how certain a mean over many cells is, which has as few degrees of freedom.
    """
    complete = ~np.isnan(values).any(axis=1)
    counts = (
        pl.DataFrame({"cell": items.cell, "cluster": items.cluster, "complete": complete})
        .group_by("cell")
        .agg(all=pl.n_unique("cluster"), common=pl.col("cluster").filter("complete").n_unique())
        .sort("cell")
    )
    enough = pl.min_horizontal(FEWEST_SHARED, pl.col("all") / 2)
    return counts.select((pl.col("common") > 0) & (pl.col("common") >= enough)).to_series().to_numpy()


def _cells(shares: pl.DataFrame, tasks: Mapping[str, TaskMetrics]) -> pl.DataFrame:
    """Return ItemScores.cells without the column `shared`."""
    signed = shares.group_by(CELL).agg(pl.min("signature"), pl.max("last_signature")).sort(CELL)
    _check_signatures(signed)
    cells = signed.drop("last_signature").with_row_index("cell")
    metrics = list(cells.select("task", "metric").iter_rows())
    scales = [metric_of(metric).scale for _, metric in metrics]
    return cells.with_columns(
        domain=pl.Series([tasks[task].domain for task, _ in metrics], dtype=pl.String),
        direction=pl.Series([tasks[task].direction for task, _ in metrics], dtype=pl.String),
        headline=pl.Series([metric == tasks[task].headline for task, metric in metrics], dtype=pl.Boolean),
        chance=pl.Series([_chance(tasks[task], metric) for task, metric in metrics], dtype=pl.Float64),
        lowest=pl.Series([scale.low for scale in scales], dtype=pl.Float64),
        highest=pl.Series([scale.high for scale in scales], dtype=pl.Float64),
    )


def _check_signatures(signed: pl.DataFrame) -> None:
    """Raise SummaryError for a cell whose scores have different signatures: they are not of one metric."""
    for row in signed.filter(pl.col("signature") != pl.col("last_signature")).iter_rows(named=True):
        raise SummaryError(
            f"{row['metric']} of {row['task']} in {row['language']} has scores of two signatures, {row['signature']} "
            f"and {row['last_signature']}, which do not compare; score all runs again, over the same items and with "
            "one version of sacrebleu"
        )


def _chance(task: TaskMetrics, metric: str) -> float | None:
    """Return the score of guessing; it is the headline's, and that of every item metric if the headline is one."""
    both_of_items = is_of_items(metric) and is_of_items(task.headline)
    return task.chance if metric == task.headline or both_of_items else None


def _rows(places: pl.DataFrame, cells: pl.DataFrame, clusters: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of ItemScores.values: row, task, metric, language, item, cell, number and cluster of the item.

    In a cell the items of a cluster stand together, so that sums over clusters need no sorting.
    """
    rows = (
        places.select("cell", "item")
        .unique()
        .join(cells.select("cell", *CELL), on="cell")
        .sort("cell", "item")
        .with_columns(number=pl.col("item").rank("dense").over("task").cast(pl.Int64))
    )
    return (
        rows.with_columns(cluster=cluster_numbers(rows, clusters))
        .sort("cell", "cluster", "number")
        .with_row_index("row")
    )


def _values(
    parts: Parts, places: pl.DataFrame, rows: pl.DataFrame, present: Sequence[int], runs: Sequence[Run]
) -> tuple[np.ndarray, np.ndarray]:
    """Return ItemScores.values and ItemScores.parsed, with a column for each of `present`, numbers in `runs`."""
    row = places.join(rows, on=["cell", "item"], how="left", maintain_order="left")["row"].to_numpy()
    of_block = np.split(row, np.cumsum([block.height for block in parts.blocks])[:-1])
    # The first time of each row in a block; a row that is there again later is an item that occurs twice.
    firsts = [np.unique(rows_of_block, return_index=True)[1] for rows_of_block in of_block]
    columns = {number: at for at, number in enumerate(present)}
    values = np.full((rows.height, len(present)), np.nan)
    parsed = np.zeros(values.shape, bool)
    for part in parts.parts:
        place = of_block[part.block], columns[part.run]
        wrong = ~(np.isnan(values[place]) & np.isfinite(part.values))
        if wrong.any() or len(firsts[part.block]) < len(wrong):
            wrong |= ~np.isin(np.arange(len(wrong)), firsts[part.block])
            task, metric, language, item = rows.select(*CELL, "item").row(int(of_block[part.block][wrong.argmax()]))
            raise SummaryError(
                f"{runs[part.run].path}: {metric} of item {item!r} of {task} in {language} is there twice or "
                "is not a number; score the run again"
            )
        values[place], parsed[place] = part.values, part.parsed
    return values, parsed
