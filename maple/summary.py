"""Summary: what the item scores of all runs say, with intervals, and what finetuning changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from maple.answers import TOO_LONG
from maple.clusters import CLUSTER_SCHEMA, joined
from maple.definitions import run_path
from maple.statistics import Estimate, Items, Joint, average, holm, joint, mean_interval, paired, unseen

RUN = ["model", "dataset", "method", "rank", "bits", "seed"]
ENGLISH = "eng_Latn"
# The last digits of a sum depend on the order of threads; two summaries of the same scores must be the same.
DECIMALS = 10
_KEY = ["model", "dataset", "method", "seed"]
_CELL = ["task", "metric", "language"]
_SHARES = [
    "unparsed", "empty", "wrong_language", "wrong_script", "truncated", "too_long", "prompt_tokens",
    "completion_tokens", "tokens_per_word", "shots", "shots_dropped",
]  # fmt: skip
_CHANGE = ["base", "change", "change_se", "change_low", "change_high"]
_COLUMNS = [
    *RUN, "task", "language", "metric", "headline", "cells", "n", "mean", "se", "low", "high", *_SHARES,
    "chance", "against_chance", *_CHANGE, "visible", "confidence",
]  # fmt: skip
_RUN_SCHEMA = {name: pl.Int64 if name in ("rank", "bits", "seed") else pl.String for name in RUN}
_GROUP_SCHEMA = {
    **_RUN_SCHEMA,
    **dict.fromkeys(("kind", "group"), pl.String),
    **dict.fromkeys(("seeds", "cells", "n"), pl.Int64),
    **dict.fromkeys(("mean", "se", "low", "high", *_CHANGE, "p", "p_holm", "visible", "confidence"), pl.Float64),
}


class SummaryError(ValueError):
    """Scores that cannot be summarized or compared; the message names the run, the task or the language."""


@dataclass(frozen=True)
class ItemScores:
    """A study's item scores, all runs side by side.

    runs: those of the grid that have scores, in its order (maple.definitions.expand_grid); cells: number (cell), task,
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

    `scores` has the columns of maple.scoring.SCORE_SCHEMA, `runs` are those of the grid, with method "none" for an
    untouched base, `tasks` give "headline" and "chance" by name, `clusters` which items stand on the same text
    (maple.clusters.CLUSTER_SCHEMA; without them each stands alone). Raises SummaryError for scores of no run, of an
    unknown task, and where an item stands twice.
    """
    table = pl.DataFrame([{name: run[name] for name in _KEY} for run in runs], schema_overrides={"seed": pl.Int64})
    found = scores.lazy().join(table.with_row_index("run").lazy(), on=_KEY)
    shares = (
        found.select(
            "run", *_CELL, "prompt_tokens", "completion_tokens", "tokens_per_word", "shots", "shots_dropped",
            pl.col("wrong_language", "wrong_script").cast(pl.Float64),
            unparsed=(~pl.col("parsed")).cast(pl.Float64),
            empty=(pl.col("prediction") == "").cast(pl.Float64),
            truncated=(pl.col("finish_reason") == "length").cast(pl.Float64),
            too_long=(pl.col("finish_reason") == TOO_LONG).cast(pl.Float64),
        )
        .group_by("run", *_CELL)
        .agg(pl.sum(*_SHARES) / pl.len(), *((pl.count(name) / pl.len()).alias(f"{name}_known") for name in _SHARES))
        .collect(engine="streaming")
    )  # fmt: skip
    if shares.is_empty():
        raise SummaryError("no score belongs to a run of the grid; score at least one of them")
    if unknown := set(shares["task"].unique()) - set(tasks):
        raise SummaryError(f"scores of task {sorted(unknown)}, which is not among {', '.join(tasks)}")
    present = sorted(shares["run"].unique())
    cells = (
        shares.select(_CELL)
        .unique()
        .sort(_CELL)
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
        found.select(*_CELL, "item")
        .unique()
        .collect(engine="streaming")
        .join(cells.select("cell", *_CELL), on=_CELL)
        .sort("cell", "item")
        .with_columns(number=pl.col("item").rank("dense").over("task").cast(pl.Int64))
        .with_row_index("row")
    )
    filled = found.join(places.lazy(), on=[*_CELL, "item"]).select("run", "row", "value").collect(engine="streaming")
    values = np.full((places.height, len(present)), np.nan)
    values[filled["row"].to_numpy(), np.searchsorted(present, filled["run"].to_numpy())] = filled["value"].to_numpy()
    if np.count_nonzero(~np.isnan(values)) < filled.height:
        twice = filled.filter(pl.struct("run", "row").is_duplicated() | pl.col("value").is_nan()).row(0, named=True)
        task, metric, language, item = places.select(*_CELL, "item").row(twice["row"])
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
        shares=shares.join(cells.select("cell", *_CELL), on=_CELL).with_columns(
            run=pl.col("run").replace_strict({number: at for at, number in enumerate(present)}, return_dtype=pl.Int64)
        ),
    )


def resource_group(language: Mapping, low_classes: Sequence[int]) -> str | None:
    """Return "low" or "high" for a row of the language table, None where its Joshi class is unknown."""
    if language["joshi_class"] == "unknown":
        return None
    return "low" if int(language["joshi_class"]) in low_classes else "high"


def _changed(change: Estimate, judged: Estimate, confidence: float) -> dict[str, np.ndarray]:
    low, high = judged.interval(confidence)
    return {
        "change": change.value,
        "change_se": change.se,
        "change_low": low,
        "change_high": high,
        "p": judged.p(),
        "visible": judged.visible(1 - confidence),
    }


def _in_each_run(scores: ItemScores, cells: Sequence[int], confidence: float) -> pl.DataFrame:
    """Average some cells, which weigh the same, in each run that has scores there, and its change against its base."""
    if len(cells) > 1:
        scores.check(cells)
    values, items = scores.of(cells)
    weights = np.full(len(cells), 1 / len(cells))
    tuned = np.flatnonzero(scores.bases >= 0)
    untouched = values[:, scores.bases[tuned]]
    changes = values[:, tuned] - untouched
    mean, change = average(values, items, weights), average(changes, items, weights)
    base = average(np.where(np.isnan(changes), np.nan, untouched), items, weights).value
    alone = len(cells) == 1
    if alone:
        (low, high), judged = mean_interval(values, items.cluster, confidence), paired(changes, items.cluster)
    else:
        low, high = mean.wider(unseen(values, items, weights)).interval(confidence)
        judged = change.wider(2 * unseen(changes, items, weights))
    n = np.count_nonzero(~np.isnan(values), axis=0)
    runs = {"run": range(len(n)), "seeds": 1, "cells": len(cells), "n": n}
    means = pl.DataFrame({**runs, "mean": mean.value, "se": mean.se, "low": low.clip(0, 1), "high": high.clip(0, 1)})
    against = pl.DataFrame({"run": tuned, "base": base, **_changed(change, judged, confidence)})
    return means.filter(pl.col("n") > 0).join(against, on="run", how="left", maintain_order="left")


def _over_seeds(scores: ItemScores, cells: Sequence[int], confidence: float) -> pl.DataFrame:
    """Average some cells, and the seeds of the runs that have several; `run` is the first of these."""
    twins, bases = scores.twins, scores.bases
    several = [first for first in np.unique(twins[bases >= 0]) if np.count_nonzero(twins == first) > 1]
    seeds = np.stack([twins == first for first in several], axis=1)
    untouched = np.equal.outer(np.arange(len(bases)), bases[several])
    values, _ = scores.of(cells)
    together = scores.together(cells, np.full(len(cells), 1 / len(cells)))
    mean, base = together.contrast(seeds / seeds.sum(axis=0)), together.contrast(untouched).value
    change = together.contrast(seeds / seeds.sum(axis=0) - untouched)
    low, high = mean.interval(confidence)
    return pl.DataFrame(
        {
            "run": several,
            "seeds": seeds.sum(axis=0),
            "cells": len(cells),
            "n": [np.count_nonzero(~np.isnan(values[:, column])) for column in seeds.T],
            "mean": mean.value,
            "se": mean.se,
            "low": low.clip(0, 1),
            "high": high.clip(0, 1),
            "base": base,
            **_changed(change, change, confidence),
        }
    )


def _averaged_shares(scores: ItemScores, cells: pl.DataFrame) -> pl.DataFrame:
    """Average the shares of some cells in each run; what can be said of no item is null."""
    known = [pl.sum(f"{name}_known") for name in _SHARES]
    return (
        scores.shares.join(cells.select("cell"), on="cell", how="semi")
        .group_by("run")
        .agg(pl.when(of > 0).then(pl.sum(name) / of) for name, of in zip(_SHARES, known, strict=True))
    )


def summarize(scores: ItemScores, confidence: float = 0.95) -> pl.DataFrame:
    """Summarize item scores: one row a run, task, language and metric.

    Columns: those of a run; task, language, metric; headline (is it the task's?); cells and n (item scores) averaged;
    mean, se, low, high (of `confidence`); unparsed, empty, truncated, too_long (shares of all answers), wrong_language,
    wrong_script (shares of the answers of which it can be said); prompt_tokens, completion_tokens, tokens_per_word (of
    the prompt without demonstrations), shots, shots_dropped (means); chance, and against_chance: whether the interval
    lies above it, below it, or has it inside; against the same model's untouched base, paired by item: base, change,
    change_se, change_low, change_high (null for a base and where no item is shared), and visible: the smallest change
    that would have been seen with probability maple.statistics.POWER.

    Rows with language "all" average the languages that every run has in that task. The row with task and language "all"
    and metric "headline" averages, in every run, the same cells: the headline metric of each task and language that no
    run lacks. Their standard errors are clustered, their intervals Student's, within 0..1 for means; those of one cell
    are maple.statistics.mean_interval's and paired's.
    """
    shared = scores.cells.filter("shared")
    parts = [(key, cell) for key, cell in scores.cells.group_by(*_CELL)]
    parts += [((*key, "all"), cells) for key, cells in shared.group_by("task", "metric", maintain_order=True)]
    parts += [(("all", "headline", "all"), shared.filter("headline"))]
    rows = [
        _in_each_run(scores, cells["cell"].to_list(), confidence)
        .join(_averaged_shares(scores, cells), on="run")
        .with_columns(
            **{name: pl.lit(value) for name, value in zip(_CELL, key, strict=True)},
            headline=pl.lit(cells["headline"].all()),
            chance=pl.lit(None if key[0] == "all" else cells["chance"].first(), dtype=pl.Float64),
        )
        for key, cells in parts
        if not cells.is_empty()
    ]
    return (
        _with_runs(pl.concat(rows), scores)
        .with_columns(
            confidence=confidence,
            against_chance=pl.when(pl.col("low") > pl.col("chance"))
            .then(pl.lit("above"))
            .when(pl.col("high") < pl.col("chance"))
            .then(pl.lit("below"))
            .when(pl.col("low").is_not_null() & pl.col("chance").is_not_null())
            .then(pl.lit("inside")),
        )
        .sort("run", pl.col("task") != "all", "task", pl.col("language") != "all", "language", "metric")
        .select(_COLUMNS)
    )


def _with_runs(rows: pl.DataFrame, scores: ItemScores) -> pl.DataFrame:
    """Add the columns of runs; what is no number becomes null, and the last digits go."""
    table = pl.DataFrame(scores.runs, schema=_RUN_SCHEMA).with_columns(run=pl.int_range(pl.len()))
    numbers = pl.selectors.float()
    return rows.join(table, on="run", maintain_order="left").with_columns(numbers.fill_nan(None).round(DECIMALS))


def language_groups(
    languages: Sequence[Mapping], low_classes: Sequence[int], finetuned_in: Mapping[str, Sequence[str]]
) -> pl.DataFrame:
    """Return the groups that languages are averaged in: kind, group, dataset, languages (codes).

    Kinds are language (each by itself), resource ("low" or "high"), class (Joshi's), script, family and, for the runs
    on one dataset, seen ("seen" and "unseen" in finetuning); dataset is null for all other kinds. `languages` are rows
    of the language table, `finetuned_in` gives each dataset's codes.
    """
    rows = [
        {"kind": kind, "group": group, "dataset": None, "languages": language["code"]}
        for language in languages
        for kind, group in (
            ("language", language["code"]),
            ("resource", resource_group(language, low_classes)),
            ("class", language["joshi_class"]),
            ("script", language["script"]),
            ("family", language["family"]),
        )
        if group is not None
    ]
    rows += [
        {"kind": "seen", "group": group, "dataset": dataset, "languages": language["code"]}
        for dataset, codes in finetuned_in.items()
        for language in languages
        for group in ["seen" if language["code"] in codes else "unseen"]
    ]
    schema = dict.fromkeys(("kind", "group", "dataset", "languages"), pl.String)
    return pl.DataFrame(rows, schema=schema).group_by("kind", "group", "dataset", maintain_order=True).agg("languages")


def summarize_groups(
    scores: ItemScores, groups: pl.DataFrame, confidence: float = 0.95, task: str | None = None
) -> pl.DataFrame:
    """Average every run's headline scores over the languages of groups (of language_groups), in all tasks or in one.

    The cells of a group, task by language, weigh the same; they are those that every run has, so that all runs average
    the same. Standard errors are clustered. Columns: those of a run; kind, group; seeds; cells and n (item
    scores) averaged; mean, se, low, high; against the untouched base base, change, change_se, change_low, change_high;
    p of the change, p_holm (corrected over the changes of all runs in all groups of the kind), visible (the smallest
    change that would have been seen with probability maple.statistics.POWER, uncorrected).

    Where runs differ by the seed alone, a row with seed null averages them; its intervals hold the variance between
    seeds too (maple.statistics.joint). Rows of one run are of that run, whatever another seed would have given.
    """
    compared = scores.cells.filter("shared", "headline", pl.lit(True) if task is None else pl.col("task") == task)
    twins = scores.twins[scores.bases >= 0]
    several = len(set(twins)) < len(twins)
    rows = []
    for group in groups.iter_rows(named=True):
        cells = compared.filter(pl.col("language").is_in(group["languages"]))["cell"].to_list()
        if not cells:
            continue
        found = _in_each_run(scores, cells, confidence)
        if several:
            found = pl.concat([found, _over_seeds(scores, cells, confidence)], how="vertical_relaxed")
        found = _with_runs(found, scores).with_columns(
            kind=pl.lit(group["kind"]), group=pl.lit(group["group"]), seed=pl.when(pl.col("seeds") == 1).then("seed")
        )
        rows.append(found if group["dataset"] is None else found.filter(dataset=group["dataset"]))
    kinds = pl.concat(rows, how="vertical_relaxed").partition_by("kind", maintain_order=True) if rows else []
    corrected = [kind.with_columns(p_holm=holm(kind["p"].to_numpy())) for kind in kinds]
    return (
        pl.concat(corrected or [pl.DataFrame(schema=_GROUP_SCHEMA)])
        .with_columns(pl.col("p_holm").fill_nan(None).round(DECIMALS), confidence=pl.lit(confidence))
        .select(_GROUP_SCHEMA.keys())
        .cast(_GROUP_SCHEMA)
    )


def summarize_by_task(scores: ItemScores, groups: pl.DataFrame, confidence: float = 0.95) -> pl.DataFrame:
    """Average every run's headline scores over the languages of groups in each task by itself.

    The columns are `task` and those of summarize_groups; p_holm is corrected within the task. Groups of one language
    are left out, for they are rows of summarize.
    """
    several = groups.filter(pl.col("kind") != "language")
    found = [
        summarize_groups(scores, several, confidence, task).select(pl.lit(task).alias("task"), pl.all())
        for task in scores.cells["task"].unique().sort()
    ]
    return pl.concat(found)


def leaderboard(summary: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with task and language "all": models in order, each base first, then the best runs first."""
    return summary.filter(pl.col("task") == "all").sort(
        "model", pl.col("method") != "none", pl.col("mean"), descending=[False, False, True], maintain_order=True
    )


def points(share: float | None, signed: bool = False) -> str:
    """Return a share in points, one decimal: 0.4123 -> "41.2"; an en dash where there is none."""
    if share is None:
        return "–"
    text = f"{100 * share:+.1f}" if signed else f"{100 * share:.1f}"
    return text.replace("-", "−") if text.strip("+-0.") else text.replace("-", "").replace("+", "")


def terminal_table(summary: pl.DataFrame, groups: pl.DataFrame) -> str:
    """Return one line a run as plain text, in points of 100, for the end of a run.

    Score is the macro score with half its interval; change is against the same model's base, with its interval. The
    last columns are the means of English and of the low-resource languages, from `groups` (of summarize_groups).
    """
    runs = leaderboard(summary)
    if runs.is_empty():
        return "No task and language is scored in every run, so the runs cannot be compared.\n"
    columns = {
        "English": groups.filter(kind="language", group=ENGLISH),
        "low-resource": groups.filter(kind="resource", group="low"),
    }
    lines = [["model", "dataset", "method", "seed", "score", "change against base", *columns]]
    for run in runs.iter_rows(named=True):
        key = tuple(run[name] for name in RUN)
        half = (run["high"] - run["low"]) / 2 if run["se"] is not None else None
        change = points(run["change"], signed=True)
        if run["change_low"] is not None:
            change += f" [{points(run['change_low'], signed=True)}, {points(run['change_high'], signed=True)}]"
        means = [
            {row[:6]: row[6] for row in frame.select(*RUN, "mean").iter_rows()}.get(key) for frame in columns.values()
        ]
        lines.append(
            [
                run["model"],
                run["dataset"],
                run["method"],
                str(run["seed"]),
                f"{points(run['mean'])} ± {points(half)}",
                change,
            ]
            + [points(mean) for mean in means]
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    first = runs.row(0, named=True)
    level = f"{100 * first['confidence']:g} %"
    note = f"Mean headline score of {first['cells']} cells, task by language, of 100; {level} intervals."
    return "\n".join([note, "", *table]) + "\n"
