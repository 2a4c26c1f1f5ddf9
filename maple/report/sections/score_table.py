"""Scores of all runs as columns of whole numbers, from which the page draws its leaderboard and its heat map."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from maple.analysis.axes import axis_values
from maple.analysis.item_scores import RUN_KEY, task_sets
from maple.analysis.leaderboard import setting_of
from maple.definitions.run import AxisValue, Run
from maple.definitions.task import TaskMetrics
from maple.metrics.registry import is_neutral
from maple.report.sections.run_views import GROUPS, LanguageView, RunView, tasks_in_words

KINDS = {
    "resource": "Resources",
    "class": "Joshi class",
    "script": "Script",
    "family": "Family",
    "seen": "In the finetuning data",
}
_RANKS = ("rank_low", "rank_high")
_VALUES = ("mean", "low", "high", "change", "change_low", "change_high")


@dataclass(frozen=True)
class TableRun:
    """A run, or the mean of the runs of a seed group."""

    model: str
    """Its base model."""
    dataset: str
    """Its dataset; "none" for a base."""
    method: str
    """Its method variant; "none" for a base."""
    seed: int | None
    """Its seed; None for a mean over seeds."""
    axes: list[AxisValue | None]
    """Its values of ScoreTable.axes; None for an axis that it does not have."""
    asked: int
    """The place of the tasks that it is asked, in ScoreTable.asked."""
    seeds: int
    """The number of runs in the mean; 1 for a run."""
    name: str
    """Its name among the runs of its model."""
    leads: bool
    """Is it a row of the leaderboard? A run of several seeds is not, the mean over them is."""


@dataclass(frozen=True)
class AskedTasks:
    """A set of tasks that runs are asked."""

    name: str
    """The tasks in words."""
    tasks: list[str]
    """The tasks."""


@dataclass(frozen=True)
class TableLanguage:
    """A language."""

    name: str
    """Its English name."""
    code: str
    """Its code, as swh_Latn."""
    group: str
    """Its resource group, in words."""


@dataclass(frozen=True)
class Measure:
    """A metric of a task; without both, the mean of all tasks' headline metrics."""

    task: str | None
    """The task."""
    metric: str | None
    """The metric."""
    headline: bool
    """Is it the task's headline metric?"""
    chance: float | None
    """The score of guessing, of a headline metric that has one."""
    lower_is_better: bool = False
    """Is a lower score the better one?"""
    neutral: bool = False
    """Is neither a higher nor a lower score the better one?"""


@dataclass(frozen=True)
class Scope:
    """The languages that a score averages."""

    kind: str | None
    """The kind of group in words, "language" for a single one; None for all languages."""
    group: str | None
    """The group of that kind; None for all languages."""
    label: str
    """Its name on the page."""
    languages: list[int] | dict[str, list[int]]
    """Places of its languages in the list of all; by dataset if they differ between datasets."""


@dataclass(frozen=True)
class ScoreTable:
    """The scores of the page: lists, and rows that refer to their places."""

    axes: list[str]
    """The axes of the grid."""
    asked: list[AskedTasks]
    """The sets of tasks that runs are asked: only runs of one set are compared."""
    runs: list[TableRun]
    """The runs, first those of the views, then the means over seeds."""
    languages: list[TableLanguage]
    """The languages."""
    measures: list[Measure]
    """The measures, first the mean of all tasks' headlines."""
    scopes: list[Scope]
    """The scopes: all languages, then groups, then each language."""
    rows: dict[str, list[int | None]]
    """Columns: run, measure and scope (places in the lists); mean, low, high, change, change_low and change_high in
    millionths of a point, which are rounded once, when they are shown, None if undefined; n (item scores); rank_low and
    rank_high, the ranks that a setting may have (maple.analysis.leaderboard), None where it is not ranked; sure: 1 if p
    of the change is significant after Holm's correction over all runs and groups of its kind, 0 if not, None where
    nothing is corrected (a language in one task, all languages)."""


def _table_runs(board: pl.DataFrame, views: Sequence[RunView], sets: Sequence[tuple[str, ...]]) -> list[TableRun]:
    names = list(axis_values(view.run for view in views))
    means = board.filter(pl.col("seeds") > 1).unique(RUN_KEY, maintain_order=True)
    averaged = {setting_of(row) for row in means.iter_rows(named=True)}

    def table_run(run: Run, seed: int | None, seeds: int, name: str) -> TableRun:
        axes = [run.axis(axis) for axis in names]
        key = {**run.key.params(), "seed": seed}
        leads = seed is None or setting_of(run.key.params()) not in averaged
        return TableRun(**key, axes=axes, asked=sets.index(run.tasks), seeds=seeds, name=name, leads=leads)

    by_setting = {(view.run.model, view.run.dataset, view.run.method): view.run for view in views}
    runs = [table_run(view.run, view.run.seed, 1, view.name) for view in views]
    for row in means.iter_rows(named=True):
        run = by_setting[setting_of(row)]
        runs.append(table_run(run, None, row["seeds"], f"{run.dataset} · {run.method}"))
    return runs


def _measures(summary: pl.DataFrame, tasks: Mapping[str, TaskMetrics]) -> list[Measure]:
    scored = summary.filter(pl.col("task") != "all").select("task", "metric", "headline").unique()
    measures = [Measure(None, None, True, None, False)]
    for name, task in tasks.items():
        rows = scored.filter(task=name).sort(pl.col("headline"), "metric", descending=[True, False])
        measures += [
            Measure(
                **row,
                chance=task.chance if row["headline"] else None,
                lower_is_better=row["metric"] in task.lower_is_better,
                neutral=is_neutral(row["metric"]),
            )
            for row in rows.iter_rows(named=True)
        ]
    return measures


def _label(kind: str, group: str) -> str:
    labels = {
        "resource": {"high": GROUPS["high"], "low": GROUPS["low"]}.get(group, group),
        "class": f"Joshi class {group}",
        "seen": f"{group} in finetuning",
    }
    return labels.get(kind, group)


def _group_of(language: LanguageView, kind: str) -> str | None:
    if kind == "resource":
        return language.group
    return language.language.joshi_class if kind == "class" else getattr(language.language, kind)


def _members(
    kind: str, group: str, languages: Sequence[LanguageView], finetuned_in: Mapping[str, Sequence[str]]
) -> list[int] | dict[str, list[int]]:
    """Return the places of a group's languages; by dataset for the kind "seen"."""
    if kind == "seen":
        return {
            dataset: [
                place for place, language in enumerate(languages) if (language.code in codes) == (group == "seen")
            ]
            for dataset, codes in finetuned_in.items()
        }
    return [place for place, language in enumerate(languages) if _group_of(language, kind) == group]


def _scopes(
    groups: pl.DataFrame, languages: Sequence[LanguageView], finetuned_in: Mapping[str, Sequence[str]]
) -> tuple[list[Scope], list[tuple[str, str]]]:
    """Return the scopes, and the kind and the group of each in the summary's words."""
    kinds = groups.filter(pl.col("kind") != "language").select("kind", "group").unique(maintain_order=True).rows()
    wider = [(kind, group) for wanted in KINDS for kind, group in sorted(kinds) if kind == wanted]
    scopes = [
        Scope(None, None, "All languages", list(range(len(languages)))),
        *(
            Scope(KINDS[kind], group, _label(kind, group), _members(kind, group, languages, finetuned_in))
            for kind, group in wider
        ),
        *(Scope("language", language.code, language.name, [place]) for place, language in enumerate(languages)),
    ]
    return scopes, [("language", "all"), *wider, *(("language", language.code) for language in languages)]


def _values(
    summary: pl.DataFrame,
    groups: pl.DataFrame,
    groups_by_task: pl.DataFrame,
    board: pl.DataFrame,
    tasks: Mapping[str, TaskMetrics],
) -> pl.DataFrame:
    """Return the scores of single cells and of groups below each other, with a column `sure`.

    What the leaderboard has takes the place of the same score elsewhere, whose interval may hold no seeds.
    """
    of_cells = summary.with_columns(kind=pl.lit("language"), group=pl.col("language"), sure=pl.lit(None, pl.Int8))
    headlines = {name: task.headline for name, task in tasks.items()}
    of_groups = pl.concat(
        [
            groups.with_columns(task=pl.lit("all"), metric=pl.lit("headline")),
            groups_by_task.with_columns(metric=pl.col("task").replace_strict(headlines, return_dtype=pl.String)),
        ],
        how="diagonal",
    ).with_columns(sure=(pl.col("p_holm") <= 1 - pl.col("confidence")).cast(pl.Int8))
    keys = [*RUN_KEY, "task", "metric", "kind", "group"]
    columns = [*keys, *_VALUES, "n", "sure"]
    elsewhere = pl.concat([of_cells.select(columns), of_groups.select(columns)])
    sure = (pl.col("sure") == 1) & ((pl.col("change_low") > 0) | (pl.col("change_high") < 0))
    leading = (
        board.with_columns(task=pl.lit("all"), metric=pl.lit("headline"))
        .join(elsewhere.select(*keys, "sure"), on=keys, how="left", nulls_equal=True)
        .with_columns(sure=pl.when(pl.col("sure").is_not_null()).then(sure).cast(pl.Int8))
        .select(*columns, *_RANKS)
    )
    return pl.concat([elsewhere.join(leading, on=keys, how="anti", nulls_equal=True), leading], how="diagonal")


def score_table(
    summary: pl.DataFrame,
    groups: pl.DataFrame,
    groups_by_task: pl.DataFrame,
    board: pl.DataFrame,
    languages: Sequence[LanguageView],
    tasks: Mapping[str, TaskMetrics],
    views: Sequence[RunView],
    finetuned_in: Mapping[str, Sequence[str]],
) -> ScoreTable:
    """Return the scores of the page.

    The frames are those of maple.analysis.summary and of maple.analysis.leaderboard; `finetuned_in` has the codes of
    each dataset's languages.
    """
    sets = task_sets(view.run for view in views)
    runs, measures = _table_runs(board, views, sets), _measures(summary, tasks)
    scopes, kinds = _scopes(groups, languages, finetuned_in)
    run_places = pl.DataFrame(
        [(run.model, run.dataset, run.method, run.seed, place) for place, run in enumerate(runs)],
        schema={**dict.fromkeys(RUN_KEY, pl.String), "seed": pl.Int64, "run": pl.Int64},
        orient="row",
    )
    measure_places = pl.DataFrame(
        [(row.task or "all", row.metric or "headline", place) for place, row in enumerate(measures)],
        schema=["task", "metric", "measure"],
        orient="row",
    )
    scope_places = pl.DataFrame(
        [(*kind, place) for place, kind in enumerate(kinds)], schema=["kind", "group", "scope"], orient="row"
    )
    rows = (
        _values(summary, groups, groups_by_task, board, tasks)
        .join(run_places, on=RUN_KEY, nulls_equal=True)
        .join(measure_places, on=["task", "metric"])
        .join(scope_places, on=["kind", "group"])
        .sort("measure", "scope", "run")
        .select("run", "measure", "scope", (pl.col(_VALUES) * 1e8).round().cast(pl.Int64), "n", "sure", *_RANKS)
    )
    return ScoreTable(
        axes=list(axis_values(view.run for view in views)),
        asked=[AskedTasks(tasks_in_words(tasks), list(tasks)) for tasks in sets],
        runs=runs,
        languages=[TableLanguage(language.name, language.code, GROUPS[language.group]) for language in languages],
        measures=measures,
        scopes=scopes,
        rows=rows.to_dict(as_series=False),
    )
