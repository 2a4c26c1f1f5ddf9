"""Summary: mean scores per run, task and language with intervals, and their changes against the base models."""

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from maple.analysis.answer_format import parsed_columns
from maple.analysis.axes import axis_values
from maple.analysis.cell_means import weighted_means
from maple.analysis.cluster_variance import largest_share
from maple.analysis.item_scores import DECIMALS, Comparison, ItemScores
from maple.analysis.score_parts import CELL, RUN_KEY, SHARES, TRANSLATION_SHARES
from maple.analysis.statistics import Estimate, Joint, average, holm, mean_interval, paired
from maple.definitions.run import AxisValue, Run

_CHANGE = ["base", "change", "change_se", "change_low", "change_high"]
_SPLIT = ["if_parsed", "base_if_parsed", "change_by_parsing", "change_by_answers"]
# The columns with the number of answers that a share is of, if it is not of all.
JUDGED = {"wrong_language": "language_judged", "wrong_script": "script_judged"}
_COLUMNS = [
    "task", "language", "metric", "headline", "cells", "n", "largest_cluster", "mean", "se", "low", "high", *SHARES,
    "chance", "against_chance", "corrected_for_chance", *_CHANGE, *_SPLIT, "mde", "confidence",
]  # fmt: skip


def _axis_type(values: Iterable[AxisValue]) -> type[pl.DataType]:
    """Return the type of an axis' column: of whole numbers, of numbers, or else of texts."""
    types = {type(value) for value in values}
    if types <= {int}:
        return pl.Int64
    return pl.Float64 if types <= {int, float} else pl.String


def run_schema(runs: Iterable[Run]) -> dict[str, type[pl.DataType]]:
    """Return the columns of a run and their types: the axes of the grid stand between method and seed."""
    axes = {name: _axis_type(values) for name, values in axis_values(runs).items()}
    *names, seed = RUN_KEY
    return {**dict.fromkeys(names, pl.String), **axes, seed: pl.Int64}


def _group_schema(runs: Iterable[Run]) -> pl.Schema:
    """Return the columns of summarize_groups."""
    return pl.Schema(
        {
            **run_schema(runs),
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
    base = weighted_means(np.where(np.isnan(changes), np.nan, base_values), items, weights)
    if len(cells) == 1:
        graded = bool(items.graded[0])
        low, high = mean_interval(values, items.cluster, confidence, graded)
        tested = paired(changes, items.cluster, graded)
    else:
        low, high = mean.with_added().interval(confidence)
        tested = change.with_added(2)
    n = np.count_nonzero(~np.isnan(values), axis=0)
    runs = {"run": range(len(n)), "seeds": 1, "cells": len(cells), "n": n}
    low, high = low.clip(*scores.bounds(cells)), high.clip(*scores.bounds(cells))
    means = pl.DataFrame({**runs, "mean": mean.value, "se": mean.se, "low": low, "high": high})
    against = pl.DataFrame({"run": tuned, "base": base, **_change_columns(change, tested, confidence)})
    return means.filter(pl.col("n") > 0).join(against, on="run", how="left", maintain_order="left")


def setting_means(
    scores: ItemScores, cells: Sequence[int], joint: Joint, members: np.ndarray, confidence: float
) -> pl.DataFrame:
    """Average the runs of settings, (runs, settings) true for those of each: one row per setting, `run` its first run.

    `joint` are the averages of these cells in each run. Columns: run, seeds, cells, n, mean, se, low, high, `of` (what
    the interval of the mean holds, a number of maple.analysis.training_noise.SCOPES), base, and those of a change.
    """
    first, weights = members.argmax(axis=0), members / members.sum(axis=0)
    values, _ = scores.select(cells)
    mean = joint.contrast(weights)
    low, high = mean.interval(confidence)
    means = pl.DataFrame(
        {
            "run": first,
            "seeds": members.sum(axis=0),
            "cells": len(cells),
            "n": [np.count_nonzero(~np.isnan(values[:, setting])) for setting in members.T],
            "mean": mean.value,
            "se": mean.se,
            "low": low.clip(*scores.bounds(cells)),
            "high": high.clip(*scores.bounds(cells)),
            "of": mean.scope,
        }
    )
    tuned = scores.bases[first] >= 0
    is_base = np.equal.outer(np.arange(len(scores.runs)), scores.bases[first[tuned]])
    change = joint.contrast(weights[:, tuned] - is_base)
    base = {"run": first[tuned], "base": joint.contrast(is_base).value}
    against = pl.DataFrame({**base, **_change_columns(change, change, confidence)})
    return means.join(against, on="run", how="left", maintain_order="left")


def _by_seed_group(scores: ItemScores, cells: Sequence[int], confidence: float) -> pl.DataFrame:
    """Average some cells, and the runs of each seed group that has several: one row per group, `run` its first run."""
    groups = scores.seed_groups
    several = np.array([first for first in np.unique(groups[groups >= 0]) if np.count_nonzero(groups == first) > 1])
    members = np.stack([groups == first for first in several], axis=1)
    joint = scores.average_shared_items(cells, np.full(len(cells), 1 / len(cells)))
    return setting_means(scores, cells, joint, members, confidence).drop("of")


def _averaged_shares(scores: ItemScores, cells: pl.DataFrame) -> pl.DataFrame:
    """Return each run's shares over the answers of some cells; null where a share is defined for no completion."""
    names = scores.share_names
    defined = [pl.sum(f"{name}_known") for name in names]
    return (
        scores.shares.join(cells.select("cell"), on="cell", how="semi")
        .group_by("run")
        .agg(
            *(pl.when(total > 0).then(pl.sum(name) / total) for name, total in zip(names, defined, strict=True)),
            *(pl.sum(f"{name}_known").cast(pl.Int64).alias(count) for name, count in JUDGED.items()),
        )
    )


def summarize(scores: ItemScores, confidence: float = 0.95) -> pl.DataFrame:
    """Summarize item scores: one row per run, task, language and metric.

    Columns: those of a run; task, language, metric; headline (is it the task's headline metric?); cells and n (item
    scores) in the mean; largest_cluster (the largest share that one cluster has of a single cell); mean, se, low, high
    (at `confidence`); unparsed, too_long (shares of all answers), wrong_language, wrong_script (shares of the
    completions for which they are defined, whose numbers are language_judged and script_judged); empty, truncated,
    thinking, unfinished_thinking (shares of the generated completions); thinking_tokens (the mean over those with
    thinking), prompt_tokens, completion_tokens, tokens_per_word (of the prompt without demonstrations), shots,
    shots_dropped (means). Only if some task is a translation: copied, off_target, repeated (shares of the generated
    completions for which they are defined), length_ratio (characters of the answers per character of the references).
    Only if some metric is of a set of texts: signature, null where the averaged scores have several. chance, and
    against_chance: "above", "below" or "inside", where the interval lies relative to chance. corrected_for_chance, of
    headlines alone: the mean over cells of (score - chance) / (1 - chance), 0 for guessing and 1 for all right, with a
    chance of 0 where a task has none. Against the same model's base, paired by item: base, change, change_se,
    change_low, change_high (null for a base, and if no item is shared) and mde, the minimum detectable effect at power
    maple.analysis.statistics.POWER. if_parsed, base_if_parsed, change_by_parsing, change_by_answers:
    maple.analysis.answer_format.parsed_columns.

    Averages compare runs that are asked the same tasks (ItemScores.comparisons). Rows with language "all" average the
    languages that all of these have in that task. The row with task and language "all" and metric "headline" averages,
    in each of these runs, the same cells: the headline metric of each task and language that they all have. Their
    standard errors are clustered and their intervals are Student's, for means cut at the range of the metric. The
    intervals of a single cell are those of maple.analysis.statistics.mean_interval and paired.
    """
    rows = [_rows(scores, key, cell, confidence) for key, cell in scores.cells.group_by(*CELL, maintain_order=True)]
    for compared in scores.comparisons:
        shared = compared.scores.cells.filter("shared")
        parts = [((*key, "all"), cells) for key, cells in shared.group_by("task", "metric", maintain_order=True)]
        parts.append((("all", "headline", "all"), shared.filter("headline")))
        rows += [
            compared.rows_of_members(_rows(compared.scores, key, cells, confidence))
            for key, cells in parts
            if not cells.is_empty()
        ]
    return (
        with_runs(pl.concat(rows), scores.runs)
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
        .select(*run_schema(scores.runs), *_columns(scores))
    )


def corrected_for_chance(scores: ItemScores, cells: pl.DataFrame) -> np.ndarray:
    """Return the mean over cells of (score - chance) / (1 - chance), (runs,); nan for a run without a score in one."""
    values, items = scores.select(cells["cell"].to_list())
    chance = cells["chance"].fill_null(0.0).to_numpy()
    weights = 1 / (1 - chance) / cells.height
    return weighted_means(values, items, weights) - (weights * chance).sum()


def _columns(scores: ItemScores) -> list[str]:
    """Return the columns of the summary that follow those of a run."""
    after_shares = _COLUMNS.index(SHARES[-1]) + 1
    translations = [name for name in TRANSLATION_SHARES if name in scores.share_names]
    signature = ["signature"] if scores.cells["signature"].count() else []
    return [*_COLUMNS[:after_shares], *JUDGED.values(), *translations, *signature, *_COLUMNS[after_shares:]]


def _rows(scores: ItemScores, key: Sequence[object], cells: pl.DataFrame, confidence: float) -> pl.DataFrame:
    """Return the rows of the summary that average some cells; `key` is their task, metric and language."""
    numbers = cells["cell"].to_list()
    rows = _by_run(scores, numbers, confidence)
    largest = pl.lit(None, pl.Float64)
    if len(numbers) == 1:
        values, items = scores.select(numbers)
        largest = pl.Series(largest_share(values, items.cluster)).gather(rows["run"])
    of_headlines = corrected_for_chance(scores, cells) if cells["headline"].all() else np.full(len(scores.runs), np.nan)
    corrected = pl.DataFrame({"run": range(len(scores.runs)), "corrected_for_chance": of_headlines})
    return (
        rows.with_columns(largest_cluster=largest)
        .join(_averaged_shares(scores, cells), on="run")
        .join(parsed_columns(scores, cells), on="run")
        .join(corrected, on="run")
        .with_columns(
            **{name: pl.lit(value) for name, value in zip(CELL, key, strict=True)},
            headline=pl.lit(cells["headline"].all()),
            signature=pl.lit(cells["signature"].first() if cells["signature"].n_unique() == 1 else None, pl.String),
            chance=pl.lit(None if key[0] == "all" else cells["chance"].first(), dtype=pl.Float64),
        )
    )


def _axis_column(name: str, dtype: type[pl.DataType], runs: Sequence[Run]) -> pl.Series:
    values = [run.axis(name) for run in runs]
    texts = [None if value is None else str(value) for value in values]
    return pl.Series(name, texts if dtype == pl.String else values, dtype=dtype, strict=False)


def with_runs(rows: pl.DataFrame, runs: Sequence[Run]) -> pl.DataFrame:
    """Add the columns of runs, replace nan by null, and round to DECIMALS."""
    schema = run_schema(runs)
    keys = pl.DataFrame([run.key.params() for run in runs], schema={name: schema[name] for name in RUN_KEY})
    axes = [_axis_column(name, dtype, runs) for name, dtype in schema.items() if name not in RUN_KEY]
    table = keys.with_columns(*axes, run=pl.int_range(pl.len())).select("run", *schema)
    numbers = pl.selectors.float()
    return rows.join(table, on="run", maintain_order="left").with_columns(numbers.fill_nan(None).round(DECIMALS))


def summarize_groups(
    scores: ItemScores, groups: pl.DataFrame, confidence: float = 0.95, task: str | None = None
) -> pl.DataFrame:
    """Average every run's headline scores over groups of languages (language_groups), in all tasks or in one.

    The cells of a group, task by language, have equal weights; they are those that all runs have which are asked the
    same tasks, so that these runs average the same cells. Standard errors are clustered. Columns: those of a run; kind,
    group; seeds; cells and n (item scores) in the mean; mean, se, low, high; base, change, change_se, change_low,
    change_high against the same model's base (null without one); p of the change, p_holm (corrected over the changes of
    all runs in all groups of the kind), and mde, the minimum detectable effect at power
    maple.analysis.statistics.POWER, uncorrected.

    If runs differ only in their seed, a row with seed null averages them, and its intervals include the variance
    between seeds (maple.analysis.statistics.joint). The interval of a single run does not say what another seed would
    have given.
    """
    rows = []
    for group in groups.iter_rows(named=True):
        averaged = [_group_rows(compared, group["languages"], confidence, task) for compared in scores.comparisons]
        if not (averaged := [means for means in averaged if means is not None]):
            continue
        means = with_runs(pl.concat(averaged, how="vertical_relaxed"), scores.runs).with_columns(
            kind=pl.lit(group["kind"]), group=pl.lit(group["group"]), seed=pl.when(pl.col("seeds") == 1).then("seed")
        )
        rows.append(means if group["dataset"] is None else means.filter(dataset=group["dataset"]))
    kinds = pl.concat(rows, how="vertical_relaxed").partition_by("kind", maintain_order=True) if rows else []
    corrected = [kind.with_columns(p_holm=holm(kind["p"].to_numpy())) for kind in kinds]
    schema = _group_schema(scores.runs)
    return (
        pl.concat(corrected or [pl.DataFrame(schema=schema)])
        .with_columns(pl.col("p_holm").fill_nan(None).round(DECIMALS), confidence=pl.lit(confidence))
        .select(schema.keys())
        .cast(schema)
    )


def _group_rows(
    compared: Comparison, languages: Sequence[str], confidence: float, task: str | None
) -> pl.DataFrame | None:
    """Return the rows of the runs of a comparison, then of their seed groups, for a group of languages.

    They are None if no cell of the group is scored in all of these runs.
    """
    scores = compared.scores
    chosen = pl.lit(True) if task is None else pl.col("task") == task
    cells = scores.cells.filter("shared", "headline", chosen, pl.col("language").is_in(languages))["cell"].to_list()
    if not cells:
        return None
    means = _by_run(scores, cells, confidence)
    seed_groups = scores.seed_groups[scores.seed_groups >= 0]
    if len(set(seed_groups)) < len(seed_groups):
        means = pl.concat([means, _by_seed_group(scores, cells, confidence)], how="vertical_relaxed")
    return compared.rows_of_members(means)


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
