"""Tables: the scores of all runs in LaTeX and in Markdown, as papers print them."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from maple.analysis.axes import varying_axes
from maple.analysis.item_scores import RUN_KEY, key_of, task_sets
from maple.analysis.language_groups import resource_group
from maple.analysis.leaderboard import points
from maple.definitions.language import Language
from maple.definitions.run import NONE, Run
from maple.runtime.files import write_text
from maple.text.plain import plain

ALL = "all"
DOMAINS = "domains"
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
    best: list[list[str | None]]
    """For each row, the highest score of each column as it is printed, among the runs that it is compared with; None if
    all are the same."""
    groups: list[int]
    """The number of runs of each base model that are compared, in the order of the rows."""

    def lines(self, escape: Callable[[str], str], bold: str) -> list[list[str]]:
        """Return the cells of the rows, passed through `escape`, the best of each column in the format `bold`."""
        return [
            [*map(escape, names)]
            + [
                bold.format(escape(cell)) if cell == best else escape(cell)
                for cell, best in zip(cells, best_of_row, strict=True)
            ]
            for (names, cells), best_of_row in zip(self.rows, self.best, strict=True)
        ]


def short_names(languages: Iterable[Language]) -> dict[str, str]:
    """Return the name of each language in tables, by code: ISO 639-1, or the code if two languages share that."""
    languages = list(languages)
    times = Counter(row.iso639_1 for row in languages)
    return {row.code: row.iso639_1 if times[row.iso639_1] == 1 else row.code for row in languages}


def _in_order(runs: Sequence[Run]) -> list[Run]:
    """Return the runs, models together, each base first."""
    models = list(dict.fromkeys(run.model for run in runs))
    return sorted(runs, key=lambda run: (models.index(run.model), not run.is_baseline))


def _columns_of_runs(runs: Sequence[Run]) -> list[str]:
    """Return the heads of the columns that name runs: of the axes and of the seed only if they vary."""
    tuned = [run for run in runs if not run.is_baseline]
    several = len({run.seed for run in tuned}) > 1
    return ["model", "dataset", "method", *varying_axes(tuned), *(["seed"] if several else [])]


def _names_of(run: Run, names: Iterable[str]) -> list[str]:
    """Return what the columns `names` tell of a run."""
    told: dict[str, Any] = {**run.axes, **run.key.params()}
    if run.is_baseline:
        told |= {"dataset": "–", "method": "untouched", "seed": "–"}
    return ["–" if told.get(name) is None else str(told[name]) for name in names]


def _number(text: str) -> float:
    """Return the number that maple.analysis.leaderboard.points wrote, whose minus is the typographic one."""
    return float(text.replace("−", "-"))


def _best(rows: Sequence[list[str]]) -> list[str | None]:
    """Return the highest score of each column; None if all are the same."""
    columns = [[cell for cell in column if cell != "–"] for column in zip(*rows, strict=True)]
    return [max(column, key=_number) if len(set(column)) > 1 else None for column in columns]


def _table(
    label: str, caption: str, compared: Sequence[Sequence[Run]], scores: pl.DataFrame, heads: Mapping[str, str]
) -> Table:
    """Return a table of runs; `heads` are the columns of `scores` that it has, with their heads.

    Runs of one list in `compared` are compared; with several lists the first column names the tasks of each.
    """
    has_sets = len(compared) > 1
    names = _columns_of_runs([run for runs in compared for run in runs])
    by_run = {key_of(row): row for row in scores.iter_rows(named=True)}
    rows: list[tuple[list[str], list[str]]] = []
    best, groups = [], []
    for runs in compared:
        cells = [[points(by_run.get(run.key, {}).get(column)) for column in heads] for run in _in_order(runs)]
        asked = [", ".join(runs[0].tasks)] if has_sets else []
        rows += [([*asked, *_names_of(run, names)], line) for run, line in zip(_in_order(runs), cells, strict=True)]
        best += [_best(cells)] * len(runs)
        groups += Counter(run.model for run in _in_order(runs)).values()
    return Table(label, caption, [*(["asked"] if has_sets else []), *names], list(heads.values()), rows, best, groups)


def _span(numbers: pl.Series) -> str:
    least, most = numbers.min(), numbers.max()
    return str(least) if least == most else f"{least} to {most}"


def _interval_note(cells: pl.DataFrame) -> str:
    """Return a sentence on the widest interval among the cells."""
    widths = [high - low for high, low in cells.select("high", "low").drop_nulls().iter_rows()]
    if not widths:
        return ""
    half = max(widths) / 2
    return f" {100 * cells['confidence'][0]:g} % intervals over items reach at most ± {points(half)}."


def _task_table(
    summary: pl.DataFrame, runs: Sequence[Run], task: str, languages: Iterable[Language], low_classes: Sequence[int]
) -> Table:
    """Return the table of a task: its headline metric in each language, and means over languages."""
    cells = summary.filter("headline", pl.col("language") != ALL, task=task)
    wide = cells.pivot("language", index=RUN_KEY, values="mean")
    present = [row for row in languages if row.code in wide.columns]
    shared = {row.code: resource_group(row, low_classes) for row in present if wide[row.code].count() == len(runs)}
    averaged = {
        name: codes
        for name, groups in (("low", ("low",)), ("high", ("high",)), ("mean", ("low", "high", None)))
        if (codes := [code for code, group in shared.items() if group in groups])
    }
    # All cells have equal weights, as in the means of the summary.
    scores = wide.with_columns(pl.mean_horizontal(codes).alias(name) for name, codes in averaged.items())
    caption = (
        f"{cells['metric'][0]} of {task}, points of 100, {_span(cells['n'])} items per language; highest of a column "
        f"in bold.{_interval_note(cells)}"
    )
    if averaged:
        means = ", ".join(f"{name} of {len(codes)}" for name, codes in averaged.items())
        classes = ", ".join(map(str, low_classes))
        caption += f" Means over languages that every run has: {means}; low-resource are Joshi classes {classes}."
    heads = short_names(present) | {name: name for name in averaged}
    return _table(task, caption, [runs], scores, heads)


def _overall_table(summary: pl.DataFrame, runs: Sequence[Run], tasks: Iterable[str]) -> Table:
    means = summary.filter("headline", language=ALL)
    wide = means.pivot("task", index=RUN_KEY, values="mean")
    heads = {task: task for task in tasks if task in wide.columns} | ({ALL: "mean"} if ALL in wide.columns else {})
    compared = [[run for run in runs if run.tasks == asked] for asked in task_sets(runs)]
    same = " which is asked the same tasks" if len(compared) > 1 else ""
    caption = (
        f"Headline scores, points of 100, each a mean over the languages that every run has{same} in the task; the "
        f"last column is the mean over all these cells; highest of a column{' among these runs' if same else ''} in "
        f"bold.{_interval_note(means)}"
    )
    return _table(ALL, caption, compared, wide, heads)


def tables(
    summary: pl.DataFrame,
    runs: Iterable[Run],
    tasks: Iterable[str],
    languages: Iterable[Language],
    low_classes: Sequence[int],
    domains: pl.DataFrame | None = None,
) -> dict[str, Table]:
    """Return one table per task, by its name, one over all tasks, "all", and "domains", if a domain is learnt.

    `summary` is that of maple.analysis.summary.summarize, `runs` are those of the grid; runs without any score are left
    out. A task's table has the runs that are asked it, and its headline metric in each language. Its means are over the
    low-resource, the high-resource and all languages, of those that every run has. A task without scores has no table.
    """
    languages = list(languages)
    keys = {key_of(row) for row in summary.select(RUN_KEY).unique().iter_rows(named=True)}
    scored_runs = [run for run in runs if run.key in keys]
    scored = [task for task in tasks if not summary.filter("headline", task=task).is_empty()]
    by_task = {
        task: _task_table(summary, [run for run in scored_runs if task in run.tasks], task, languages, low_classes)
        for task in scored
    }
    by_domain = {} if domains is None or domains.is_empty() else {DOMAINS: domain_table(domains)}
    return {**by_task, **by_domain, ALL: _overall_table(summary, scored_runs, scored)}


def domain_table(domains: pl.DataFrame) -> Table:
    """Return the table of scores by domain of training, a row per run, and domain of test, a column each.

    `domains` is that of maple.analysis.domain_scores.domain_scores. The highest of a column is that of the runs that
    learnt the same domain, direction and number of rows.
    """
    scores = domains.filter(language=ALL)
    about = ["model", "method", *(name for name in ("rows", "direction") if scores[name].n_unique() > 1), "domain"]
    same = ["model", "dataset", "method", "direction"]
    order = {model: place for place, model in enumerate(scores["model"].unique(maintain_order=True))}
    wide = scores.pivot("test_domain", index=list(dict.fromkeys([*about, *same])), values="mean").sort(
        pl.col("model").replace_strict(order, return_dtype=pl.Int64), maintain_order=True
    )
    heads = scores["test_domain"].unique(maintain_order=True).to_list()
    rows = list(wide.iter_rows(named=True))
    names = [[_named(row, name) for name in about] for row in rows]
    cells = [[points(row[head]) for head in heads] for row in rows]
    compared = wide["dataset"].to_list()
    best = {
        one: _best([line for line, dataset in zip(cells, compared, strict=True) if dataset == one]) for one in compared
    }
    return Table(
        DOMAINS,
        "Headline scores in every domain of test (columns) by the domain that was learnt, points of 100, each a mean "
        "over seeds and languages; highest of a column among the runs on the same data in bold."
        f"{_interval_note(scores)}",
        [{"domain": "learnt"}.get(name, name) for name in about],
        heads,
        list(zip(names, cells, strict=True)),
        [best[one] for one in compared],
        list(Counter(wide["model"].to_list()).values()),
    )


def _named(row: Mapping[str, Any], name: str) -> str:
    """Return what a row of domains tells in a column of names."""
    if name == "method" and row["method"] == NONE:
        return "untouched"
    return "–" if row[name] is None else str(row[name])


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
