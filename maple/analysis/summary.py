"""Summary: what the item scores of all runs say, with intervals, and what finetuning changed."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from maple.analysis.item_scores import CELL, DECIMALS, RUN, SHARES, ItemScores
from maple.analysis.statistics import Estimate, average, holm, mean_interval, paired, unseen

_CHANGE = ["base", "change", "change_se", "change_low", "change_high"]
_COLUMNS = [
    *RUN, "task", "language", "metric", "headline", "cells", "n", "mean", "se", "low", "high", *SHARES,
    "chance", "against_chance", *_CHANGE, "visible", "confidence",
]  # fmt: skip
_RUN_SCHEMA = {name: pl.Int64 if name in ("rank", "bits", "seed") else pl.String for name in RUN}
_GROUP_SCHEMA = {
    **_RUN_SCHEMA,
    **dict.fromkeys(("kind", "group"), pl.String),
    **dict.fromkeys(("seeds", "cells", "n"), pl.Int64),
    **dict.fromkeys(("mean", "se", "low", "high", *_CHANGE, "p", "p_holm", "visible", "confidence"), pl.Float64),
}


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
    known = [pl.sum(f"{name}_known") for name in SHARES]
    return (
        scores.shares.join(cells.select("cell"), on="cell", how="semi")
        .group_by("run")
        .agg(pl.when(of > 0).then(pl.sum(name) / of) for name, of in zip(SHARES, known, strict=True))
    )


def summarize(scores: ItemScores, confidence: float = 0.95) -> pl.DataFrame:
    """Summarize item scores: one row a run, task, language and metric.

    Columns: those of a run; task, language, metric; headline (is it the task's?); cells and n (item scores) averaged;
    mean, se, low, high (of `confidence`); unparsed, empty, truncated, too_long (shares of all answers), wrong_language,
    wrong_script (shares of the answers of which it can be said); prompt_tokens, completion_tokens, tokens_per_word (of
    the prompt without demonstrations), shots, shots_dropped (means); chance, and against_chance: whether the interval
    lies above it, below it, or has it inside; against the same model's untouched base, paired by item: base, change,
    change_se, change_low, change_high (null for a base and where no item is shared), and visible: the smallest change
    that would have been seen with probability maple.analysis.statistics.POWER.

    Rows with language "all" average the languages that every run has in that task. The row with task and language "all"
    and metric "headline" averages, in every run, the same cells: the headline metric of each task and language that no
    run lacks. Their standard errors are clustered, their intervals Student's, within 0..1 for means; those of one cell
    are maple.analysis.statistics.mean_interval's and paired's.
    """
    shared = scores.cells.filter("shared")
    parts = [(key, cell) for key, cell in scores.cells.group_by(*CELL)]
    parts += [((*key, "all"), cells) for key, cells in shared.group_by("task", "metric", maintain_order=True)]
    parts += [(("all", "headline", "all"), shared.filter("headline"))]
    rows = [
        _in_each_run(scores, cells["cell"].to_list(), confidence)
        .join(_averaged_shares(scores, cells), on="run")
        .with_columns(
            **{name: pl.lit(value) for name, value in zip(CELL, key, strict=True)},
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


def summarize_groups(
    scores: ItemScores, groups: pl.DataFrame, confidence: float = 0.95, task: str | None = None
) -> pl.DataFrame:
    """Average every run's headline scores over the languages of groups (of language_groups), in all tasks or in one.

    The cells of a group, task by language, weigh the same; they are those that every run has, so that all runs average
    the same. Standard errors are clustered. Columns: those of a run; kind, group; seeds; cells and n (item
    scores) averaged; mean, se, low, high; against the untouched base base, change, change_se, change_low, change_high;
    p of the change, p_holm (corrected over the changes of all runs in all groups of the kind), visible (the smallest
    change that would have been seen with probability maple.analysis.statistics.POWER, uncorrected).

    Where runs differ by the seed alone, a row with seed null averages them; its intervals hold the variance between
    seeds too (maple.analysis.statistics.joint). Rows of one run are of that run, whatever another seed would have
    given.
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
