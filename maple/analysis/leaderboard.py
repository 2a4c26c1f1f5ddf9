"""The leaderboard: runs by their mean score, and the table for a terminal."""

from collections.abc import Mapping

import polars as pl

from maple.analysis.item_scores import IS_BASELINE, RUN
from maple.definitions.language import ENGLISH
from maple.text.plain import plain


def leaderboard(summary: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with task and language "all", model by model, each base first, then the best runs first."""
    return summary.filter(pl.col("task") == "all").sort(
        "model", ~IS_BASELINE, pl.col("mean"), descending=[False, False, True], maintain_order=True
    )


def points(share: float | None, signed: bool = False) -> str:
    """Return a share of 1 in points of 100 with one decimal: 0.4123 -> "41.2"; an en dash for None."""
    if share is None:
        return "–"
    text = f"{100 * share:+.1f}" if signed else f"{100 * share:.1f}"
    return text.replace("-", "−") if text.strip("+-0.") else text.replace("-", "").replace("+", "")


def _line(run: Mapping, means: list[float | None]) -> list[str]:
    """Return a run's line; `run` is a row of the leaderboard, `means` are its means over groups of languages."""
    half = (run["high"] - run["low"]) / 2 if run["se"] is not None else None
    change = points(run["change"], signed=True)
    if run["change_low"] is not None:
        change += f" [{points(run['change_low'], signed=True)}, {points(run['change_high'], signed=True)}]"
    names = [plain(str(run[name])) for name in ("model", "dataset", "method", "seed")]
    return [*names, f"{points(run['mean'])} ± {points(half)}", change, *map(points, means)]


def terminal_table(summary: pl.DataFrame, groups: pl.DataFrame) -> str:
    """Return a plain-text table with one line per run, in points of 100, for the end of a study.

    score is the mean headline score with half the width of its interval; change is the difference from the same model's
    base, with its interval. The last columns are the means over English and over the low-resource languages, from
    `groups` (maple.analysis.summary.summarize_groups).
    """
    runs = leaderboard(summary)
    if runs.is_empty():
        return "No task and language is scored in every run, so the runs cannot be compared.\n"
    columns = {
        "English": groups.filter(kind="language", group=ENGLISH),
        "low-resource": groups.filter(kind="resource", group="low"),
    }
    means = [{row[:-1]: row[-1] for row in frame.select(*RUN, "mean").iter_rows()} for frame in columns.values()]
    lines = [["model", "dataset", "method", "seed", "score", "change against base", *columns]]
    for run in runs.iter_rows(named=True):
        key = tuple(run[name] for name in RUN)
        lines.append(_line(run, [by_run.get(key) for by_run in means]))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    first = runs.row(0, named=True)
    level = f"{100 * first['confidence']:g} %"
    note = f"Mean headline score of {first['cells']} cells, task by language, of 100; {level} intervals."
    return "\n".join([note, "", *table]) + "\n"
