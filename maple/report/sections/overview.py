"""The summary: what was run, and which dataset, rank and bits came out best."""

from collections.abc import Callable, Mapping, Sequence

import polars as pl

from maple.definitions.tables import ENGLISH
from maple.report.sections.run_views import GROUPS

# The groups that the summary tells the best run of, and where a view has their rows.
LEVELS: dict[str, Callable[[Mapping], Mapping | None]] = {
    "All languages": lambda view: view["overall"],
    GROUPS["high"]: lambda view: view["groups"]["high"],
    GROUPS["low"]: lambda view: view["groups"]["low"],
    "English": lambda view: view["languages"].get(ENGLISH),
}


def count_runs(
    summary: pl.DataFrame, views: Sequence[Mapping], languages: Sequence[Mapping], tasks: Mapping[str, Mapping]
) -> dict:
    """Return what was run: numbers of models, datasets, finetuned runs, bases, languages by group, tasks and scores."""
    tuned = [view for view in views if not view["is_base"]]
    return {
        "models": len({view["model"] for view in views}),
        "datasets": len({view["dataset"] for view in tuned}),
        "methods": len({view["method"] for view in tuned}),
        "seeds": len({view["seed"] for view in tuned}),
        "tuned": len(tuned),
        "bases": len(views) - len(tuned),
        "languages": len(languages),
        "groups": [
            (GROUPS[group], found) for group in GROUPS if (found := sum(row["group"] == group for row in languages))
        ],
        "tasks": len(tasks),
        "scores": summary.filter(pl.col("headline"), pl.col("language") != "all")["n"].sum(),
    }


def best_runs(views: Sequence[Mapping]) -> list[dict]:
    """Return the best finetuned run of each model in each of LEVELS: model, level, view, row, others, near.

    `near` counts those of the `others` of that model whose score lies within the best one's interval.
    """
    found = []
    for model in dict.fromkeys(view["model"] for view in views):
        for level, of in LEVELS.items():
            scored = [(of(view), view) for view in views if view["model"] == model and not view["is_base"] and of(view)]
            if scored:
                row, view = max(scored, key=lambda pair: pair[0]["mean"])
                near = sum(other["mean"] >= row["low"] for other, _ in scored) - 1 if row["low"] is not None else None
                found.append(
                    {"model": model, "level": level, "view": view, "row": row, "others": len(scored) - 1, "near": near}
                )
    return found
