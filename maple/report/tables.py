"""Tables: every run's scores as a paper prints them, in LaTeX and in Markdown."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import polars as pl

from maple.analysis.item_scores import RUN
from maple.analysis.language_groups import resource_group
from maple.analysis.leaderboard import points
from maple.runtime.files import write_text

ALL = "all"
_LATEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--", "±": r"$\pm$",
}  # fmt: skip


@dataclass(frozen=True)
class Table:
    """A table of scores: a line a run, in points of 100, "–" where a run has none.

    names: heads of the columns that name a run; heads: those of the scores; rows: (names, scores) of each run; best:
    the highest score of each column as it is printed, None where all are the same; groups: how many runs each base
    model has, in the order of the rows.
    """

    label: str
    caption: str
    names: list[str]
    heads: list[str]
    rows: list[tuple[list[str], list[str]]]
    best: list[str | None]
    groups: list[int]

    def lines(self, escaped: Callable[[str], str], bold: str) -> list[list[str]]:
        """Return the rows' cells, each `escaped`, the best of each column put into the format `bold`."""
        return [
            [*map(escaped, names)]
            + [
                bold.format(escaped(cell)) if cell == best else escaped(cell)
                for cell, best in zip(cells, self.best, strict=True)
            ]
            for names, cells in self.rows
        ]


def short_names(languages: Sequence[Mapping]) -> dict[str, str]:
    """Return how tables call each language, by code: ISO 639-1, or the code where another language shares that."""
    times = Counter(language["iso639_1"] for language in languages)
    return {row["code"]: row["iso639_1"] if times[row["iso639_1"]] == 1 else row["code"] for row in languages}


def _runs(summary: pl.DataFrame) -> pl.DataFrame:
    """Return the runs, models together, each base first."""
    runs = summary.select(RUN).unique(maintain_order=True)
    models = runs["model"].unique(maintain_order=True).to_list()
    return runs.sort(
        pl.col("model").replace_strict(models, range(len(models))), pl.col("method") != "none", maintain_order=True
    )


def _called(run: Mapping, names: Iterable[str]) -> list[str]:
    if run["method"] == "none":
        run = {**run, "dataset": "–", "method": "untouched", "seed": "–"}
    return [str(run[name]) for name in names]


def _table(label: str, caption: str, summary: pl.DataFrame, scores: pl.DataFrame, heads: Mapping[str, str]) -> Table:
    """Return the table of all runs, with those columns of `scores` that `heads` calls by a name."""
    runs = _runs(summary)
    several = runs.filter(pl.col("method") != "none")["seed"].n_unique() > 1
    names = ["model", "dataset", "method", *(["seed"] if several else [])]
    found = runs.join(scores, on=RUN, how="left", nulls_equal=True, maintain_order="left")
    rows = [(_called(run, names), [points(run[column]) for column in heads]) for run in found.iter_rows(named=True)]
    columns = [[cell for cell in column if cell != "–"] for column in zip(*(cells for _, cells in rows), strict=True)]
    best = [max(column, key=float) if len(set(column)) > 1 else None for column in columns]
    groups = runs.group_by("model", maintain_order=True).len()["len"].to_list()
    return Table(label, caption, names, list(heads.values()), rows, best, groups)


def _span(numbers: pl.Series) -> str:
    least, most = numbers.min(), numbers.max()
    return str(least) if least == most else f"{least} to {most}"


def _sure(cells: pl.DataFrame) -> str:
    """Return a sentence on the widest interval among the cells."""
    half = ((cells["high"] - cells["low"]) / 2).max()
    return "" if half is None else f" {100 * cells['confidence'][0]:g} % intervals reach at most ± {points(half)}."


def _task_table(summary: pl.DataFrame, task: str, languages: Sequence[Mapping], low_classes: Sequence[int]) -> Table:
    cells = summary.filter("headline", pl.col("language") != ALL, task=task)
    wide = cells.pivot("language", index=RUN, values="mean")
    present = [row for row in languages if row["code"] in wide.columns]
    runs = _runs(summary).height
    everywhere = {row["code"]: resource_group(row, low_classes) for row in present if wide[row["code"]].count() == runs}
    averaged = {
        name: codes
        for name, groups in (("low", ("low",)), ("high", ("high",)), ("mean", ("low", "high", None)))
        if (codes := [code for code, group in everywhere.items() if group in groups])
    }
    # Every cell weighs the same, as in the summary's own means.
    scores = wide.with_columns(pl.mean_horizontal(codes).alias(name) for name, codes in averaged.items())
    caption = (
        f"{cells['metric'][0]} of {task}, points of 100, {_span(cells['n'])} items a language; best of a column in "
        f"bold.{_sure(cells)}"
    )
    if averaged:
        means = ", ".join(f"{name} of {len(codes)}" for name, codes in averaged.items())
        classes = ", ".join(map(str, low_classes))
        caption += f" Means over languages that every run has: {means}; low-resource are Joshi classes {classes}."
    return _table(task, caption, summary, scores, short_names(present) | {name: name for name in averaged})


def _overall_table(summary: pl.DataFrame, tasks: Iterable[str]) -> Table:
    means = summary.filter("headline", language=ALL)
    wide = means.pivot("task", index=RUN, values="mean")
    heads = {task: task for task in tasks if task in wide.columns} | ({ALL: "mean"} if ALL in wide.columns else {})
    caption = (
        "Headline scores, points of 100, each a mean over the languages that every run has in the task; the last "
        f"column is the mean over all these cells; best of a column in bold.{_sure(means)}"
    )
    return _table(ALL, caption, summary, wide, heads)


def tables(
    summary: pl.DataFrame, tasks: Iterable[str], languages: Sequence[Mapping], low_classes: Sequence[int]
) -> dict[str, Table]:
    """Return a table for each task, by its name, and one over all tasks, "all".

    `summary` is of maple.analysis.summary.summarize, `languages` are rows of the language table. A task's table has its
    headline metric in each language, and means over the low-resource, the high-resource and all of those languages that
    every run has; a task without scores has no table.
    """
    scored = [task for task in tasks if not summary.filter("headline", task=task).is_empty()]
    found = {task: _task_table(summary, task, languages, low_classes) for task in scored}
    return {**found, ALL: _overall_table(summary, scored)}


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)


def latex(table: Table) -> str:
    """Return the table as a LaTeX float; it needs the packages booktabs and graphicx."""

    def line(cells: Iterable[str]) -> str:
        return f"    {' & '.join(cells)} \\\\\n"

    lines = iter(line(cells) for cells in table.lines(_escaped, r"\textbf{{{}}}"))
    models = ["".join(islice(lines, runs)) for runs in table.groups]
    return (
        "% \\usepackage{booktabs,graphicx}\n"
        "\\begin{table*}\n"
        "  \\centering\n"
        f"  \\caption{{{_escaped(table.caption)}}}\n"
        f"  \\label{{tab:{re.sub('[^A-Za-z0-9-]+', '-', table.label)}}}\n"
        "  \\resizebox{\\textwidth}{!}{%\n"
        f"  \\begin{{tabular}}{{{'l' * len(table.names)}{'r' * len(table.heads)}}}\n"
        "    \\toprule\n"
        f"{line(map(_escaped, (*table.names, *table.heads)))}"
        "    \\midrule\n" + "    \\midrule\n".join(models) + "    \\bottomrule\n  \\end{tabular}}\n\\end{table*}\n"
    )


def aligned(heads: Sequence[str], rows: Iterable[Sequence[str]], left: int) -> str:
    """Return cells as a Markdown table; the first `left` columns are words, the others numbers, set to the right."""
    lines = [list(heads), *map(list, rows)]
    widths = [max(3, *map(len, column)) for column in zip(*lines, strict=True)]
    rule = ["-" * width if at < left else "-" * (width - 1) + ":" for at, width in enumerate(widths)]
    padded = [
        [
            cell.ljust(width) if at < left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        for line in lines
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in (padded[0], rule, *padded[1:]))


def escaped(text: str) -> str:
    """Return text that stands in a cell of Markdown as it is."""
    return re.sub(r"([\\`*_|<])", r"\\\1", text)


def markdown(table: Table) -> str:
    """Return the table in Markdown, its columns aligned, the caption above."""
    heads = [escaped(head) for head in (*table.names, *table.heads)]
    rows = aligned(heads, table.lines(escaped, "**{}**"), left=len(table.names))
    return f"{escaped(table.caption)}\n\n{rows}"


FORMATS = {".tex": latex, ".md": markdown}


def write_tables(found: Mapping[str, Table], paths: Iterable[str | Path]) -> None:
    """Write tables to files, each named by its table and, as its suffix, its format: a key of FORMATS."""
    for path in map(Path, paths):
        write_text(FORMATS[path.suffix](found[path.stem]), path)
