"""The cheapest design of a study that detects what a pilot study says is to be detected.

A pilot's answers have two variances each, of items and of trainings. More items per task and language divide the first,
more seeds of every run the second; anchors, two more seeds of one variant, leave the second as it is but tell it. Hours
are those of the forecast: training grows with the runs, generation with the runs and the items. Languages stay: the
answers that count are those about the compared ones, not about languages like these.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from maple.analysis.questions.power import FACTOR_CONTRASTS, Effects, Rule, chance_beyond, effects_of
from maple.analysis.questions.records import Answer, StudyAnswers
from maple.analysis.questions.scope import SEEDS_NEEDED
from maple.analysis.questions.settling import mean_of_seeds
from maple.analysis.questions.verdict import SIGNS
from maple.analysis.statistics import POWER
from maple.definitions.config import GridPart
from maple.definitions.errors import DefinitionError
from maple.definitions.question import ClaimingQuestion
from maple.planning.forecast import Forecast
from maple.planning.plan import Plan
from maple.runtime.files import read_json

# The designs that are tried, our choice: seeds of every run, and items per task and language as a power of this factor.
SEEDS = (2, 3, 4, 5)
LEAST_ITEMS, TIMES_ITEMS = 10, 100


@dataclass(frozen=True)
class Design:
    """A design of the study."""

    seeds: int
    """Seeds of every run; 1: and two more of one variant on each model and dataset, the anchors."""
    runs: int
    """Finetuned runs."""
    items: int | None
    """The fewest items per task and language with which every question is found; None: no number is enough."""
    hours: float | None
    """Device hours of training and generation."""
    missed: Sequence[str]
    """The questions that are not found with the most items."""


@dataclass(frozen=True)
class Designs:
    """The designs of a study, and what they are to find."""

    effect: float
    """The effect to detect, in points."""
    designs: Sequence[Design]
    """The designs."""
    left_out: Mapping[str, str]
    """The questions for which nothing can be planned, and why."""

    @property
    def chosen(self) -> Design | None:
        """The cheapest design with which every question is found; None if there is none."""
        enough = [design for design in self.designs if design.hours is not None]
        return min(enough, key=lambda design: design.hours or 0.0, default=None)


@dataclass(frozen=True)
class _Asked:
    """A question, as the pilot answered it."""

    name: str
    """Its name."""
    effects: Effects
    """An effect of the size that is to be found, as precise as in the pilot."""
    seeds: float
    """The seeds of each run in the pilot, as mean_of_seeds."""
    cells: Sequence[tuple[str, str]]
    """The tasks and languages that it compares."""


@dataclass(frozen=True)
class _Sizes:
    """The size of the pilot, and what it costs."""

    plan: Plan
    """The study."""
    hours: Mapping[str, float]
    """The device hours of each stage."""
    items: Mapping[tuple[str, str], int]
    """The items of each task and language."""

    def most(self, cell: tuple[str, str]) -> float:
        """Return the most items that a task has in a language; inf if it has no end."""
        task, code = cell
        planned = self.plan.tasks[task]
        offered = planned.items if isinstance(planned.items, int) else planned.items.get(code, math.inf)
        return offered if planned.declared else math.inf

    @property
    def most_of_all(self) -> int:
        """The most items of a task and language that are tried."""
        return math.ceil(max(min(self.most(cell), TIMES_ITEMS * count) for cell, count in self.items.items()))

    def times_items(self, cells: Sequence[tuple[str, str]], number: int) -> float:
        """Return how many times as precise a mean over cells is with at most `number` items in each."""
        known = [cell for cell in cells if cell in self.items]
        then = sum(1 / min(number, self.most(cell)) for cell in known)
        return sum(1 / self.items[cell] for cell in known) / then

    def runs_with(self, seeds: int) -> int:
        """Return the number of finetuned runs of a design."""
        settings = {(run.model, run.dataset, run.method) for run in self.plan.runs if not run.is_baseline}
        units = {(model, dataset) for model, dataset, _ in settings}
        return len(settings) * seeds if seeds > 1 else len(settings) + (SEEDS_NEEDED - 1) * len(units)

    def hours_with(self, runs: int, number: int) -> float:
        """Return the device hours of so many finetuned runs, and at most `number` items per task and language."""
        tuned = sum(not run.is_baseline for run in self.plan.runs)
        bases = len(self.plan.runs) - tuned
        of_items = sum(min(number, self.most(cell)) for cell in self.items) / sum(self.items.values())
        trained = (self.hours.get("finetune", 0.0) + self.hours.get("merge", 0.0)) * runs / tuned
        return trained + self.hours.get("generate", 0.0) * (runs + bases) / (tuned + bases) * of_items


def _asked(answers: StudyAnswers, plan: Plan, effect: float) -> tuple[list[_Asked], dict[str, str]]:
    """Return the questions that a design can be planned for, and why not for the others that claim an effect."""
    asked, left_out, runs = [], {}, {run.path: run for run in plan.runs}
    for answer in answers.questions:
        question = plan.questions.get(answer.question)
        if not isinstance(question, ClaimingQuestion):
            continue
        if not isinstance(answer, Answer):
            left_out[answer.question] = "the pilot does not ask it; add what the report names to its grid"
            continue
        compared = [runs[path] for path in answer.runs if path in runs]
        effects = effects_of(
            answer.model_copy(update={"effect": 0.0}),
            SIGNS[question.claim],
            FACTOR_CONTRASTS if answer.sizes else 1,
        )
        if answer.of == "items":
            left_out[answer.question] = (
                "nothing in the pilot tells the noise of training; write seeds: "
                f"[{', '.join(map(str, range(1, SEEDS_NEEDED + 1)))}] for one method"
            )
        elif effects is None or not compared:
            left_out[answer.question] = "the pilot gives no interval, or compares runs that this study does not have"
        else:
            cells = [(task, code) for task, codes in answer.cells.items() for code in codes]
            asked.append(_Asked(answer.question, effects.of_size(effect), mean_of_seeds(compared), cells))
    return asked, left_out


def read_pilot(path: str | Path) -> StudyAnswers:
    """Read the answers of a finished pilot; raises DefinitionError if they are not there."""
    if not Path(path).is_file():
        raise DefinitionError(f"{path}: it is not there; run a small study first, as a pilot, and plan in its folder")
    return StudyAnswers(**read_json(path))


def designs(answers: StudyAnswers, plan: Plan, forecast: Forecast) -> Designs:
    """Return designs that find, in each question, an effect of `plan.effect` points with the chance POWER.

    `answers` are those of the pilot, which had the items that the forecast counts. Raises DefinitionError if no effect
    is given and the smallest of interest is 0, or if it is not beyond that.
    """
    effect = plan.effect or 2 * answers.smallest_effect
    if effect <= answers.smallest_effect:
        raise DefinitionError(
            f"config: forecast.effect: an effect of {effect:g} points is to be found, which is not above "
            f"report.smallest_effect ({answers.smallest_effect:g}); write a larger one"
        )
    asked, left_out = _asked(answers, plan, effect)
    rule = Rule(answers.smallest_effect, 1 - answers.confidence, answers.family.size)
    sizes = _Sizes(
        plan,
        {stage.stage: stage.device_hours for stage in forecast.stages},
        {(cell.task, cell.language): cell.items for cell in forecast.cells},
    )
    found = [_design(seeds, asked, rule, sizes) for seeds in (1, *SEEDS)] if asked else []
    return Designs(effect, found, left_out)


def _design(seeds: int, asked: Sequence[_Asked], rule: Rule, sizes: _Sizes) -> Design:
    """Return the design of so many seeds with the fewest items that are enough."""

    def missed(number: int) -> list[str]:
        more = [(one, one.effects.with_more(sizes.times_items(one.cells, number), seeds / one.seeds)) for one in asked]
        return [one.name for one, effects in more if chance_beyond(effects, rule) < POWER]

    low, high, runs = LEAST_ITEMS - 1, sizes.most_of_all, sizes.runs_with(seeds)
    if not_found := missed(high):
        return Design(seeds, runs, None, None, not_found)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if missed(middle) else (low, middle)
    return Design(seeds, runs, high, sizes.hours_with(runs, high), [])


def overlay(design: Design, plan: Plan) -> dict:
    """Return the config keys of a design: its items and its grid."""
    parts = [part for part in plan.grid if part.seeds]
    if design.seeds == 1:
        return {"items": design.items, "grid": [part.params() for part in _with_anchors(plan, parts)]}
    # Parts with other seeds than the first are anchors: each run has all seeds now.
    first = min((min(part.seeds) for part in parts), default=1)
    whole = [part.changed(seeds=_seeds(first, design.seeds)) for part in parts if first in part.seeds]
    return {"items": design.items, "grid": [part.params() for part in (*whole, *_bases(plan))]}


def _seeds(first: int, number: int) -> list[int]:
    return list(range(first, first + number))


def _bases(plan: Plan) -> list[GridPart]:
    return [part for part in plan.grid if not part.seeds]


def _with_anchors(plan: Plan, parts: Sequence[GridPart]) -> list[GridPart]:
    """Return the parts with one seed each and, for the first variant of each, with two seeds more."""
    first = min((min(part.seeds) for part in parts), default=1)
    whole = [part.changed(seeds=[first]) for part in parts if first in part.seeds]
    anchors, anchored = [], set()
    for part in whole:
        units = {(model, dataset) for model in part.models for dataset in part.datasets}
        if part.methods and not units & anchored:
            anchored |= units
            family, axes = next(iter(part.methods.items()))
            one = {name: values[:1] for name, values in axes.params().items()} if axes else None
            anchors.append(part.changed(methods={family: one}, seeds=_seeds(first + 1, SEEDS_NEEDED - 1)))
    return [*whole, *anchors, *_bases(plan)]


def overlay_text(found: Designs, plan: Plan) -> str:
    """Return the file of config keys of the chosen design; a comment alone if there is none."""
    if found.chosen is None:
        return "# No design finds every question.\n"
    head = "# The cheapest design: snakemake --configfile STUDY.yaml results/plan.yaml\n"
    return head + yaml.safe_dump(overlay(found.chosen, plan), sort_keys=False)


def design_table(found: Designs) -> str:
    """Return the designs as text: a line each, the cheapest that is enough with a star."""
    lines = [
        f"Designs that find an effect of {found.effect:g} points in every question with probability {POWER:g}",
        "(config: forecast.effect); hours of training and generation by the forecast.",
        "",
        "   seeds        runs  items per task and language  device hours",
    ]
    chosen = found.chosen
    for design in found.designs:
        seeds = str(design.seeds) if design.seeds > 1 else "1, anchors"
        told = f"no number of items is enough: {', '.join(design.missed)}"
        if design.hours is not None:
            told = f"{design.items:>27,}  {design.hours:>12,.3g}"
        lines.append(f"{'*' if design is chosen else ' '}  {seeds:10} {design.runs:>6,}  {told}")
    if chosen is None:
        lines += ["", "No design finds every question; a larger forecast.effect, or other questions, would."]
    lines += ["", *(f"Not planned for: {name}: {why}." for name, why in found.left_out.items())]
    return "\n".join(lines).rstrip() + "\n"
