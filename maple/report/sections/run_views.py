"""Runs and languages, as the page names and orders them."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import polars as pl

from maple.analysis.item_scores import key_of, task_sets
from maple.analysis.language_groups import ResourceGroup, resource_group
from maple.analysis.leaderboard import ALL, setting_of
from maple.definitions.language import Language
from maple.definitions.run import Run, RunKey

GROUPS: dict[ResourceGroup | None, str] = {"high": "High-resource", "low": "Low-resource", None: "Class unknown"}
BASE = "untouched base"


@dataclass(frozen=True)
class LanguageView:
    """A language of the study."""

    language: Language
    """Its row of the language table."""
    group: ResourceGroup | None
    """Its resource group; None if its Joshi class is unknown."""

    @property
    def code(self) -> str:
        """Its code, as swh_Latn."""
        return self.language.code

    @property
    def name(self) -> str:
        """Its English name."""
        return self.language.name

    @property
    def tag(self) -> str:
        """Its tag for browsers, of BCP 47: sw-Latn."""
        return f"{self.language.iso639_1}-{self.language.script}"


def order_languages(languages: Iterable[Language], low_classes: Sequence[int]) -> list[LanguageView]:
    """Return the languages in the order of the page: high-resource first, within a group by class, then by name."""
    place = {"high": 0, "low": 1, None: 2}
    views = [LanguageView(language, resource_group(language, low_classes)) for language in languages]
    return sorted(
        views, key=lambda view: (place[view.group], -int(view.language.joshi_class) if view.group else 0, view.name)
    )


@dataclass(frozen=True)
class Score:
    """A run's mean score over some cells and its change against the base, as shares of 1."""

    cells: int
    """The number of cells, task by language, in the mean."""
    mean: float
    """The mean."""
    low: float | None
    """Lower bound of its interval; None with too few items, as the upper one."""
    high: float | None
    """Upper bound of its interval."""
    change: float | None
    """The difference from the base on the same items; None for a base."""
    change_low: float | None
    """Lower bound of the change's interval; None for a base and with too few items, as the upper one."""
    change_high: float | None
    """Upper bound of the change's interval."""

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Return the score in a row of the summary or of its groups."""
        return cls(*(row[name] for name in cls.__dataclass_fields__))


@dataclass(frozen=True)
class RunView:
    """A run that can be compared, with its scores."""

    run: Run
    """The run."""
    name: str
    """Its name among the runs of its model."""
    variant: str
    """Its method, with the seed if the study has several."""
    series: str
    """Its model and dataset, whose variants are one series; where runs of both are asked different tasks, these too."""
    asked: str
    """The tasks that it is asked, in words; empty if all runs of the study are asked the same."""
    overall: Score
    """Its score over all tasks and languages."""
    languages: dict[str, Score | None]
    """Its score in each language, by code; None without a cell that all runs have which are asked the same tasks."""
    groups: dict[ResourceGroup, Score | None]
    """Its score over the high- and over the low-resource languages, likewise."""

    @property
    def key(self) -> RunKey:
        """The key of the run."""
        return self.run.key

    @property
    def is_base(self) -> bool:
        """True for a base model that was not finetuned."""
        return self.run.is_baseline

    @property
    def title(self) -> str:
        """Its name among all runs."""
        return f"{self.run.model} · {self.name}"


def _scores(
    groups: pl.DataFrame, kind: str, key: Callable[[Mapping[str, Any]], Hashable]
) -> dict[tuple[Hashable, str], Score]:
    """Return the scores in the groups of a kind, by the key of the row and the group."""
    return {(key(row), row["group"]): Score.from_row(row) for row in groups.filter(kind=kind).iter_rows(named=True)}


def tasks_in_words(tasks: Sequence[str]) -> str:
    """Return the names of tasks in one text; "no task" for none."""
    return ", ".join(tasks) or "no task"


def view_runs(
    summary: pl.DataFrame, groups: pl.DataFrame, languages: Sequence[LanguageView], runs: Iterable[Run]
) -> list[RunView]:
    """Return every run that can be compared, model by model and each base first.

    `summary` and `groups` are those of maple.analysis.summary.
    """
    runs = list(runs)
    of_runs = groups.filter(pl.col("seed").is_not_null())
    by_language, by_group = (_scores(of_runs, kind, key_of) for kind in ("language", "resource"))
    overall = {key_of(row): Score.from_row(row) for row in summary.filter(task="all").iter_rows(named=True)}
    scored = [run for run in runs if run.key in overall]
    models = list(dict.fromkeys(run.model for run in scored))
    seeds = {run.seed for run in scored if not run.is_baseline}
    has_sets = len(task_sets(scored)) > 1
    sets_of: dict[tuple[str, str], set[tuple[str, ...]]] = {}
    for run in scored:
        sets_of.setdefault((run.model, run.dataset_family), set()).add(run.tasks)
    resource_groups: tuple[ResourceGroup, ...] = ("high", "low")
    views = []
    for run in sorted(scored, key=lambda run: (models.index(run.model), not run.is_baseline)):
        variant = run.method if len(seeds) < 2 else f"{run.method}, seed {run.seed}"
        family = run.dataset_family
        asked = tasks_in_words(run.tasks)
        views.append(
            RunView(
                run=run,
                name=BASE if run.is_baseline else f"{run.dataset} · {variant}",
                variant=variant,
                series=" · ".join([run.model, family, *([asked] if len(sets_of[run.model, family]) > 1 else [])]),
                asked=asked if has_sets else "",
                overall=overall[run.key],
                languages={language.code: by_language.get((run.key, language.code)) for language in languages},
                groups={group: by_group.get((run.key, group)) for group in resource_groups},
            )
        )
    return views


def view_settings(views: Sequence[RunView], board: pl.DataFrame, groups: pl.DataFrame) -> list[RunView]:
    """Return the finetuned settings: the view of the first run of each, with the means over its seeds.

    `board` is that of maple.analysis.leaderboard, `groups` are those of maple.analysis.summary.
    """
    means = groups.filter(pl.col("seed").is_null())
    by_language, by_group = (_scores(means, kind, setting_of) for kind in ("language", "resource"))
    rows = board.filter(pl.col("seeds") > 1, kind=ALL[0], group=ALL[1]).iter_rows(named=True)
    overall = {setting_of(row): Score.from_row(row) for row in rows}
    first: dict[tuple[str, str, str], RunView] = {}
    for view in views:
        if not view.is_base:
            first.setdefault((view.run.model, view.run.dataset, view.run.method), view)
    return [
        replace(
            view,
            name=f"{view.run.dataset} · {view.run.method}",
            variant=view.run.method,
            overall=overall[setting],
            languages={code: by_language.get((setting, code)) for code in view.languages},
            groups={group: by_group.get((setting, group)) for group in view.groups},
        )
        if setting in overall
        else view
        for setting, view in first.items()
    ]


def best_of_series(settings: Sequence[RunView]) -> list[RunView]:
    """Return the setting with the highest mean score of each series."""
    best = {view.series: view for view in sorted(settings, key=lambda view: view.overall.mean)}
    return [view for view in settings if best[view.series] is view]
