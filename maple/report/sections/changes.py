"""Changes: the rows of the charts over axes, languages and the trained share; of runs without a base, their scores."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from maple.analysis.axes import numeric_axes
from maple.analysis.item_scores import key_of
from maple.analysis.leaderboard import in_points
from maple.report.axis_charts import AxisRoles, axis_roles, over_axis
from maple.report.charts import CHANGE, SCORE, Quantity, by_language, shares, split
from maple.report.figure_names import SCORES, axis_figure
from maple.report.sections.run_cards import RunCost
from maple.report.sections.run_views import GROUPS, LanguageView, RunView, Score, best_of_series


def _in_points(score: Score, quantity: Quantity) -> dict[str, float]:
    shown = {"change": score.change, "low": score.change_low, "high": score.change_high}
    if quantity is SCORE:
        shown = {"score": score.mean, "low": score.low, "high": score.high}
    return {name: in_points(value) for name, value in shown.items() if value is not None}


def _has(view: RunView, quantity: Quantity) -> bool:
    """Return True for a finetuned run that has a change, or that has none and so shows its score."""
    return not view.is_base and (view.overall.change is not None) == (quantity is CHANGE)


def _axis_rows(views: Sequence[RunView], roles: AxisRoles, quantity: Quantity) -> list[dict[str, Any]]:
    """Return the rows of maple.report.axis_charts.axis_panels."""
    families = {view.run.family for view in views}
    levels: dict[str, Callable[[RunView], Score | None]] = {
        "All languages": lambda view: view.overall,
        GROUPS["high"]: lambda view: view.groups["high"],
        GROUPS["low"]: lambda view: view.groups["low"],
    }
    return [
        {
            # A line joins runs of one method only, because a rank means something different in each method.
            **roles.row(view.run, view.series if len(families) < 2 else f"{view.series} · {view.run.family}"),
            "group": group,
            **_in_points(score, quantity),
        }
        for group, score_of in levels.items()
        for view in views
        if (score := score_of(view)) and (quantity is SCORE or score.change is not None)
    ]


def _language_rows(
    settings: Sequence[RunView], languages: Iterable[LanguageView], quantity: Quantity
) -> list[dict[str, Any]]:
    """Return the rows of maple.report.charts.by_language, of the best setting of each series."""
    languages = list(languages)
    return [
        {
            "series": view.series,
            "run": view.name,
            "language": language.name,
            "group": GROUPS[language.group],
            **_in_points(score, quantity),
        }
        for view in best_of_series(settings)
        for language in languages
        if (score := view.languages[language.code]) and (quantity is SCORE or score.change is not None)
    ]


def _share_rows(costs: Iterable[RunCost], quantity: Quantity) -> list[dict[str, Any]]:
    """Return the rows of maple.report.charts.shares: the runs whose trained share is known."""
    return [
        {
            "series": cost.view.series,
            "run": cost.view.name,
            "share": 100 * cost.share,
            **_in_points(cost.view.overall, quantity),
        }
        for cost in costs
        if cost.share and _has(cost.view, quantity)
    ]


@dataclass(frozen=True)
class SplitChange:
    """The change of a run in a task, told apart into what more parsed answers gave and what more right ones did."""

    view: RunView
    """The run."""
    task: str
    """The task; its cells are all languages."""
    unparsed: float
    """Share of the run's answers that could not be parsed."""
    base_unparsed: float
    """That of its base."""
    change: float
    """The change, as a share of 1."""
    by_parsing: float | None
    """Its part by parsing; None, as the three next fields, if a side parsed nothing in some language."""
    by_answers: float | None
    """Its part by answers."""
    if_parsed: float | None
    """The mean score of the run's parsed answers."""
    base_if_parsed: float | None
    """That of its base."""


def split_changes(summary: pl.DataFrame, views: Sequence[RunView]) -> list[SplitChange]:
    """Return the changes of finetuned runs by task, where some answer of the run or its base could not be parsed."""
    rows = summary.filter("headline", pl.col("task") != "all", language="all").iter_rows(named=True)
    by_run = {(key_of(row), row["task"]): row for row in rows}
    tasks = list(dict.fromkeys(task for _, task in by_run))
    bases = {view.run.model: view.key for view in views if view.is_base}
    found = []
    for task in tasks:
        for view in views:
            row, base = by_run.get((view.key, task)), by_run.get((bases.get(view.run.model, view.key), task))
            if view.is_base or row is None or base is None or row["change"] is None:
                continue
            if row["unparsed"] or base["unparsed"]:
                found.append(
                    SplitChange(
                        view,
                        task,
                        row["unparsed"],
                        base["unparsed"],
                        row["change"],
                        row["change_by_parsing"],
                        row["change_by_answers"],
                        row["if_parsed"],
                        row["base_if_parsed"],
                    )
                )
    return found


_PARTS = ("by parsing", "by answers", "cannot be split")


def split_rows(changes: Sequence[SplitChange]) -> list[dict[str, Any]]:
    """Return the rows of maple.report.charts.split: means over the runs, by model and task, of the parts in points.

    A change that cannot be split is a part of its own.
    """
    groups: dict[tuple[str, str], list[SplitChange]] = {}
    for one in changes:
        groups.setdefault((one.view.run.model, one.task), []).append(one)
    rows = []
    for (model, task), members in groups.items():
        known = [
            (one.by_parsing, one.by_answers, 0.0)
            for one in members
            if one.by_parsing is not None and one.by_answers is not None
        ]
        unknown = [(0.0, 0.0, one.change) for one in members if one.by_parsing is None]
        means = [sum(values) / len(members) for values in zip(*known, *unknown, strict=True)]
        rows += [
            {"model": model, "task": task, "part": part, "change": round(100 * mean, 2)}
            for part, mean in zip(_PARTS, means, strict=True)
            if mean
        ]
    return rows


def result_charts(
    views: Sequence[RunView],
    settings: Sequence[RunView],
    costs: Sequence[RunCost],
    languages: Sequence[LanguageView],
    splits: Sequence[SplitChange],
) -> dict[str, dict[str, Any] | None]:
    """Return the charts of results by name: over each numeric axis, over languages, over the trained share, and split.

    Runs with a base show their changes. Those without one show their scores in charts of their own, whose names end in
    SCORES. A chart without rows is None.
    """
    drawn: dict[str, dict[str, Any] | None] = {"split": split(split_rows(splits))}
    for quantity, end in ((CHANGE, ""), (SCORE, SCORES)):
        of_quantity = [view for view in views if _has(view, quantity)]
        for axis in numeric_axes(view.run for view in of_quantity):
            on_axis = [view for view in of_quantity if view.run.axis(axis) is not None]
            roles = axis_roles([view.run for view in on_axis], axis)
            drawn[axis_figure(axis, end)] = over_axis(_axis_rows(on_axis, roles, quantity), roles, quantity)
        shown = [setting for setting in settings if _has(setting, quantity)]
        drawn[f"languages{end}"] = by_language(_language_rows(shown, languages, quantity), quantity)
        drawn[f"shares{end}"] = shares(_share_rows(costs, quantity), quantity)
    return drawn
