"""Changes: the rows of the charts of changes over rank and bits, languages and the trained share."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from maple.report.sections.run_cards import RunCost
from maple.report.sections.run_views import GROUPS, LanguageView, RunView, Score, best_of_series


def _in_points(score: Score) -> dict[str, float]:
    bounds = {"change": score.change, "low": score.change_low, "high": score.change_high}
    return {name: round(100 * value, 2) for name, value in bounds.items() if value is not None}


def _changed(view: RunView, score: Score | None) -> bool:
    return not view.is_base and score is not None and score.change is not None


def capacity_rows(views: Sequence[RunView]) -> list[dict[str, Any]]:
    """Return the changes of the runs that have a rank: rank, bits, seed, series, group, change, low, high."""
    families = {view.run.family for view in views if view.run.axis("rank")}
    levels: dict[str, Callable[[RunView], Score | None]] = {
        "All languages": lambda view: view.overall,
        GROUPS["high"]: lambda view: view.groups["high"],
        GROUPS["low"]: lambda view: view.groups["low"],
    }
    return [
        {
            "rank": view.run.axis("rank"),
            "bits": view.run.bits,
            "seed": view.run.seed,
            # A line joins runs of one method only, because a rank means something different in each method.
            "series": view.series if len(families) < 2 else f"{view.series} · {view.run.family}",
            "group": group,
            **_in_points(score),
        }
        for group, score_of in levels.items()
        for view in views
        if (score := score_of(view)) and _changed(view, score) and view.run.axis("rank") and view.run.bits
    ]


def language_rows(views: Sequence[RunView], languages: Iterable[LanguageView]) -> list[dict[str, Any]]:
    """Return the changes in each language of the best run of each series: series, run, language, group, change, ..."""
    languages = list(languages)
    return [
        {
            "series": view.series,
            "run": view.name,
            "language": language.name,
            "group": GROUPS[language.group],
            **_in_points(score),
        }
        for view in best_of_series(views)
        for language in languages
        if (score := view.languages[language.code]) and _changed(view, score)
    ]


def share_rows(costs: Iterable[RunCost]) -> list[dict[str, Any]]:
    """Return the changes of the runs whose trained share is known: series, run, share (percent), change, low, high."""
    return [
        {"series": cost.view.series, "run": cost.view.name, "share": 100 * cost.share, **_in_points(cost.view.overall)}
        for cost in costs
        if cost.share and _changed(cost.view, cost.view.overall)
    ]
