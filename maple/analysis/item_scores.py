"""A study's item scores: all runs side by side, item by item."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from maple.analysis.statistics import Items, Joint, joint
from maple.definitions.run import NONE, Run, RunKey
from maple.definitions.task import TaskMetrics
from maple.evaluation.clusters import CLUSTER_SCHEMA, cluster_numbers
from maple.evaluation.finish_reasons import TOO_LONG

RUN_KEY = ["model", "dataset", "method", "seed"]
_KEY_SCHEMA = {**dict.fromkeys(RUN_KEY, pl.String), "seed": pl.Int64}
RUN = ["model", "dataset", "method", "rank", "bits", "seed"]
CELL = ["task", "metric", "language"]
# In frames with the columns of a run: is it a base model that nothing was trained on? As Run.is_baseline.
IS_BASELINE = pl.col("method") == NONE
# The last digits of a sum depend on the order of threads; they are rounded away, so that a summary can be repeated.
DECIMALS = 10
SHARES = [
    "unparsed", "empty", "wrong_language", "wrong_script", "truncated", "too_long", "thinking", "unfinished_thinking",
    "thinking_tokens", "prompt_tokens", "completion_tokens", "tokens_per_word", "shots", "shots_dropped",
]  # fmt: skip


def key_of(row: Mapping[str, Any]) -> RunKey:
    """Return the key of the run that a row with the columns RUN_KEY, or the `run` of a card, belongs to."""
    return RunKey(**{name: row[name] for name in RUN_KEY})


class SummaryError(ValueError):
    """Scores that cannot be summarized or compared; the message names the run, the task or the language."""


@dataclass(frozen=True)
class ItemScores:
    """A study's item scores, all runs side by side. A cell is one task, metric and language."""

    runs: list[Run]
    """The runs that have scores, in the order of the grid."""
    cells: pl.DataFrame
    """cell (its number), task, metric, language, chance, headline (is the metric the task's headline?), shared (is
    there an item that every run has a score of?)."""
    values: np.ndarray
    """(rows, runs) The scores; nan if a run lacks an item."""
    items: Items
    """The cell and the item of each row."""
    shares: pl.DataFrame
    """run, cell and, for each of SHARES, its mean over the completions, times and beside the share of completions for
    which it is defined (its name with _known)."""

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

    def select(self, cells: Sequence[int]) -> tuple[np.ndarray, Items]:
        """Return the scores and the items of some cells, which are given by their numbers in order."""
        bounds = np.searchsorted(self.items.cell, [[cell, cell + 1] for cell in cells])
        rows = np.concatenate([np.arange(*pair) for pair in bounds])
        cell = np.repeat(np.arange(len(cells)), bounds[:, 1] - bounds[:, 0])
        return self.values[rows], Items(cell, self.items.cluster[rows], self.items.task[list(cells)])

    def average_shared_items(self, cells: Sequence[int], weights: Sequence[float] | np.ndarray) -> Joint:
        """Average some cells by their weights, in every run over the same items: those that all runs have.

        Raises SummaryError if some run has no score in a cell: means over different languages do not compare.
        """
        self.check(cells)
        values, items = self.select(cells)
        shared = ~np.isnan(values).any(axis=1)
        items = Items(items.cell[shared], items.cluster[shared], items.task)
        return joint(values[shared], items, np.asarray(weights), self.seed_groups)

    def check(self, cells: Sequence[int]) -> None:
        """Raise SummaryError if in some cell there is no item that every run has a score of."""
        incomplete = self.cells.filter(pl.col("cell").is_in(list(cells)) & ~pl.col("shared"))
        if incomplete.is_empty():
            return
        cell = incomplete.row(0, named=True)
        empty = np.isnan(self.select([cell["cell"]])[0]).all(axis=0)
        why = f"{self.runs[np.argmax(empty)].path} has none" if empty.any() else "no item has one in every run"
        raise SummaryError(
            f"{cell['metric']} of {cell['task']} in {cell['language']}: {why}, and means over differing languages or "
            "items do not compare; score it there, or leave the language out of the mean"
        )


def item_scores(
    scores: pl.LazyFrame | pl.DataFrame,
    runs: Iterable[Run],
    tasks: Mapping[str, TaskMetrics],
    clusters: pl.DataFrame | None = None,
) -> ItemScores:
    """Read the item scores of a study; thirty million of them take two gigabytes.

    `scores` has the columns of maple.evaluation.scoring.SCORE_SCHEMA, `runs` are those of the grid, `tasks` are keyed
    by name. `clusters` tells which items are on the same text (maple.evaluation.clusters.CLUSTER_SCHEMA); without it
    every item is on a text of its own. Raises SummaryError for scores of a task or a language that is not the study's,
    for an item that occurs twice, and if no score belongs to a run.
    """
    runs = list(runs)
    keys = pl.DataFrame([[getattr(run, name) for name in RUN_KEY] for run in runs], schema=_KEY_SCHEMA, orient="row")
    table = scores.lazy().join(keys.with_row_index("run").lazy(), on=RUN_KEY)
    shares = _completion_shares(table)
    if shares.is_empty():
        raise SummaryError("no score belongs to a run of the grid; score at least one of them")
    if unknown := set(shares["task"].unique()) - set(tasks):
        raise SummaryError(f"scores of task {sorted(unknown)}, which is not among {', '.join(tasks)}")
    for task, code in sorted(set(shares.select("task", "language").iter_rows())):
        if code not in tasks[task].languages:
            raise SummaryError(f"scores of task {task} in {code}, in which this study does not ask it; score it again")
    present = sorted(shares["run"].unique())
    cells = _cells(shares, tasks)
    rows = _rows(table, cells)
    values = _values(table, rows, present, runs)
    complete = ~np.isnan(values).any(axis=1)
    shared = np.bincount(rows["cell"].to_numpy()[complete], minlength=cells.height) > 0
    return ItemScores(
        runs=[runs[number] for number in present],
        cells=cells.with_columns(shared=shared),
        values=values,
        items=Items(
            rows["cell"].cast(pl.Int64).to_numpy(),
            cluster_numbers(
                rows, pl.DataFrame(schema=[*CLUSTER_SCHEMA.items()]) if clusters is None else clusters
            ).to_numpy(),
            cells["task"].rank("dense").cast(pl.Int64).to_numpy(),
        ),
        shares=shares.join(cells.select("cell", *CELL), on=CELL).with_columns(
            run=pl.col("run").replace_strict({number: at for at, number in enumerate(present)}, return_dtype=pl.Int64)
        ),
    )


def _completion_shares(table: pl.LazyFrame) -> pl.DataFrame:
    """Return ItemScores.shares, with task, metric and language in the place of the cell's number.

    An answer that is chosen among labels, ranked or classified, is no completion: it is neither empty nor cut, which
    the scores tell by their column `thinking`, null for it.
    """
    generated = pl.col("thinking").is_not_null()
    return (
        table.select(
            "run", *CELL, "prompt_tokens", "completion_tokens", "tokens_per_word", "shots", "shots_dropped",
            "thinking_tokens",
            pl.col("wrong_language", "wrong_script", "thinking", "unfinished_thinking").cast(pl.Float64),
            unparsed=(~pl.col("parsed")).cast(pl.Float64),
            empty=pl.when(generated).then(pl.col("prediction") == "").cast(pl.Float64),
            truncated=pl.when(generated).then(pl.col("finish_reason") == "length").cast(pl.Float64),
            too_long=(pl.col("finish_reason") == TOO_LONG).cast(pl.Float64),
        )
        .group_by("run", *CELL)
        .agg(pl.sum(*SHARES) / pl.len(), *((pl.count(name) / pl.len()).alias(f"{name}_known") for name in SHARES))
        .collect(engine="streaming")
    )  # fmt: skip


def _cells(shares: pl.DataFrame, tasks: Mapping[str, TaskMetrics]) -> pl.DataFrame:
    """Return ItemScores.cells without the column `shared`."""
    headlines = {name: task.headline for name, task in tasks.items()}
    chances = {name: task.chance for name, task in tasks.items()}
    return (
        shares.select(CELL)
        .unique()
        .sort(CELL)
        .with_row_index("cell")
        .with_columns(
            headline=pl.col("metric") == pl.col("task").replace_strict(headlines),
            chance=pl.col("task").replace_strict(chances, return_dtype=pl.Float64),
        )
    )


def _rows(table: pl.LazyFrame, cells: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of ItemScores.values: row, task, metric, language, item, cell, number (the item's)."""
    return (
        table.select(*CELL, "item")
        .unique()
        .collect(engine="streaming")
        .join(cells.select("cell", *CELL), on=CELL)
        .sort("cell", "item")
        .with_columns(number=pl.col("item").rank("dense").over("task").cast(pl.Int64))
        .with_row_index("row")
    )


def _values(table: pl.LazyFrame, rows: pl.DataFrame, present: Sequence[int], runs: Sequence[Run]) -> np.ndarray:
    """Return ItemScores.values, with a column for each of the `present` runs, which are numbers in `runs`."""
    scores = table.join(rows.lazy(), on=[*CELL, "item"]).select("run", "row", "value").collect(engine="streaming")
    values = np.full((rows.height, len(present)), np.nan)
    values[scores["row"].to_numpy(), np.searchsorted(present, scores["run"].to_numpy())] = scores["value"].to_numpy()
    if np.count_nonzero(np.isfinite(values)) < scores.height:
        is_number = pl.col("value").is_finite().fill_null(False)
        slip = scores.filter(pl.struct("run", "row").is_duplicated() | ~is_number).row(0, named=True)
        task, metric, language, item = rows.select(*CELL, "item").row(slip["row"])
        raise SummaryError(
            f"{runs[slip['run']].path}: {metric} of item {item!r} of {task} in {language} is there twice or "
            "is not a number; score the run again"
        )
    return values
