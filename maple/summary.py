"""Summary: what the item scores of all runs say, with intervals, and what finetuning changed."""

from collections.abc import Mapping, Sequence
from statistics import NormalDist

import polars as pl

RUN = ["model", "dataset", "method", "rank", "bits", "seed"]
ENGLISH = "eng_Latn"
# Joshi et al. 2020 (ACL, 2020.acl-main.560): classes up to 2 are called low-resource here. MAPLE's own line between
# low and high is not known. An unlisted language is in neither group.
LOW_RESOURCE_CLASSES = ("0", "1", "2")
# Sums depend in their last digits on the order of threads; two summaries of the same scores must be the same.
DECIMALS = 10


def resource_group(language: Mapping) -> str | None:
    """Return "low" or "high" for a row of the language table, None where its Joshi class is unknown."""
    if language["joshi_class"] == "unknown":
        return None
    return "low" if language["joshi_class"] in LOW_RESOURCE_CLASSES else "high"


def _quantile(confidence: float) -> float:
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def _averages(observations: pl.DataFrame, row: Sequence[pl.Expr]) -> pl.DataFrame:
    """Average the columns value, base and change of `observations`, first over items, then over cells.

    A cell is a task, language and metric of a run; all cells of a row weigh the same. `row` names task, language and
    metric of the rows to make. `value_se` and `change_se` are clustered by item: residuals from the cell's mean are
    added up over an item's languages, because items are translations of one another, then squared and added over items
    and tasks, with n / (n - 1) for the n items of a task. In a single cell that is the textbook's standard error.
    """
    by = ["run", "row_task", "row_language", "row_metric"]
    cell = ["run", "task", "language", "metric"]
    values = ["value", "change"]
    cells = observations.group_by(cell).agg(pl.len().alias("n"), *(pl.mean(value).alias(f"{value}_mean") for value in values))
    labelled = (
        observations.join(cells, on=cell)
        .with_columns(row)
        .join(
            cells.with_columns(row).group_by(by).agg(pl.len().alias("cells")),
            on=by,
        )
        .with_columns(weight=1 / (pl.col("n") * pl.col("cells")))
    )
    spread = (
        labelled.group_by(*by, "task", "item")
        .agg(((pl.col(value) - pl.col(f"{value}_mean")) * pl.col("weight")).sum().alias(value) for value in values)
        .group_by(*by, "task")
        .agg(
            (pl.col(value).pow(2).sum() * pl.len() / pl.when(pl.len() > 1).then(pl.len() - 1)).alias(value)
            for value in values
        )
        .group_by(by)
        .agg(
            # one task with a single item has no standard error, and neither has a mean it is part of
            pl.when(pl.col(value).null_count() == 0).then(pl.col(value).sum()).sqrt().alias(f"{value}_se")
            for value in values
        )
    )
    shares = ["value", "base", "change", "unparsed", "empty", "truncated", "prompt_tokens", "completion_tokens"]
    return (
        labelled.group_by(by)
        .agg(
            pl.len().alias("n"),
            pl.first("cells"),
            pl.col("value").is_in([0.0, 1.0]).all().alias("binary"),
            *((pl.col(share) * pl.col("weight")).sum().alias(share) for share in shares),
            pl.col("change").null_count().alias("unpaired"),
        )
        .join(spread, on=by)
        .rename({"row_task": "task", "row_language": "language", "row_metric": "metric"})
    )
