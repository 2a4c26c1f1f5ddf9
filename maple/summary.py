"""Summary: what the item scores of all runs say, with intervals, and what finetuning changed."""

from collections.abc import Mapping, Sequence
from statistics import NormalDist

import polars as pl

from maple.answers import TOO_LONG

RUN = ["model", "dataset", "method", "rank", "bits", "seed"]
ENGLISH = "eng_Latn"
# Joshi et al. 2020 (ACL, 2020.acl-main.560): classes up to 2 are called low-resource here. MAPLE's own line between
# low and high is not known. An unlisted language is in neither group.
LOW_RESOURCE_CLASSES = ("0", "1", "2")
# The last digits of a sum depend on the order of threads; two summaries of the same scores must be the same.
DECIMALS = 10
_ROW = ["run", "task", "language", "metric"]
_SHARES = [
    "unparsed", "empty", "wrong_language", "wrong_script", "truncated", "too_long", "prompt_tokens",
    "completion_tokens", "tokens_per_word", "shots", "shots_dropped",
]  # fmt: skip
_COLUMNS = [
    *RUN, "task", "language", "metric", "headline", "cells", "n", "mean", "se", "low", "high", *_SHARES,
    "chance", "against_chance", "base", "change", "change_se", "change_low", "change_high", "confidence",
]  # fmt: skip


class SummaryError(ValueError):
    """Scores that cannot be summarized; the message names the runs or the tasks."""


def resource_group(language: Mapping) -> str | None:
    """Return "low" or "high" for a row of the language table, None where its Joshi class is unknown."""
    if language["joshi_class"] == "unknown":
        return None
    return "low" if language["joshi_class"] in LOW_RESOURCE_CLASSES else "high"


def _quantile(confidence: float) -> float:
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def _averages(
    observations: pl.DataFrame, value: str, others: Sequence[str], row: Mapping[str, pl.Expr]
) -> pl.DataFrame:
    """Average `value` and `others` over the items of a cell, then over cells; one row for each that `row` names.

    A cell is a run's task, language and metric; the cells of a row weigh the same. The standard error of `value` is
    clustered by item, because items are translations of one another: residuals from the cell's mean are added up over
    an item's languages, then squared and added up over items and tasks, with the factor n / (n - 1) for the n items of
    a task. For a single cell this is the textbook's standard error of a mean; it is null where a task has one item.
    """
    cells = observations.group_by(_ROW).agg(pl.len().alias("size"), pl.mean(value).alias("cell_mean"))
    named = {f"row_{name}": expression for name, expression in row.items()}
    by = ["run", *named]
    counts = cells.with_columns(**named).group_by(by).agg(pl.len().alias("cells"))
    weighed = (
        observations.join(cells, on=_ROW)
        .with_columns(**named)
        .join(counts, on=by)
        .with_columns(weight=1 / (pl.col("size") * pl.col("cells")))
    )
    variances = (
        weighed.with_columns(residual=(pl.col(value) - pl.col("cell_mean")) * pl.col("weight"))
        .select(*by, "residual", of="task", item="item")
        .group_by(*by, "of", "item")
        .agg(pl.sum("residual"))
        .group_by(*by, "of")
        .agg(pl.col("residual").pow(2).sum().alias("squares"), pl.len().alias("items"))
        .with_columns(
            variance=pl.when(pl.col("items") > 1).then(pl.col("squares") * pl.col("items") / (pl.col("items") - 1))
        )
        .group_by(by)
        .agg(pl.when(pl.col("variance").null_count() == 0).then(pl.sum("variance")).sqrt().alias(f"{value}_se"))
    )
    return (
        weighed.group_by(by)
        .agg(
            pl.first("cells"),
            pl.len().alias("n"),
            pl.col(value).is_in([0.0, 1.0]).all().alias("binary"),
            (pl.col(value) * pl.col("weight")).sum(),
            *(
                # What cannot be said of an item, such as the language of a name, weighs nothing.
                pl.when(pl.col(name).count() > 0).then(
                    (pl.col(name) * pl.col("weight")).sum() / pl.col("weight").filter(pl.col(name).is_not_null()).sum()
                )
                for name in others
            ),
        )
        .join(variances, on=by)
        .rename({f"row_{name}": name for name in row})
    )


def _with_interval(rows: pl.DataFrame, z: float) -> pl.DataFrame:
    """Add low and high: Wilson's interval for a cell of zeros and ones alone, else mean ± z standard errors in 0..1."""
    mean, n = pl.col("mean"), pl.col("n")
    centre = (mean + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (mean * (1 - mean) / n + z**2 / (4 * n**2)).sqrt()
    wilson = pl.col("binary") & (pl.col("cells") == 1)
    return rows.with_columns(
        low=pl.when(wilson).then(centre - half).otherwise(mean - z * pl.col("se")).clip(0, 1),
        high=pl.when(wilson).then(centre + half).otherwise(mean + z * pl.col("se")).clip(0, 1),
    )


def summarize(
    scores: pl.LazyFrame | pl.DataFrame, runs: Sequence[Mapping], tasks: Mapping[str, Mapping], confidence: float = 0.95
) -> pl.DataFrame:
    """Summarize item scores: one row a run, task, language and metric.

    `scores` has the columns of maple.scoring.SCORE_SCHEMA, `runs` are {"model", "dataset", "method", "seed", "rank",
    "bits"} with method "none" for an untouched base, `tasks` give "metrics", "headline" and "chance" by name.

    Columns: those of a run; task, language, metric; headline (is it the task's?); cells and n (item scores) averaged;
    mean, se, low, high (of `confidence`: Wilson's interval where a cell holds only 0 and 1, else the normal one, within
    0..1); unparsed, empty, truncated, too_long (shares of all answers), wrong_language, wrong_script (shares of the
    answers of which it can be said); prompt_tokens, completion_tokens, tokens_per_word (of the prompt without
    demonstrations), shots, shots_dropped (means); chance, and against_chance: whether the interval lies above it, below
    it, or has it inside; and against the same model's untouched base, paired by item: base, change, change_se,
    change_low, change_high (null for a base and where no item is shared).

    Rows with language "all" average the languages that every run has in that task. The row with task and language "all"
    and metric "headline" averages, in every run, the same cells: the headline metric of each task and language that no
    run lacks. Their standard errors are clustered by item. Raises SummaryError for scores of no run or of an unknown
    task.
    """
    z = _quantile(confidence)
    table = pl.DataFrame(
        [{name: run[name] for name in RUN} for run in runs],
        schema={name: pl.Int64 if name in ("rank", "bits", "seed") else pl.String for name in RUN},
    ).with_row_index("run")
    bases = table.filter(pl.col("method") == "none").select("model", untouched="run")
    observations = (
        scores.lazy()
        .join(table.lazy(), on=["model", "dataset", "method", "seed"])
        .select(
            *_ROW, "item", "value", "prompt_tokens", "completion_tokens", "tokens_per_word", "shots", "shots_dropped",
            pl.col("wrong_language", "wrong_script").cast(pl.Float64),
            unparsed=(~pl.col("parsed")).cast(pl.Float64),
            empty=(pl.col("prediction") == "").cast(pl.Float64),
            truncated=(pl.col("finish_reason") == "length").cast(pl.Float64),
            too_long=(pl.col("finish_reason") == TOO_LONG).cast(pl.Float64),
        )
        .collect()
    )  # fmt: skip
    if observations.is_empty():
        raise SummaryError("no score belongs to a run of the grid; score at least one of them")
    if unknown := set(observations["task"].unique()) - set(tasks):
        raise SummaryError(f"scores of task {sorted(unknown)}, which is not among {', '.join(tasks)}")
    base = observations.join(bases, left_on="run", right_on="untouched").select(
        "model", *_ROW[1:], "item", base="value"
    )
    pairs = (
        observations.join(table.filter(pl.col("method") != "none").select("run", "model"), on="run")
        .join(base, on=["model", *_ROW[1:], "item"])
        .with_columns(change=pl.col("value") - pl.col("base"))
    )
    present = observations.select("run", "task", "language", "metric").unique()
    shared = present.group_by("task", "language", "metric").len().filter(pl.col("len") == present["run"].n_unique())
    headlines = pl.DataFrame([{"task": name, "metric": task["headline"]} for name, task in tasks.items()])
    every = pl.lit("all")
    kinds = [
        ({"task": pl.col("task"), "language": pl.col("language"), "metric": pl.col("metric")}, present),
        ({"task": pl.col("task"), "language": every, "metric": pl.col("metric")}, shared),
        (
            {"task": every, "language": every, "metric": pl.lit("headline")},
            shared.join(headlines, on=["task", "metric"]),
        ),
    ]
    rows = []
    for row, cells in kinds:
        cells = cells.select("task", "language", "metric").unique()
        kept, paired = (frame.join(cells, on=["task", "language", "metric"]) for frame in (observations, pairs))
        means = _averages(kept, "value", _SHARES, row).rename({"value": "mean", "value_se": "se"})
        changes = _averages(paired, "change", ["base"], row).select(*_ROW, "base", "change", "change_se")
        rows.append(_with_interval(means, z).join(changes, on=_ROW, how="left"))
    chances = pl.DataFrame(
        [{"task": name, "chance": task.get("chance")} for name, task in tasks.items()],
        schema_overrides={"chance": pl.Float64},
    )
    return (
        pl.concat(rows)
        .join(table, on="run")
        .join(chances, on="task", how="left")
        .join(headlines.select("task", "metric", is_headline=True), on=["task", "metric"], how="left")
        .with_columns(
            headline=pl.col("is_headline").fill_null(pl.col("metric") == "headline"),
            change_low=pl.col("change") - z * pl.col("change_se"),
            change_high=pl.col("change") + z * pl.col("change_se"),
            confidence=confidence,
            against_chance=pl.when(pl.col("low") > pl.col("chance"))
            .then(pl.lit("above"))
            .when(pl.col("high") < pl.col("chance"))
            .then(pl.lit("below"))
            .when(pl.col("low").is_not_null() & pl.col("chance").is_not_null())
            .then(pl.lit("inside")),
        )
        .sort("run", pl.col("task") != "all", "task", pl.col("language") != "all", "language", "metric")
        .select(pl.col(_COLUMNS))
        .with_columns(pl.selectors.float().round(DECIMALS))
    )


def pooled(summary: pl.DataFrame, groups: Mapping[str, str]) -> pl.DataFrame:
    """Average every run's headline scores over the languages of a group; `groups` gives each language's group.

    Uses the cells that every run has, as the row "all" does. Returns the run's columns, group, cells, mean and, paired
    with the base, change, change_low, change_high. The items of a task are translations of one another, and a summary
    does not say how much they move together: standard errors are added within a task, which is the most that they can
    come to, and over tasks in quadrature. For a group of one language that is exact.
    """
    cells = summary.filter((pl.col("language") != "all") & pl.col("headline"))
    size = cells.select(RUN).n_unique()
    shared = cells.group_by("task", "language").len().filter(pl.col("len") == size).select("task", "language")
    z = _quantile(summary["confidence"].first())
    return (
        cells.join(shared, on=["task", "language"])
        .with_columns(group=pl.col("language").replace_strict(groups, default=None, return_dtype=pl.String))
        .drop_nulls("group")
        .group_by(*RUN, "group", "task", maintain_order=True)
        .agg(
            pl.len().alias("cells"),
            pl.sum("mean", "change", "change_se"),
            pl.col("change_se").null_count().alias("unknown"),
        )
        .group_by(*RUN, "group", maintain_order=True)
        .agg(
            pl.sum("cells"),
            pl.sum("mean") / pl.sum("cells"),
            pl.when(pl.sum("unknown") == 0).then(pl.sum("change") / pl.sum("cells")).alias("change"),
            (pl.col("change_se").pow(2).sum().sqrt() / pl.sum("cells")).alias("change_se"),
        )
        .with_columns(
            change_low=pl.col("change") - z * pl.col("change_se"),
            change_high=pl.col("change") + z * pl.col("change_se"),
        )
        .drop("change_se")
    )


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


def terminal_table(summary: pl.DataFrame, languages: Sequence[Mapping] = ()) -> str:
    """Return one line a run as plain text, in points of 100, for the end of a run.

    Score is the macro score with half its interval; change is against the same model's base, with its interval. With
    rows of the language table, a column shows the languages of Joshi classes up to 2.
    """
    runs = leaderboard(summary)
    if runs.is_empty():
        return "No task and language is scored in every run, so the runs cannot be compared.\n"
    low = [language["code"] for language in languages if resource_group(language) == "low"]
    columns = {
        "English": pooled(summary, {ENGLISH: "English"}),
        "low-resource": pooled(summary, dict.fromkeys(low, "low")),
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
