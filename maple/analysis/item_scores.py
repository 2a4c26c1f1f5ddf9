"""A study's item scores: all runs side by side, item by item."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from maple.analysis.statistics import Items, Joint, joint
from maple.definitions.run import run_path
from maple.evaluation.clusters import CLUSTER_SCHEMA, joined
from maple.evaluation.finish_reasons import TOO_LONG

RUN = ["model", "dataset", "method", "rank", "bits", "seed"]
# The last digits of a sum depend on the order of threads; two summaries of the same scores must be the same.
DECIMALS = 10
_KEY = ["model", "dataset", "method", "seed"]
CELL = ["task", "metric", "language"]
SHARES = [
    "unparsed", "empty", "wrong_language", "wrong_script", "truncated", "too_long", "prompt_tokens",
    "completion_tokens", "tokens_per_word", "shots", "shots_dropped",
]  # fmt: skip


class SummaryError(ValueError):
    """Scores that cannot be summarized or compared; the message names the run, the task or the language."""


@dataclass(frozen=True)
class ItemScores:
    """A study's item scores, all runs side by side.

    runs: those of the grid that have scores, in its order (maple.study.grid.expand_grid); cells: number (cell), task,
    metric, language, chance, headline (is the metric its task's?), shared (have all runs items there in common?);
    values: (rows, runs), nan where a run lacks an item; items: which item of which cell a row is; shares: how the
    completions of each run look in each cell.
    """

    runs: list[dict]
    cells: pl.DataFrame
    values: np.ndarray
    items: Items
    shares: pl.DataFrame

    @property
    def bases(self) -> np.ndarray:
        """The number of each run's untouched base; -1 for a base itself, and where there is none."""
        untouched = {run["model"]: number for number, run in enumerate(self.runs) if run["method"] == "none"}
        return np.array([-1 if run["method"] == "none" else untouched.get(run["model"], -1) for run in self.runs])

    @property
    def twins(self) -> np.ndarray:
        """A number that a run shares with those that differ from it by the seed alone; -1 for an untouched base."""
        names = [tuple(run[name] for name in _KEY[:-1]) for run in self.runs]
        return np.array([-1 if name[-1] == "none" else names.index(name) for name in names])

    def of(self, cells: Sequence[int]) -> tuple[np.ndarray, Items]:
        """Return the scores of some cells, by their numbers in order, and their items."""
        ends = np.searchsorted(self.items.cell, [[cell, cell + 1] for cell in cells])
        rows = np.concatenate([np.arange(*pair) for pair in ends])
        cell = np.repeat(np.arange(len(cells)), ends[:, 1] - ends[:, 0])
        return self.values[rows], Items(cell, self.items.cluster[rows], self.items.task[list(cells)])

    def together(self, cells: Sequence[int], weights: Sequence[float]) -> Joint:
        """Average some cells by their weights, in all runs over the same items: those that every run has.

        Raises SummaryError where a run lacks one of the cells altogether: means over differing sets do not compare.
        """
        self.check(cells)
        values, items = self.of(cells)
        everywhere = ~np.isnan(values).any(axis=1)
        items = Items(items.cell[everywhere], items.cluster[everywhere], items.task)
        return joint(values[everywhere], items, np.asarray(weights), self.twins)

    def check(self, cells: Sequence[int]) -> None:
        """Raise SummaryError where some run lacks one of the cells."""
        lacking = self.cells.filter(pl.col("cell").is_in(list(cells)) & ~pl.col("shared"))
        if lacking.is_empty():
            return
        cell = lacking.row(0, named=True)
        without = np.isnan(self.of([cell["cell"]])[0]).all(axis=0)
        why = f"{run_path(self.runs[np.argmax(without)])} has none" if without.any() else "no item has one in every run"
        raise SummaryError(
            f"{cell['metric']} of {cell['task']} in {cell['language']}: {why}, and means over differing languages or "
            "items do not compare; score it there, or leave the language out of the mean"
        )


def item_scores(
    scores: pl.LazyFrame | pl.DataFrame,
    runs: Sequence[Mapping],
    tasks: Mapping[str, Mapping],
    clusters: pl.DataFrame | None = None,
) -> ItemScores:
    """Read the item scores of a study; thirty million of them take two gigabytes.

    `scores` has the columns of maple.evaluation.scoring.SCORE_SCHEMA, `runs` are those of the grid, with method "none"
    for an untouched base, `tasks` give "headline" and "chance" by name, `clusters` which items stand on the same text
    (maple.evaluation.clusters.CLUSTER_SCHEMA; without them each stands alone). Raises SummaryError for scores of no
    run, of an unknown task, and where an item stands twice.
    """
    table = pl.DataFrame([{name: run[name] for name in _KEY} for run in runs], schema_overrides={"seed": pl.Int64})
    found = scores.lazy().join(table.with_row_index("run").lazy(), on=_KEY)
    shares = (
        found.select(
            "run", *CELL, "prompt_tokens", "completion_tokens", "tokens_per_word", "shots", "shots_dropped",
            pl.col("wrong_language", "wrong_script").cast(pl.Float64),
            unparsed=(~pl.col("parsed")).cast(pl.Float64),
            empty=(pl.col("prediction") == "").cast(pl.Float64),
            truncated=(pl.col("finish_reason") == "length").cast(pl.Float64),
            too_long=(pl.col("finish_reason") == TOO_LONG).cast(pl.Float64),
        )
        .group_by("run", *CELL)
        .agg(pl.sum(*SHARES) / pl.len(), *((pl.count(name) / pl.len()).alias(f"{name}_known") for name in SHARES))
        .collect(engine="streaming")
    )  # fmt: skip
    if shares.is_empty():
        raise SummaryError("no score belongs to a run of the grid; score at least one of them")
    if unknown := set(shares["task"].unique()) - set(tasks):
        raise SummaryError(f"scores of task {sorted(unknown)}, which is not among {', '.join(tasks)}")
    present = sorted(shares["run"].unique())
    cells = (
        shares.select(CELL)
        .unique()
        .sort(CELL)
        .with_row_index("cell")
        .with_columns(
            headline=pl.col("metric")
            == pl.col("task").replace_strict({name: tasks[name]["headline"] for name in tasks}),
            chance=pl.col("task").replace_strict(
                {name: tasks[name].get("chance") for name in tasks}, return_dtype=pl.Float64
            ),
        )
    )
    places = (
        found.select(*CELL, "item")
        .unique()
        .collect(engine="streaming")
        .join(cells.select("cell", *CELL), on=CELL)
        .sort("cell", "item")
        .with_columns(number=pl.col("item").rank("dense").over("task").cast(pl.Int64))
        .with_row_index("row")
    )
    filled = found.join(places.lazy(), on=[*CELL, "item"]).select("run", "row", "value").collect(engine="streaming")
    values = np.full((places.height, len(present)), np.nan)
    values[filled["row"].to_numpy(), np.searchsorted(present, filled["run"].to_numpy())] = filled["value"].to_numpy()
    if np.count_nonzero(~np.isnan(values)) < filled.height:
        twice = filled.filter(pl.struct("run", "row").is_duplicated() | pl.col("value").is_nan()).row(0, named=True)
        task, metric, language, item = places.select(*CELL, "item").row(twice["row"])
        raise SummaryError(
            f"{run_path(runs[twice['run']])}: {metric} of item {item!r} of {task} in {language} stands there twice or "
            "is no number; score the run anew"
        )
    everywhere = ~np.isnan(values).any(axis=1)
    shared = np.bincount(places["cell"].to_numpy()[everywhere], minlength=cells.height) > 0
    return ItemScores(
        runs=[dict(runs[number]) for number in present],
        cells=cells.with_columns(shared=shared),
        values=values,
        items=Items(
            places["cell"].cast(pl.Int64).to_numpy(),
            joined(places, pl.DataFrame(schema=CLUSTER_SCHEMA) if clusters is None else clusters).to_numpy(),
            cells["task"].rank("dense").cast(pl.Int64).to_numpy(),
        ),
        shares=shares.join(cells.select("cell", *CELL), on=CELL).with_columns(
            run=pl.col("run").replace_strict({number: at for at, number in enumerate(present)}, return_dtype=pl.Int64)
        ),
    )
