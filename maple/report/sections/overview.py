"""The overview: what was run, and which dataset and values of the axes had the highest score."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from maple.analysis.axes import axis_values, varying_axes
from maple.analysis.leaderboard import LEVELS, setting_of
from maple.report.sections.run_views import GROUPS, LanguageView, RunView, Score

# The groups of languages whose best setting the overview names.
LEVEL_NAMES = dict(zip(LEVELS, ("All languages", GROUPS["high"], GROUPS["low"], "English"), strict=True))


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
    settings: int
    """Models with a dataset and a method variant, whatever the seed."""
    replicated: int
    """Those of them that were finetuned with several seeds."""
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
    seeds = Counter((run.model, run.dataset, run.method) for run in tuned)
    sizes = {name: sum(language.group == group for language in languages) for group, name in GROUPS.items()}
    return RunCounts(
        models=len({view.run.model for view in views}),
        datasets=len({run.dataset for run in tuned}),
        tuned=len(tuned),
        seeds=len({run.seed for run in tuned}),
        settings=len(seeds),
        replicated=sum(number > 1 for number in seeds.values()),
        languages=len(languages),
        groups=[(name, size) for name, size in sizes.items() if size],
        tasks=tasks,
        scores=int(summary.filter(pl.col("headline"), pl.col("language") != "all")["n"].sum()),
    )


@dataclass(frozen=True)
class BestSetting:
    """The finetuned setting of a model with the highest mean score over a group of languages."""

    level: str
    """The group of languages, one of LEVEL_NAMES."""
    view: RunView
    """The setting."""
    score: Score
    """Its mean score over the group, over all its seeds."""
    others: int
    """The number of other finetuned settings of the model that are asked the same tasks."""
    as_good: int
    """The number of these that may be the best as well: no setting of the model is surely better."""


def best_settings(settings: Sequence[RunView], board: pl.DataFrame) -> list[BestSetting]:
    """Return the best finetuned setting of each model and set of tasks in each of LEVEL_NAMES.

    `settings` are those of view_settings; `board` is that of maple.analysis.leaderboard.
    """
    by_setting = {(view.run.model, view.run.dataset, view.run.method): view for view in settings}
    tuned = board.filter(pl.col("rank_low_in_model").is_not_null())
    best = []
    for model, asked in dict.fromkeys((view.run.model, view.asked) for view in settings):
        own = [key for key, view in by_setting.items() if (view.run.model, view.asked) == (model, asked)]
        for (kind, group), level in LEVEL_NAMES.items():
            rows = [row for row in tuned.filter(kind=kind, group=group).iter_rows(named=True) if setting_of(row) in own]
            if rows:
                first = max(rows, key=lambda row: row["mean"])
                as_good = sum(row["rank_low_in_model"] == 1 for row in rows) - 1
                view = by_setting[setting_of(first)]
                best.append(BestSetting(level, view, Score.from_row(first), len(rows) - 1, as_good))
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
