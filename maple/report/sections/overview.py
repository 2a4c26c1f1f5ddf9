"""The overview: what was run, and which dataset and values of the axes had the highest score."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from maple.analysis.axes import axis_values, varying_axes
from maple.definitions.language import ENGLISH
from maple.report.sections.run_views import GROUPS, LanguageView, RunView, Score

# The groups of languages whose best run the overview names, and a run's score there.
LEVELS: dict[str, Callable[[RunView], Score | None]] = {
    "All languages": lambda view: view.overall,
    GROUPS["high"]: lambda view: view.groups["high"],
    GROUPS["low"]: lambda view: view.groups["low"],
    "English": lambda view: view.languages.get(ENGLISH),
}


@dataclass(frozen=True)
class RunCounts:
    """The size of the study."""

    models: int
    """Base models."""
    datasets: int
    """Datasets that runs were finetuned on."""
    tuned: int
    """Finetuned runs."""
    seeds: int
    """Seeds of the finetuning."""
    languages: int
    """Languages."""
    groups: list[tuple[str, int]]
    """The names of the resource groups with their numbers of languages."""
    tasks: int
    """Tasks."""
    scores: int
    """Item scores of headline metrics."""


def count_runs(
    summary: pl.DataFrame, views: Sequence[RunView], languages: Sequence[LanguageView], tasks: int
) -> RunCounts:
    """Return the size of the study, which has so many `tasks`."""
    tuned = [view.run for view in views if not view.is_base]
    sizes = {name: sum(language.group == group for language in languages) for group, name in GROUPS.items()}
    return RunCounts(
        models=len({view.run.model for view in views}),
        datasets=len({run.dataset for run in tuned}),
        tuned=len(tuned),
        seeds=len({run.seed for run in tuned}),
        languages=len(languages),
        groups=[(name, size) for name, size in sizes.items() if size],
        tasks=tasks,
        scores=int(summary.filter(pl.col("headline"), pl.col("language") != "all")["n"].sum()),
    )


@dataclass(frozen=True)
class BestRun:
    """The finetuned run of a model with the highest score over a group of languages."""

    level: str
    """The group of languages, one of LEVELS."""
    view: RunView
    """The run."""
    score: Score
    """Its score over the group."""
    others: int
    """The number of other finetuned runs of the model that are asked the same tasks."""
    as_good: int | None
    """The number of these whose score lies within the best run's interval; None without an interval."""


def best_runs(views: Sequence[RunView]) -> list[BestRun]:
    """Return the best finetuned run of each model and set of tasks in each of LEVELS."""
    best = []
    for model, asked in dict.fromkeys((view.run.model, view.asked) for view in views):
        tuned = [view for view in views if (view.run.model, view.asked) == (model, asked) and not view.is_base]
        for level, score_of in LEVELS.items():
            scored = [(score, view) for view in tuned if (score := score_of(view))]
            if scored:
                score, view = max(scored, key=lambda pair: pair[0].mean)
                low = score.low
                as_good = None if low is None else sum(other.mean >= low for other, _ in scored) - 1
                best.append(BestRun(level, view, score, len(scored) - 1, as_good))
    return best


@dataclass(frozen=True)
class GridAxes:
    """What the page says of the axes of the finetuned runs."""

    names: list[str]
    """The axes."""
    varying: list[str]
    """Those of them of which the runs of one model, dataset and method have several values."""
    texts: list[str]
    """Those of them whose values are words."""
    has_families: bool
    """Are there several methods?"""

    def in_words(self, *further: str) -> str:
        """Return the axes that vary and `further` names in one text: rank, bits and trained share."""
        *names, last = [name.replace("_", " ") for name in (*self.varying, *further)]
        return f"{', '.join(names)} and {last}" if names else last


def grid_axes(views: Sequence[RunView]) -> GridAxes:
    """Return the axes of the finetuned runs."""
    tuned = [view.run for view in views if not view.is_base]
    values = axis_values(tuned)
    texts = [name for name, found in values.items() if any(isinstance(value, str) for value in found)]
    return GridAxes(list(values), varying_axes(tuned), texts, len({run.family for run in tuned}) > 1)
