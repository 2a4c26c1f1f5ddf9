"""Changes: the rows of the charts over axes, languages and the trained share; of runs without a base, their scores."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from maple.analysis.axes import numeric_axes
from maple.analysis.leaderboard import in_points
from maple.report.axis_charts import AxisRoles, axis_roles, over_axis
from maple.report.charts import CHANGE, SCORE, Quantity, by_language, shares
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


def result_charts(
    views: Sequence[RunView],
    settings: Sequence[RunView],
    costs: Sequence[RunCost],
    languages: Sequence[LanguageView],
) -> dict[str, dict[str, Any] | None]:
    """Return the charts of results by name: over each numeric axis, over languages, and over the trained share.

    Runs with a base show their changes. Those without one show their scores in charts of their own, whose names end in
    SCORES. A chart without rows is None.
    """
    drawn: dict[str, dict[str, Any] | None] = {}
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
