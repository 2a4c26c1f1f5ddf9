"""Runs and languages, as the page names and orders them."""

from collections.abc import Mapping, Sequence

import polars as pl

from maple.analysis.language_groups import resource_group
from maple.analysis.leaderboard import leaderboard
from maple.definitions.run import run_path

GROUPS = {"high": "High-resource", "low": "Low-resource", None: "Class unknown"}
BASE = "untouched base"


def key(row: Mapping) -> tuple:
    """Return what tells a run from all others: model, dataset, method, seed."""
    return tuple(row[name] for name in ("model", "dataset", "method", "seed"))


def order_languages(languages: Sequence[Mapping], low_classes: Sequence[int]) -> list[dict]:
    """Return rows of the language table with their `group` (a key of GROUPS), most resourced first."""
    rank = {"high": 0, "low": 1, None: 2}
    rows = [{**language, "group": resource_group(language, low_classes)} for language in languages]
    return sorted(
        rows, key=lambda row: (rank[row["group"]], -int(row["joshi_class"]) if row["group"] else 0, row["name"])
    )


def view_runs(
    summary: pl.DataFrame, groups: pl.DataFrame, languages: Sequence[Mapping], runs: Sequence[Mapping]
) -> list[dict]:
    """Return every run that can be compared, model by model and each base first.

    A view has what the grid says of the run; key, path, is_base, name (within its model), series (model and dataset),
    title (all of it); overall (its row of maple.analysis.leaderboard.leaderboard), languages {code: row of `groups` or
    None} and groups {"high", "low": row or None}.
    """
    by_language, by_group = (
        {(*key(row), row["group"]): row for row in groups.filter(kind=kind).iter_rows(named=True)}
        for kind in ("language", "resource")
    )
    overall = {key(row): row for row in leaderboard(summary).iter_rows(named=True)}
    order = [run for run in runs if key(run) in overall]
    models = list(dict.fromkeys(run["model"] for run in order))
    seeds = {run["seed"] for run in order if run["method"] != "none"}
    views = []
    for run in sorted(order, key=lambda run: (models.index(run["model"]), run["method"] != "none")):
        own = run["method"] if len(seeds) < 2 else f"{run['method']}, seed {run['seed']}"
        name = BASE if run["method"] == "none" else f"{run['dataset']} · {own}"
        views.append(
            {
                **run,
                "key": key(run),
                "path": run_path(run),
                "is_base": run["method"] == "none",
                "name": name,
                "own": own,
                "series": f"{run['model']} · {run['dataset']}",
                "title": f"{run['model']} · {name}",
                "overall": overall[key(run)],
                "languages": {
                    language["code"]: by_language.get((*key(run), language["code"])) for language in languages
                },
                "groups": {group: by_group.get((*key(run), group)) for group in ("high", "low")},
            }
        )
    return views


def best_of_each(views: Sequence[Mapping]) -> list[Mapping]:
    """Return the finetuned run with the highest score of each series."""
    best = {}
    for view in sorted((view for view in views if not view["is_base"]), key=lambda view: view["overall"]["mean"]):
        best[view["series"]] = view
    return [view for view in views if best.get(view["series"]) is view]
