"""The leaderboard: runs by their mean score, and the table for a terminal."""

import polars as pl

from maple.analysis.item_scores import RUN
from maple.definitions.tables import ENGLISH


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
