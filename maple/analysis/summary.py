"""Summary: mean scores per run, task and language with intervals, and their changes against the base models."""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import polars as pl

from maple.analysis.item_scores import CELL, DECIMALS, RUN, SHARES, ItemScores
from maple.analysis.statistics import Estimate, average, holm, mean_interval, paired, small_sample_variance

_CHANGE = ["base", "change", "change_se", "change_low", "change_high"]
_COLUMNS = [
    *RUN, "task", "language", "metric", "headline", "cells", "n", "mean", "se", "low", "high", *SHARES,
    "chance", "against_chance", *_CHANGE, "mde", "confidence",
]  # fmt: skip
_RUN_SCHEMA = {name: pl.Int64 if name in ("rank", "bits", "seed") else pl.String for name in RUN}
_GROUP_SCHEMA = pl.Schema(
    {
        **_RUN_SCHEMA,
        **dict.fromkeys(("kind", "group"), pl.String),
        **dict.fromkeys(("seeds", "cells", "n"), pl.Int64),
        **dict.fromkeys(("mean", "se", "low", "high", *_CHANGE, "p", "p_holm", "mde", "confidence"), pl.Float64),
    }
)


def _change_columns(change: Estimate, tested: Estimate, confidence: float) -> dict[str, np.ndarray]:
    """Return the columns of a change: value and error of `change`; interval, p and MDE of `tested`."""
    low, high = tested.interval(confidence)
    return {
        "change": change.value,
        "change_se": change.se,
        "change_low": low,
        "change_high": high,
        "p": tested.p(),
        "mde": tested.mde(1 - confidence),
    }


def _by_run(scores: ItemScores, cells: Sequence[int], confidence: float) -> pl.DataFrame:
    """Average some cells with equal weights: one row per run that has scores there, and its change against its base."""
    if len(cells) > 1:
        scores.check(cells)
    values, items = scores.select(cells)
    weights = np.full(len(cells), 1 / len(cells))
    tuned = np.flatnonzero(scores.bases >= 0)
    base_values = values[:, scores.bases[tuned]]
    changes = values[:, tuned] - base_values
    mean, change = average(values, items, weights), average(changes, items, weights)
    base = average(np.where(np.isnan(changes), np.nan, base_values), items, weights).value
    if len(cells) == 1:
        (low, high), tested = mean_interval(values, items.cluster, confidence), paired(changes, items.cluster)
    else:
        low, high = mean.with_extra_variance(small_sample_variance(values, items, weights)).interval(confidence)
        tested = change.with_extra_variance(2 * small_sample_variance(changes, items, weights))
    n = np.count_nonzero(~np.isnan(values), axis=0)
    runs = {"run": range(len(n)), "seeds": 1, "cells": len(cells), "n": n}
    means = pl.DataFrame({**runs, "mean": mean.value, "se": mean.se, "low": low.clip(0, 1), "high": high.clip(0, 1)})
    against = pl.DataFrame({"run": tuned, "base": base, **_change_columns(change, tested, confidence)})
    return means.filter(pl.col("n") > 0).join(against, on="run", how="left", maintain_order="left")


def _by_seed_group(scores: ItemScores, cells: Sequence[int], confidence: float) -> pl.DataFrame:
    """Average some cells, and the runs of each seed group that has several: one row per group, `run` its first run."""
    groups, bases = scores.seed_groups, scores.bases
    several = [first for first in np.unique(groups[bases >= 0]) if np.count_nonzero(groups == first) > 1]
    members = np.stack([groups == first for first in several], axis=1)
    is_base = np.equal.outer(np.arange(len(bases)), bases[several])
    values, _ = scores.select(cells)
    joint = scores.average_shared_items(cells, np.full(len(cells), 1 / len(cells)))
    mean, base = joint.contrast(members / members.sum(axis=0)), joint.contrast(is_base).value
    change = joint.contrast(members / members.sum(axis=0) - is_base)
    low, high = mean.interval(confidence)
    return pl.DataFrame(
        {
            "run": several,
            "seeds": members.sum(axis=0),
            "cells": len(cells),
            "n": [np.count_nonzero(~np.isnan(values[:, group])) for group in members.T],
            "mean": mean.value,
            "se": mean.se,
            "low": low.clip(0, 1),
            "high": high.clip(0, 1),
            "base": base,
            **_change_columns(change, change, confidence),
        }
    )


def _averaged_shares(scores: ItemScores, cells: pl.DataFrame) -> pl.DataFrame:
    """Average the shares of some cells in each run; null where a share is defined for no completion."""
    defined = [pl.sum(f"{name}_known") for name in SHARES]
    return (
        scores.shares.join(cells.select("cell"), on="cell", how="semi")
        .group_by("run")
        .agg(pl.when(total > 0).then(pl.sum(name) / total) for name, total in zip(SHARES, defined, strict=True))
    )


def summarize(scores: ItemScores, confidence: float = 0.95) -> pl.DataFrame:
    """Summarize item scores: one row per run, task, language and metric.

    Columns: those of a run; task, language, metric; headline (is it the task's headline metric?); cells and n (item
    scores) in the mean; mean, se, low, high (at `confidence`); unparsed, too_long (shares of all answers),
    wrong_language, wrong_script (shares of the completions for which they are defined); empty, truncated, thinking,
    unfinished_thinking (shares of the generated completions); thinking_tokens (the mean over those with thinking),
    prompt_tokens, completion_tokens, tokens_per_word (of the prompt without demonstrations), shots, shots_dropped
    (means); chance, and against_chance: "above", "below" or "inside", where the interval lies relative to chance.
    Against the same model's base, paired by item: base, change, change_se, change_low, change_high (null for a base,
    and if no item is shared) and mde, the minimum detectable effect at power maple.analysis.statistics.POWER.

    Rows with language "all" average the languages that every run has in that task. The row with task and language "all"
    and metric "headline" averages, in every run, the same cells: the headline metric of each task and language that
    every run has. Their standard errors are clustered and their intervals are Student's, clipped to 0..1 for means. The
    intervals of a single cell are those of maple.analysis.statistics.mean_interval and paired.
    """
    shared = scores.cells.filter("shared")
    parts = [(key, cell) for key, cell in scores.cells.group_by(*CELL)]
    parts += [((*key, "all"), cells) for key, cells in shared.group_by("task", "metric", maintain_order=True)]
    parts += [(("all", "headline", "all"), shared.filter("headline"))]
    rows = [
        _by_run(scores, cells["cell"].to_list(), confidence)
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
    """Add the columns of runs, replace nan by null, and round to DECIMALS."""
    table = pl.DataFrame([{**asdict(run), **run.axes} for run in scores.runs], schema=_RUN_SCHEMA).with_columns(
        run=pl.int_range(pl.len())
    )
    numbers = pl.selectors.float()
    return rows.join(table, on="run", maintain_order="left").with_columns(numbers.fill_nan(None).round(DECIMALS))


def summarize_groups(
    scores: ItemScores, groups: pl.DataFrame, confidence: float = 0.95, task: str | None = None
) -> pl.DataFrame:
    """Average every run's headline scores over groups of languages (language_groups), in all tasks or in one.

    The cells of a group, task by language, have equal weights; they are those that every run has, so that all runs
    average the same cells. Standard errors are clustered. Columns: those of a run; kind, group; seeds; cells and n
    (item scores) in the mean; mean, se, low, high; base, change, change_se, change_low, change_high against the same
    model's base; p of the change, p_holm (corrected over the changes of all runs in all groups of the kind), and mde,
    the minimum detectable effect at power maple.analysis.statistics.POWER, uncorrected.

    If runs differ only in their seed, a row with seed null averages them, and its intervals include the variance
    between seeds (maple.analysis.statistics.joint). The interval of a single run does not say what another seed would
    have given.
    """
    compared = scores.cells.filter("shared", "headline", pl.lit(True) if task is None else pl.col("task") == task)
    seed_groups = scores.seed_groups[scores.bases >= 0]
    several = len(set(seed_groups)) < len(seed_groups)
    rows = []
    for group in groups.iter_rows(named=True):
        cells = compared.filter(pl.col("language").is_in(group["languages"]))["cell"].to_list()
        if not cells:
            continue
        means = _by_run(scores, cells, confidence)
        if several:
            means = pl.concat([means, _by_seed_group(scores, cells, confidence)], how="vertical_relaxed")
        means = _with_runs(means, scores).with_columns(
            kind=pl.lit(group["kind"]), group=pl.lit(group["group"]), seed=pl.when(pl.col("seeds") == 1).then("seed")
        )
        rows.append(means if group["dataset"] is None else means.filter(dataset=group["dataset"]))
    kinds = pl.concat(rows, how="vertical_relaxed").partition_by("kind", maintain_order=True) if rows else []
    corrected = [kind.with_columns(p_holm=holm(kind["p"].to_numpy())) for kind in kinds]
    return (
        pl.concat(corrected or [pl.DataFrame(schema=_GROUP_SCHEMA)])
        .with_columns(pl.col("p_holm").fill_nan(None).round(DECIMALS), confidence=pl.lit(confidence))
        .select(_GROUP_SCHEMA.keys())
        .cast(_GROUP_SCHEMA)
    )


def summarize_by_task(scores: ItemScores, groups: pl.DataFrame, confidence: float = 0.95) -> pl.DataFrame:
    """Average every run's headline scores over groups of languages in each task by itself.

    The columns are `task` and those of summarize_groups; p_holm is corrected within the task. Groups of one language
    are left out, because they are rows of summarize.
    """
    wider = groups.filter(pl.col("kind") != "language")
    return pl.concat(
        summarize_groups(scores, wider, confidence, task).select(pl.lit(task).alias("task"), pl.all())
        for task in scores.cells["task"].unique().sort()
    )
