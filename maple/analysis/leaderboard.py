"""The leaderboard: runs by their mean score, and the table for a terminal."""

from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from maple.analysis.item_scores import IS_BASELINE, RUN_KEY, key_of, task_sets
from maple.definitions.language import ENGLISH
from maple.definitions.run import Run, RunKey
from maple.text.plain import plain


def leaderboard(summary: pl.DataFrame, runs: Iterable[Run]) -> pl.DataFrame:
    """Return the rows with task and language "all": model by model, each base first, then the best runs first.

    Runs that are asked the same tasks stand together, since no others compare; `asked` is the number of their set in
    task_sets of `runs`, which are those of the grid.
    """
    runs = list(runs)
    sets = task_sets(runs)
    keys = pl.DataFrame([run.key.params() for run in runs], schema={name: summary.schema[name] for name in RUN_KEY})
    asked = keys.with_columns(asked=pl.Series([sets.index(run.tasks) for run in runs], dtype=pl.Int64))
    return (
        summary.filter(pl.col("task") == "all")
        .join(asked, on=RUN_KEY, maintain_order="left")
        .sort(
            "asked",
            "model",
            ~IS_BASELINE,
            pl.col("mean"),
            descending=[False, False, False, True],
            maintain_order=True,
        )
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


def terminal_table(summary: pl.DataFrame, groups: pl.DataFrame, runs: Iterable[Run]) -> str:
    """Return a plain-text table with one line per run, in points of 100, for the end of a study.

    Runs that are asked different tasks have tables of their own. score is the mean headline score with half the width
    of its interval; change is the difference from the same model's base, with its interval. The last columns are the
    means over English and over the low-resource languages, from `groups` (maple.analysis.summary.summarize_groups).
    """
    runs = list(runs)
    rows, sets = leaderboard(summary, runs), task_sets(runs)
    if rows.is_empty():
        return "No task and language is scored in every run, so the runs cannot be compared.\n"
    columns = {
        "English": groups.filter(kind="language", group=ENGLISH),
        "low-resource": groups.filter(kind="resource", group="low"),
    }
    by_column = {
        name: {key_of(row): row["mean"] for row in frame.filter(pl.col("seed").is_not_null()).iter_rows(named=True)}
        for name, frame in columns.items()
    }
    several = rows["asked"].n_unique() > 1
    return "\n".join(
        _table(asked.to_dicts(), by_column, sets[number] if several else ())
        for (number,), asked in rows.group_by("asked", maintain_order=True)
    )


def _table(runs: Sequence[Mapping], means: Mapping[str, Mapping[RunKey, float]], tasks: Sequence[str]) -> str:
    """Return the table of the runs that are asked the same `tasks`, which its head names; none: it names none."""
    lines = [["model", "dataset", "method", "seed", "score", "change against base", *means]]
    lines += [_line(run, [of_group.get(key_of(run)) for of_group in means.values()]) for run in runs]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    first = runs[0]
    asked = f"Asked {plain(', '.join(tasks))}. " if tasks else ""
    level = f"{100 * first['confidence']:g} %"
    cells = "one cell" if first["cells"] == 1 else f"{first['cells']} cells"
    note = f"{asked}Mean headline score of {cells}, task by language, of 100; {level} intervals over items."
    return "\n".join([note, "", *table]) + "\n"
