"""Evidence: what questions are answered from, and the runs and cells that a question selects in it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import polars as pl

from maple.analysis.costs import RunCost
from maple.analysis.item_scores import CELL, ItemScores
from maple.analysis.language_groups import resource_group
from maple.definitions.language import ENGLISH, Language
from maple.definitions.question import CellSelection, RunSelection
from maple.definitions.report import ReportSettings
from maple.definitions.run import Run
from maple.metrics.registry import BLIND

_GROUPS = {"low-resource": "low", "high-resource": "high"}
_LEARNT = ("learnt", "unlearnt")


@dataclass(frozen=True)
class Block:
    """The runs that are asked the same tasks, and the cells that they share."""

    scores: ItemScores
    """Their scores."""
    numbers: list[int]
    """Their numbers among the study's runs."""
    tasks: frozenset[str]
    """The tasks."""
    languages: frozenset[str] | None
    """The languages on which its contrasts compare runs; None: all."""
    cells: pl.DataFrame
    """The headline cells that every one of these runs has, in these languages, with the columns `resource`: "low",
    "high" or null, and `blind`: the cell of the same metric of blind answers, or null."""
    left_out: pl.DataFrame
    """The other headline cells of these tasks and languages that some run has a score in, with the column `resource`:
    the runs have too few items in common there."""


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
    finetuned_in: Mapping[str, Collection[str]] = field(default_factory=dict)
    """The codes of the languages of each dataset that runs are finetuned on."""

    @property
    def runs(self) -> list[Run]:
        """The runs that have scores."""
        return self.scores.runs

    @cached_property
    def tasks(self) -> frozenset[str]:
        """The tasks that are scored."""
        return frozenset(self.scores.cells["task"])

    @cached_property
    def _blocks(self) -> dict[tuple[frozenset[str], frozenset[str] | None], Block]:
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

    def languages_compared(self, numbers: Collection[int], selection: CellSelection) -> frozenset[str] | None:
        """Return the languages on which a contrast compares runs; None: all that a selection has.

        With learnt or unlearnt, they are only languages that stand so to the dataset of each finetuned run; untouched
        models compared with each other have none.
        """
        if selection.languages not in _LEARNT:
            return None
        tuned = [run.dataset for number in numbers if not (run := self.runs[number]).is_baseline]
        known = [self.finetuned_in[dataset] for dataset in tuned if dataset in self.finetuned_in]
        if not tuned or len(known) < len(tuned):
            return frozenset()
        wanted = selection.languages == "learnt"
        codes = self.scores.cells["language"].unique()
        return frozenset(code for code in codes if all((code in learnt) == wanted for learnt in known))

    def axes_but(self, names: Collection[str]) -> list[str]:
        """Return the axes of the grid but those named, in the order in which runs bring them."""
        return list(dict.fromkeys(axis for run in self.runs for axis in run.axes if axis not in names))

    @cached_property
    def asks_all_the_same(self) -> bool:
        """True if every run is asked every task that is scored."""
        return all(self.asked(number) == self.tasks for number in range(len(self.runs)))

    def has_no_cells(self, selection: CellSelection) -> bool:
        """Return True if all runs are asked the same tasks, and share none of the cells of a selection."""
        return self.asks_all_the_same and select_cells(self.block(self.tasks).cells, selection).is_empty()

    def block(self, tasks: frozenset[str], languages: frozenset[str] | None = None) -> Block:
        """Return the block of all runs that are asked `tasks`, be they asked others as well, in some languages."""
        if (tasks, languages) not in self._blocks:
            numbers = [number for number in range(len(self.runs)) if tasks <= self.asked(number)]
            scores = self.scores if len(numbers) == len(self.runs) else self.scores.only(numbers)
            classes = self.settings.low_resource_classes
            group = {language.code: resource_group(language, classes) for language in self.languages}
            asked = pl.col("task").is_in(list(tasks))
            if languages is not None:
                asked &= pl.col("language").is_in(list(languages))
            shared = scores.cells.filter("shared", asked)
            blind = shared.filter(pl.col("metric").str.starts_with(BLIND)).select(
                "task", "language", pl.col("metric").str.strip_prefix(BLIND), blind="cell"
            )
            headlines = scores.cells.filter("headline", asked).with_columns(
                resource=pl.col("language").replace_strict(group, default=None, return_dtype=pl.String)
            )
            cells = headlines.filter("shared").join(blind, on=CELL, how="left", maintain_order="left")
            left_out = headlines.filter(~pl.col("shared"))
            self._blocks[tasks, languages] = Block(scores, numbers, tasks, languages, cells, left_out)
        return self._blocks[tasks, languages]

    def selected(self, *selections: RunSelection) -> list[int]:
        """Return the numbers of the runs that fit all selections; a baseline has no dataset, method or axes to fit."""
        return [
            number for number, run in enumerate(self.runs) if all(_fits(run, selection) for selection in selections)
        ]

    def missing(self, selection: CellSelection) -> str:
        """Return what to add to the grid if no cell of a selection is scored in every run that is compared."""
        codes = selection.languages
        if selection.domain or selection.direction:
            return _unrelated(selection)
        if codes in _LEARNT:
            verb = "has" if codes == "learnt" else "lacks"
            return f"the runs that are compared share no language that their dataset {verb}; add one to `languages`"
        if selection.tasks is not None and self.tasks.isdisjoint(selection.tasks):
            return f"none of its tasks is asked; add one to `tasks`: {', '.join(selection.tasks)}"
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
    return (
        (datasets is None or run.dataset_family in datasets)
        and (methods is None or run.family in methods)
        and all(run.axis(axis) == value for axis, value in selection.axes.items())
    )


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
    """Return those of a block's cells that a question selects by language and task.

    A block has no others than its languages, so that learnt and unlearnt select nothing more.
    """
    if selection.tasks is not None:
        cells = cells.filter(pl.col("task").is_in(selection.tasks))
    if isinstance(selection.languages, list):
        return cells.filter(pl.col("language").is_in(selection.languages))
    group = _GROUPS.get(selection.languages)
    return cells if group is None else cells.filter(resource=group)
