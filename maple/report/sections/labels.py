"""Labels: which were answered for which, and how often answers of each confidence were right."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import polars as pl

from maple.definitions.run import NONE
from maple.report.sections.run_views import BASE, LanguageView

ALL = "all languages"
NO_LABEL = "no label"
# Languages can be chosen if the page then holds no more than so many pairs of a run and a language (our choice), for
# each has a row per pair of labels and per bin of confidence. The files have all of them.
MOST_PAIRS = 400
# How answers were given, beside the name of a run whose answers to a task were given in several ways.
WAYS = {"generate": "generated", "rank": "ranked", "classify": "classified", "blind": "without the picture"}


@dataclass(frozen=True)
class TaskLabels:
    """The labels of one task, of each run over its seeds, in each language and in all of them."""

    task: str
    labels: Sequence[str]
    """The labels in the order of the task."""
    confusion: Sequence[dict[str, Any]]
    """Rows of answers, language, gold, predicted, items and share: items as a share of those with the gold label."""
    reliability: Sequence[dict[str, Any]]
    """Rows of answers, language, confidence, accuracy and items; none of generated answers."""

    @property
    def of_each_language(self) -> bool:
        """Can a language be chosen?"""
        return any(row["language"] != ALL for row in self.confusion)


def task_labels(
    confusion: pl.DataFrame, reliability: pl.DataFrame, languages: Sequence[LanguageView]
) -> list[TaskLabels]:
    """Return the labels of each task, in the order of the tables.

    `confusion` and `reliability` have the columns of maple.evaluation.label_tables.
    """
    names = {view.code: view.name for view in languages}
    tables = []
    for (task,), counted in confusion.group_by("task", maintain_order=True):
        # The first answers are those that the page shows first: blind ones come last.
        counted = counted.sort(pl.col("answer") == "blind", maintain_order=True)
        bins = reliability.filter(task=task)
        several = counted.n_unique("answer") > 1
        counted, bins = (_named(frame, names, with_way=several) for frame in (counted, bins))
        labels = counted["gold"].unique(maintain_order=True).to_list()
        if counted.select("answers", "language").n_unique() > MOST_PAIRS:
            counted, bins = (frame.with_columns(language=pl.lit(ALL)) for frame in (counted, bins))
        else:
            counted, bins = (pl.concat([frame.with_columns(language=pl.lit(ALL)), frame]) for frame in (counted, bins))
        tables.append(TaskLabels(cast(str, task), labels, _shares(counted), _points(bins)))
    return tables


def _named(frame: pl.DataFrame, names: dict[str, str], *, with_way: bool) -> pl.DataFrame:
    """Return the frame with `answers`, the name of a run without its seed, and with the names of languages."""
    is_base = pl.col("method") == NONE
    run = pl.when(is_base).then(pl.lit(BASE)).otherwise(pl.concat_str("dataset", "method", separator=" · "))
    way = pl.concat_str(pl.lit(", "), pl.col("answer").replace(WAYS)) if with_way else pl.lit("")
    return frame.with_columns(
        answers=pl.concat_str("model", pl.lit(" · "), run, way), language=pl.col("language").replace(names)
    )


def _shares(counted: pl.DataFrame) -> list[dict[str, Any]]:
    """Add up the counts of seeds and languages; pairs of labels without items are left out."""
    cells = ["answers", "language", "gold", "predicted"]
    summed = counted.group_by(cells, maintain_order=True).agg(pl.col("items").sum())
    share = pl.col("items") / pl.col("items").sum().over("answers", "language", "gold")
    shown = summed.with_columns(share=share, predicted=pl.col("predicted").fill_null(NO_LABEL))
    return shown.filter(pl.col("items") > 0).to_dicts()


def _points(bins: pl.DataFrame) -> list[dict[str, Any]]:
    """Join the bins of seeds and languages, each weighted by its items."""
    weighted = [
        ((pl.col(name) * pl.col("items")).sum() / pl.col("items").sum()).alias(name)
        for name in ("confidence", "accuracy")
    ]
    joined = bins.group_by("answers", "language", "low", maintain_order=True).agg(*weighted, pl.col("items").sum())
    return joined.sort("answers", "language", "low", maintain_order=True).drop("low").to_dicts()
