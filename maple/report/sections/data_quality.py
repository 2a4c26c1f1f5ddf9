"""Data quality: which cells have scores, and what was wrong with completions and benchmark rows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from maple.analysis.item_scores import IS_BASELINE, RUN_KEY, key_of
from maple.analysis.summary import JUDGED
from maple.definitions.run import RunKey
from maple.definitions.task import TaskMetrics
from maple.report.sections.run_views import LanguageView, RunView

# Columns of the tables of answer issues: their heads, by the column of the summary; flip_rate is of the run cards.
ISSUES = {
    "unparsed": "unparsed, %",
    "empty": "empty, %",
    "wrong_language": "wrong language, %",
    "wrong_script": "wrong script, %",
    "truncated": "cut off, %",
    "copied": "copied, %",
    "off_target": "off target, %",
    "repeated": "repeated, %",
    "length_ratio": "length ratio",
    "too_long": "too long, %",
    "thinking": "thinking, %",
    "unfinished_thinking": "unfinished thinking, %",
    "at_chance": "at chance, %",
    "below_chance": "below chance, %",
    "flip_rate": "flipped, %",
    "shots": "shots",
    "shots_dropped": "shots left out",
    "prompt_tokens": "prompt tokens",
    "completion_tokens": "new tokens",
    "thinking_tokens": "thinking tokens",
    "tokens_per_word": "tokens per word",
}


# From this share on, the largest cluster of a cell is named: our choice.
LARGE = 0.1
# Where an interval lies, by the column of ISSUES that has the share of such cells.
AGAINST_CHANCE = {"at_chance": "inside", "below_chance": "below"}
# Columns that are shown if some model has thought.
THINKING = ("thinking", "unfinished_thinking", "thinking_tokens")


@dataclass(frozen=True)
class TaskCoverage:
    """The items that were scored in a task."""

    name: str
    """The task."""
    cells: dict[str, str]
    """The number of items of each run, by language code; a range if runs differ."""
    not_offered: list[str]
    """Names of the languages that the task does not offer."""
    without_items: list[str]
    """Names of the languages that it offers, and that have no score."""


def coverage(
    summary: pl.DataFrame, tasks: Mapping[str, TaskMetrics], languages: Sequence[LanguageView]
) -> list[TaskCoverage]:
    """Return the numbers of scored items of each task and language."""
    counts = summary.filter(pl.col("headline")).group_by("task", "language").agg(least=pl.min("n"), most=pl.max("n"))
    items = {(row["task"], row["language"]): (row["least"], row["most"]) for row in counts.iter_rows(named=True)}
    rows = []
    for name, task in tasks.items():
        cells, not_offered, without_items = {}, [], []
        for language in languages:
            if (name, language.code) in items:
                least, most = items[name, language.code]
                cells[language.code] = f"{most:,}" if least == most else f"{least:,}–{most:,}"
            elif language.code in task.languages:
                without_items.append(language.name)
            else:
                not_offered.append(language.name)
        rows.append(TaskCoverage(name, cells, not_offered, without_items))
    return rows


@dataclass(frozen=True)
class RerunCommand:
    """The command line that computes missing cells."""

    command: str
    """What stands before the files to make again."""
    prompts: str
    """The file of a task's prompts in a language; it names {task} and {language}."""
    completions: str
    """The file of a run's completions in a language; it names {run} and {language}."""

    def for_prompts(self, task: str, language: str) -> str:
        """Return the command line that renders prompts again."""
        return f"{self.command} {self.prompts.format(task=task, language=language)}"

    def for_completions(self, runs: Iterable[str], language: str) -> str:
        """Return the command line that generates the missing completions of runs."""
        return " ".join([self.command, *(self.completions.format(run=run, language=language) for run in runs)])


@dataclass(frozen=True)
class MissingCell:
    """A cell that a task offers and that has no score in some run which is asked the task."""

    task: str
    """The task."""
    language: str
    """The name of the language."""
    runs: list[str] | None
    """The paths of the runs without a score; None if it is all, because the task has no items there."""
    asked: int
    """The number of runs that are asked the task."""
    command: str
    """The command line that fills the cell."""


def missing_cells(
    summary: pl.DataFrame,
    tasks: Mapping[str, TaskMetrics],
    languages: Sequence[LanguageView],
    views: Sequence[RunView],
    rerun: RerunCommand,
) -> list[MissingCell]:
    """Return the cells that tasks offer and that have no score in some run which is asked the task.

    If no run has a score, the task had no items: its prompts are rendered again, once its rows are there. Otherwise the
    runs without a score generate again, which computes only the missing completions.
    """
    headline = summary.filter(pl.col("headline"))
    scored = {
        (key_of(row), row["task"], row["language"])
        for row in headline.select(*RUN_KEY, "task", "language").iter_rows(named=True)
    }
    with_items = {(task, language) for _, task, language in scored}
    cells = []
    for name, task in tasks.items():
        asked = [view for view in views if name in view.run.tasks]
        for language in (language for language in languages if language.code in task.languages):
            runs = [view.run.path for view in asked if (view.key, name, language.code) not in scored]
            if not runs:
                continue
            if (name, language.code) in with_items:
                command = rerun.for_completions(runs, language.code)
                cells.append(MissingCell(name, language.name, runs, len(asked), command))
            else:
                command = rerun.for_prompts(name, language.code)
                cells.append(MissingCell(name, language.name, None, len(asked), command))
    return cells


@dataclass(frozen=True)
class IssueRow:
    """A row of a table of answer issues."""

    title: str
    """The run, task or language."""
    values: dict[str, float | None]
    """Shares of 1 and mean numbers, by the keys of ISSUES; None if undefined."""


def _over_answers(name: str) -> pl.Expr:
    """Return the mean of a share over the answers of cells, of which it is defined for those that JUDGED counts."""
    answers = pl.col("n") * pl.col("thinking") if name == "thinking_tokens" else pl.col(JUDGED.get(name, "n"))
    known = pl.when(pl.col(name).is_not_null()).then(answers)
    return pl.when(known.sum() > 0).then((pl.col(name) * known).sum() / known.sum()).alias(name)


def _issue_means(summary: pl.DataFrame, by: Sequence[str]) -> dict[tuple, dict[str, float | None]]:
    """Return the means of ISSUES over the answers of headline cells, by the columns `by`.

    at_chance and below_chance are the shares of the cells with a chance level whose interval contains it, or lies below
    it; flip_rate is None.
    """
    cells = summary.filter(pl.col("headline") & (pl.col("language") != "all"))
    means = cells.group_by(by).agg(
        *(_over_answers(name) for name in ISSUES if name in cells.columns),
        *(
            (pl.col("against_chance") == where).cast(pl.Float64).mean().alias(name)
            for name, where in AGAINST_CHANCE.items()
        ),
    )
    return {
        tuple(row[name] for name in by): {name: row.get(name) for name in ISSUES} for row in means.iter_rows(named=True)
    }


def issue_columns(summary: pl.DataFrame, counts: "AnswerCounts") -> dict[str, str]:
    """Return the columns of ISSUES that say something in this study: those of translations only if it has some."""
    present = {*summary.columns, *AGAINST_CHANCE, "flip_rate"}.difference(() if counts.thinking else THINKING)
    return {name: head for name, head in ISSUES.items() if name in present}


def issues_by_run(
    summary: pl.DataFrame, views: Sequence[RunView], cards: Iterable[Mapping[str, Any]]
) -> list[IssueRow]:
    """Return the answer issues of each run; its flip rate is that of its card of the stage generate.

    The flip rate is the share of the completions that, computed again alone, differ from those of their batch.
    """
    flip_rates = {
        key_of(card["run"]): card["flipped"] / card["compared_alone"]
        for card in cards
        if card["stage"] == "generate" and card.get("compared_alone")
    }
    means = {RunKey(*key): row for key, row in _issue_means(summary, RUN_KEY).items()}
    return [
        IssueRow(view.title, {**means[view.key], "flip_rate": flip_rates.get(view.key)})
        for view in views
        if view.key in means
    ]


def issues_by(summary: pl.DataFrame, column: str, titles: Mapping[str, str]) -> list[IssueRow]:
    """Return the answer issues by "task" or "language"; `titles` are what the rows are called, by its values."""
    means = _issue_means(summary, [column])
    return [IssueRow(title, means[value,]) for value, title in titles.items() if (value,) in means]


@dataclass(frozen=True)
class AnswerCounts:
    """Answers under headline metrics, and what was wrong with them."""

    answers: int
    """All answers."""
    unparsed: int
    """Those that could not be parsed."""
    empty: int
    """Those that were empty."""
    truncated: int
    """Those that were cut at the limit of new tokens."""
    too_long: int
    """Those whose prompt was too long."""
    thinking: int
    """Those of a model that has thought before it answered."""
    unfinished: dict[str, int]
    """Those whose thinking was unfinished, by model; only models that have some."""
    wrong_language: float | None
    """The share in the wrong language, of those for which it is defined; None if there are none."""
    wrong_script: float | None
    """The share in the wrong script, likewise."""
    with_chance: int
    """Cells that have a chance level."""
    at_chance: int
    """Those of them whose interval contains it."""
    below_chance: int
    """Those of them whose interval lies below it."""
    by_bases: float | None
    """The share of the answers of untouched base models that could not be parsed; None if they have no answers."""


def count_answers(summary: pl.DataFrame) -> AnswerCounts:
    """Return the numbers of answers and of their issues."""
    cells = summary.filter(pl.col("headline"), pl.col("language") != "all")
    with_chance = cells.filter(pl.col("against_chance").is_not_null())
    counted = ("unparsed", "empty", "truncated", "too_long")
    thoughts = cells.select("model", *((pl.col(name) * pl.col("n")).fill_null(0) for name in THINKING[:2]))
    unfinished = thoughts.group_by("model").agg(pl.sum("unfinished_thinking").round()).sort("model")
    means = cells.select(_over_answers("wrong_language"), _over_answers("wrong_script")).row(0, named=True)
    of_bases = cells.filter(IS_BASELINE).select(_over_answers("unparsed")).item()
    return AnswerCounts(
        answers=int(cells["n"].sum()),
        **{name: round((cells[name] * cells["n"]).sum()) for name in counted},
        thinking=round(thoughts["thinking"].sum()),
        unfinished={model: int(count) for model, count in unfinished.iter_rows() if count},
        **means,
        with_chance=with_chance.height,
        **{name: with_chance.filter(against_chance=where).height for name, where in AGAINST_CHANCE.items()},
        by_bases=of_bases,
    )


@dataclass(frozen=True)
class ChanceRow:
    """The score of a run in a task, over its languages, whose interval is not above chance."""

    title: str
    """The run."""
    task: str
    """The task."""
    mean: float
    """The score."""
    low: float
    """Lower bound of its interval."""
    high: float
    """Upper bound of its interval."""
    chance: float
    """The score of guessing."""


def not_above_chance(summary: pl.DataFrame, views: Sequence[RunView]) -> list[ChanceRow]:
    """Return the scores of tasks, over their languages, whose interval contains chance or lies below it."""
    titles = {view.key: view.title for view in views}
    rows = summary.filter(
        pl.col("headline"), pl.col("language") == "all", pl.col("against_chance").is_in(list(AGAINST_CHANCE.values()))
    )
    names = ("task", "mean", "low", "high", "chance")
    return [
        ChanceRow(titles[key_of(row)], **{name: row[name] for name in names})
        for row in rows.iter_rows(named=True)
        if key_of(row) in titles
    ]


@dataclass(frozen=True)
class LargeCluster:
    """A cell of which one text has a tenth of the items or more, so that its interval rests on few texts."""

    task: str
    """The task."""
    language: str
    """The name of the language."""
    share: float
    """The share."""


def large_clusters(summary: pl.DataFrame, names: Mapping[str, str]) -> list[LargeCluster]:
    """Return the cells of which one cluster has LARGE of the items or more, in some run; `names` are of languages."""
    cells = summary.filter(pl.col("headline"), pl.col("language") != "all", pl.col("largest_cluster") >= LARGE)
    largest = cells.group_by("task", "language").agg(pl.max("largest_cluster")).sort("task", "language")
    return [LargeCluster(task, names.get(code, code), share) for task, code, share in largest.iter_rows()]


@dataclass(frozen=True)
class ItemSampleView:
    """How many rows of a task are asked, of how many."""

    task: str
    """The task."""
    rows: int
    """Rows to ask, in all languages."""
    available: int
    """Rows that the set has in these languages."""


def item_samples(quality: pl.DataFrame) -> list[ItemSampleView]:
    """Return the tasks of which a sample is asked; `quality` is that of maple.evaluation.prompts.quality."""
    sums = quality.group_by("task", maintain_order=True).agg(pl.sum("rows", "available"))
    sampled = sums.filter(pl.col("rows") < pl.col("available"))
    return [ItemSampleView(**row) for row in sampled.iter_rows(named=True)]


@dataclass(frozen=True)
class RowFaults:
    """The rows of a task in one language that were repaired, or that have a fault and became no prompt."""

    task: str
    """The task."""
    language: str
    """The name of the language."""
    rows: int
    """All rows."""
    repaired: int
    """Rows that were repaired from parallel languages."""
    faulty: int
    """Rows with a fault, which became no prompt."""
    reasons: list[str]
    """The faults, each once."""


def row_faults(quality: pl.DataFrame, names: Mapping[str, str]) -> list[RowFaults]:
    """Return the tasks and languages with repaired or faulty rows.

    `quality` is that of maple.evaluation.prompts.quality; `names` are those of languages, by code.
    """
    faulty = quality.drop("available").filter((pl.col("repaired") > 0) | (pl.col("faulty") > 0))
    return [
        RowFaults(**{**row, "language": names.get(row["language"], row["language"])})
        for row in faulty.iter_rows(named=True)
    ]
