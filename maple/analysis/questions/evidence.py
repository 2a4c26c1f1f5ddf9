"""Evidence: what questions are answered from, and the runs and cells that a question selects in it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from maple.analysis.costs import RunCost
from maple.analysis.item_scores import ItemScores
from maple.analysis.language_groups import resource_group
from maple.definitions.language import ENGLISH, Language
from maple.definitions.question import CellSelection, RunSelection
from maple.definitions.report import ReportSettings
from maple.definitions.run import Run

_GROUPS = {"low-resource": "low", "high-resource": "high"}


@dataclass(frozen=True)
class Block:
    """The runs that are asked the same tasks, and the cells that they share."""

    scores: ItemScores
    """Their scores."""
    numbers: list[int]
    """Their numbers among the study's runs."""
    tasks: frozenset[str]
    """The tasks."""
    cells: pl.DataFrame
    """The headline cells that every one of these runs has, with the column `resource`: "low", "high" or null."""


@dataclass(frozen=True)
class Evidence:
    """A study's results, of which questions are asked."""

    scores: ItemScores
    """The item scores."""
    languages: Sequence[Language]
    """The study's languages."""
    settings: ReportSettings
    """Confidence, bounds, and which languages are low-resource."""
    costs: Mapping[str, RunCost]
    """What the finetuning of each run cost, by the run's path."""

    @property
    def runs(self) -> list[Run]:
        """The runs that have scores."""
        return self.scores.runs

    @cached_property
    def tasks(self) -> frozenset[str]:
        """The tasks that are scored."""
        return frozenset(self.scores.cells["task"])

    @cached_property
    def _blocks(self) -> dict[frozenset[str], Block]:
        return {}

    def asked(self, number: int) -> frozenset[str]:
        """Return the tasks that a run is asked and that are scored; a run that names none is asked all."""
        named = self.runs[number].tasks
        return self.tasks.intersection(named) if named else self.tasks

    @cached_property
    def _traits(self) -> dict[str, tuple[str, str]]:
        """The domain and the direction of each task; empty where it states none."""
        rows = self.scores.cells.select("task", "domain", "direction").unique().iter_rows()
        return {task: (domain, direction) for task, domain, direction in rows}

    def compared(self, numbers: Collection[int], selection: CellSelection) -> frozenset[str]:
        """Return the tasks on which a contrast compares runs: those that all of them are asked.

        With a selection by domain or direction, they are only tasks that stand so to the dataset of each finetuned run;
        untouched models compared with each other have none.
        """
        shared = frozenset.intersection(*map(self.asked, numbers))
        if selection.domain is None and selection.direction is None:
            return shared
        tuned = [run for number in numbers if not (run := self.runs[number]).is_baseline]
        return frozenset(
            task for task in shared if tuned and all(_fits_dataset(self._traits[task], run, selection) for run in tuned)
        )

    @cached_property
    def asks_all_the_same(self) -> bool:
        """True if every run is asked every task that is scored."""
        return all(self.asked(number) == self.tasks for number in range(len(self.runs)))

    def has_no_cells(self, selection: CellSelection) -> bool:
        """Return True if all runs are asked the same tasks, and share none of the cells of a selection."""
        return self.asks_all_the_same and select_cells(self.block(self.tasks).cells, selection).is_empty()

    def block(self, tasks: frozenset[str]) -> Block:
        """Return the block of all runs that are asked `tasks`, be they asked others as well."""
        if tasks not in self._blocks:
            numbers = [number for number in range(len(self.runs)) if tasks <= self.asked(number)]
            scores = self.scores if len(numbers) == len(self.runs) else self.scores.only(numbers)
            classes = self.settings.low_resource_classes
            group = {language.code: resource_group(language, classes) for language in self.languages}
            cells = scores.cells.filter("shared", "headline", pl.col("task").is_in(list(tasks))).with_columns(
                resource=pl.col("language").replace_strict(group, default=None, return_dtype=pl.String)
            )
            self._blocks[tasks] = Block(scores, numbers, tasks, cells)
        return self._blocks[tasks]

    def selected(self, *selections: RunSelection) -> list[int]:
        """Return the numbers of the runs that fit all selections; a baseline has neither dataset nor method to fit."""
        return [
            number for number, run in enumerate(self.runs) if all(_fits(run, selection) for selection in selections)
        ]

    def missing(self, selection: CellSelection) -> str:
        """Return what to add to the grid if no cell of a selection is scored in every run that is compared."""
        codes = selection.languages
        if selection.domain or selection.direction:
            return _unrelated(selection)
        if codes == "all":
            return "no task and language is scored in every run"
        if not isinstance(codes, list):
            return f"no {codes} language is scored in every run; add one to `languages`"
        names = {language.code: language.name for language in self.languages} | {ENGLISH: "English"}
        said, verb = ", ".join(names.get(code, code) for code in codes), "is" if len(codes) == 1 else "are"
        return f"{said} {verb} not scored in every run; add {', '.join(codes)} to `languages`"


def _fits(run: Run, selection: RunSelection) -> bool:
    if selection.models is not None and run.model not in selection.models:
        return False
    if run.is_baseline:
        return True
    datasets, methods = selection.datasets, selection.methods
    return (datasets is None or run.dataset_family in datasets) and (methods is None or run.family in methods)


def _fits_dataset(traits: tuple[str, str], run: Run, selection: CellSelection) -> bool:
    """Return True if a task, of which `traits` are domain and direction, stands to a run's dataset as selected."""
    held = (("domain", selection.domain), ("direction", selection.direction))
    return all(
        relation is None or bool(trait and (learnt := run.axis(axis)) and (trait == learnt) == (relation == "same"))
        for trait, (axis, relation) in zip(traits, held, strict=True)
    )


def _unrelated(selection: CellSelection) -> str:
    """Return what to add to the grid if no run is asked a task that stands to its dataset as a selection says."""
    words = {"same": "the {} that they were finetuned on", "other": "another {} than they were finetuned on"}
    held = (("domain", selection.domain), ("direction", selection.direction))
    wanted = " and ".join(words[relation].format(axis) for axis, relation in held if relation)
    return (
        f"the runs that are compared share no task of {wanted}; add one to `tasks`, and name these axes in `datasets`"
    )


def select_cells(cells: pl.DataFrame, selection: CellSelection) -> pl.DataFrame:
    """Return those of a block's cells that a question selects by language and task."""
    if selection.tasks is not None:
        cells = cells.filter(pl.col("task").is_in(selection.tasks))
    if isinstance(selection.languages, list):
        return cells.filter(pl.col("language").is_in(selection.languages))
    return cells if selection.languages == "all" else cells.filter(resource=_GROUPS[selection.languages])
