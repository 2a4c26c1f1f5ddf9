"""Tables: the scores of all runs in LaTeX and in Markdown, as papers print them."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from maple.analysis.item_scores import IS_BASELINE, RUN
from maple.analysis.language_groups import resource_group
from maple.analysis.leaderboard import points
from maple.definitions.language import Language
from maple.definitions.run import NONE
from maple.runtime.files import write_text
from maple.text.plain import plain

ALL = "all"
_LATEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--", "±": r"$\pm$",
}  # fmt: skip


@dataclass(frozen=True)
class Table:
    """A table of scores: one line per run, in points of 100, "–" without a score."""

    label: str
    """Its name, the task or "all"."""
    caption: str
    """The caption."""
    names: list[str]
    """Heads of the columns that name a run."""
    heads: list[str]
    """Heads of the columns of scores."""
    rows: list[tuple[list[str], list[str]]]
    """The names and the scores of each run."""
    best: list[str | None]
    """The highest score of each column as it is printed; None if all are the same."""
    groups: list[int]
    """The number of runs of each base model, in the order of the rows."""

    def lines(self, escape: Callable[[str], str], bold: str) -> list[list[str]]:
        """Return the cells of the rows, passed through `escape`, the best of each column in the format `bold`."""
        return [
            [*map(escape, names)]
            + [
                bold.format(escape(cell)) if cell == best else escape(cell)
                for cell, best in zip(cells, self.best, strict=True)
            ]
            for names, cells in self.rows
        ]


def short_names(languages: Iterable[Language]) -> dict[str, str]:
    """Return the name of each language in tables, by code: ISO 639-1, or the code if two languages share that."""
    languages = list(languages)
    times = Counter(row.iso639_1 for row in languages)
    return {row.code: row.iso639_1 if times[row.iso639_1] == 1 else row.code for row in languages}


def _runs(summary: pl.DataFrame) -> pl.DataFrame:
    """Return the runs, models together, each base first."""
    runs = summary.select(RUN).unique(maintain_order=True)
    models = runs["model"].unique(maintain_order=True).to_list()
    return runs.sort(pl.col("model").replace_strict(models, range(len(models))), ~IS_BASELINE, maintain_order=True)


def _run_names(run: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """Return what the columns `names` tell of a run, a row with the columns of a run."""
    if run["method"] == NONE:
        run = {**run, "dataset": "–", "method": "untouched", "seed": "–"}
    return [str(run[name]) for name in names]


def _number(text: str) -> float:
    """Return the number that maple.analysis.leaderboard.points wrote, whose minus is the typographic one."""
    return float(text.replace("−", "-"))


def _table(label: str, caption: str, summary: pl.DataFrame, scores: pl.DataFrame, heads: Mapping[str, str]) -> Table:
    """Return the table of all runs; `heads` are the columns of `scores` that it has, with their heads."""
    runs = _runs(summary)
    several = runs.filter(~IS_BASELINE)["seed"].n_unique() > 1
    names = ["model", "dataset", "method", *(["seed"] if several else [])]
    scored = runs.join(scores, on=RUN, how="left", nulls_equal=True, maintain_order="left")
    rows = [(_run_names(run, names), [points(run[column]) for column in heads]) for run in scored.iter_rows(named=True)]
    columns = [[cell for cell in column if cell != "–"] for column in zip(*(cells for _, cells in rows), strict=True)]
    best = [max(column, key=_number) if len(set(column)) > 1 else None for column in columns]
    groups = runs.group_by("model", maintain_order=True).len()["len"].to_list()
    return Table(label, caption, names, list(heads.values()), rows, best, groups)


def _span(numbers: pl.Series) -> str:
    least, most = numbers.min(), numbers.max()
    return str(least) if least == most else f"{least} to {most}"


def _interval_note(cells: pl.DataFrame) -> str:
    """Return a sentence on the widest interval among the cells."""
    widths = [high - low for high, low in cells.select("high", "low").drop_nulls().iter_rows()]
    if not widths:
        return ""
    half = max(widths) / 2
    return f" {100 * cells['confidence'][0]:g} % intervals reach at most ± {points(half)}."


def _task_table(summary: pl.DataFrame, task: str, languages: Iterable[Language], low_classes: Sequence[int]) -> Table:
    """Return the table of a task: its headline metric in each language, and means over languages."""
    cells = summary.filter("headline", pl.col("language") != ALL, task=task)
    wide = cells.pivot("language", index=RUN, values="mean")
    present = [row for row in languages if row.code in wide.columns]
    runs = _runs(summary).height
    shared = {row.code: resource_group(row, low_classes) for row in present if wide[row.code].count() == runs}
    averaged = {
        name: codes
        for name, groups in (("low", ("low",)), ("high", ("high",)), ("mean", ("low", "high", None)))
        if (codes := [code for code, group in shared.items() if group in groups])
    }
    # All cells have equal weights, as in the means of the summary.
    scores = wide.with_columns(pl.mean_horizontal(codes).alias(name) for name, codes in averaged.items())
    caption = (
        f"{cells['metric'][0]} of {task}, points of 100, {_span(cells['n'])} items per language; best of a column in "
        f"bold.{_interval_note(cells)}"
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
        f"column is the mean over all these cells; best of a column in bold.{_interval_note(means)}"
    )
    return _table(ALL, caption, summary, wide, heads)


def tables(
    summary: pl.DataFrame, tasks: Iterable[str], languages: Iterable[Language], low_classes: Sequence[int]
) -> dict[str, Table]:
    """Return one table per task, by its name, and one over all tasks, "all".

    `summary` is that of maple.analysis.summary.summarize. A task's table has its headline metric in each language. Its
    means are over the low-resource, the high-resource and all languages, of those that every run has. A task without
    scores has no table.
    """
    languages = list(languages)
    scored = [task for task in tasks if not summary.filter("headline", task=task).is_empty()]
    by_task = {task: _task_table(summary, task, languages, low_classes) for task in scored}
    return {**by_task, ALL: _overall_table(summary, scored)}


def _escape_latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in plain(text))


def latex(table: Table) -> str:
    """Return the table as a LaTeX float; it needs the packages booktabs and graphicx."""

    def line(cells: Iterable[str]) -> str:
        return f"    {' & '.join(cells)} \\\\\n"

    lines = iter(line(cells) for cells in table.lines(_escape_latex, r"\textbf{{{}}}"))
    models = ["".join(islice(lines, runs)) for runs in table.groups]
    return (
        "% \\usepackage{booktabs,graphicx}\n"
        "\\begin{table*}\n"
        "  \\centering\n"
        f"  \\caption{{{_escape_latex(table.caption)}}}\n"
        f"  \\label{{tab:{re.sub('[^A-Za-z0-9-]+', '-', table.label)}}}\n"
        "  \\resizebox{\\textwidth}{!}{%\n"
        f"  \\begin{{tabular}}{{{'l' * len(table.names)}{'r' * len(table.heads)}}}\n"
        "    \\toprule\n"
        f"{line(map(_escape_latex, (*table.names, *table.heads)))}"
        "    \\midrule\n" + "    \\midrule\n".join(models) + "    \\bottomrule\n  \\end{tabular}}\n\\end{table*}\n"
    )


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]], left: int) -> str:
    """Return cells as a Markdown table; the first `left` columns are aligned left, as words, the others right."""
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


def escape_markdown(text: str) -> str:
    """Escape the characters of a text that have a meaning in a cell of a Markdown table."""
    return re.sub(r"([\\`*_|<])", r"\\\1", plain(text))


def markdown(table: Table) -> str:
    """Return the table in Markdown, below its caption."""
    heads = [escape_markdown(head) for head in (*table.names, *table.heads)]
    rows = markdown_table(heads, table.lines(escape_markdown, "**{}**"), left=len(table.names))
    return f"{escape_markdown(table.caption)}\n\n{rows}"


FORMATS = {".tex": latex, ".md": markdown}


def write_tables(content: Mapping[str, Table], paths: Iterable[str | Path]) -> None:
    """Write tables to files; the name of a file is its table, and its suffix its format, a key of FORMATS."""
    for path in map(Path, paths):
        write_text(FORMATS[path.suffix](content[path.stem]), path)
