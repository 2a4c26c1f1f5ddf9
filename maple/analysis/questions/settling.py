"""What would settle a question, if the effect is as estimated: more items or seeds that give its verdict with POWER.

The estimate is taken for the truth. If it is larger than the smallest effect of interest, that is what is to be shown;
else it is that there is no difference that matters. The first step of Holm's correction counts, as in the minimum
detectable effect, and the number of tests stays.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from maple.analysis.item_scores import ItemScores
from maple.analysis.questions.power import (
    FACTOR_CONTRASTS,
    Effects,
    Rule,
    chance_beyond,
    chance_within,
    effects_of,
    smallest,
)
from maple.analysis.questions.records import UNDETERMINED, Answer
from maple.analysis.questions.remedy import Remedy
from maple.analysis.statistics import POWER
from maple.definitions.run import Run

# The most that is proposed, our choice: beyond it a study is another study.
MOST_TIMES_ITEMS, MOST_SEEDS = 100, 10
ItemsByTask = Mapping[str, int | Mapping[str, int] | None]


def _seeds(runs: Sequence[Run]) -> list[int]:
    """Return the number of seeds of each setting, model, dataset and method variant, among some runs."""
    return list(Counter((run.model, run.dataset, run.method) for run in runs if not run.is_baseline).values())


def _mean(seeds: Sequence[int]) -> float:
    return len(seeds) / sum(1 / number for number in seeds) if seeds else 1.0


def mean_of_seeds(runs: Sequence[Run]) -> float:
    """Return the number of seeds with which all settings of runs would have as much noise in their mean as they have.

    It is the harmonic mean of their numbers of seeds.
    """
    return _mean(_seeds(runs))


@dataclass(frozen=True)
class _Grid:
    """What an answer compares."""

    runs: int
    """The number of runs, baselines among them."""
    seeds: Sequence[int]
    """The number of seeds of each setting: model, dataset and method variant."""
    items: Sequence[int]
    """The number of items of each cell."""
    most_items: Sequence[float]
    """The most items that each cell can have; inf if that is not known."""

    @property
    def mean_seeds(self) -> float:
        """The number of seeds with which all settings would have the same noise in their mean as they have."""
        return _mean(self.seeds)

    def runs_more(self, seeds: int) -> int:
        """Return the number of runs that are missing until each setting has so many seeds."""
        return sum(max(0, seeds - number) for number in self.seeds)

    def remedy(self, items: float, seeds: int | None) -> Remedy:
        """Return so many times the items, and so many seeds of each setting if any, with what they cost, in words."""
        runs_more = self.runs_more(seeds) if seeds else 0
        number = sum(self.items)
        answers = math.ceil((self.runs + runs_more) * items * number - self.runs * number)
        more_than_there_are = any(items * n > most for n, most in zip(self.items, self.most_items, strict=True))
        words = []
        if seeds:
            plural = "s" if runs_more != 1 else ""
            words.append(f"{seeds} seeds of each run ({runs_more} run{plural} more)")
        if items > 1:
            per_cell = math.ceil(items * number / len(self.items))
            least = ", more than the benchmarks have" if more_than_there_are else ""
            words.append(f"{_rounded_up(items):g} times the items ({per_cell:,} per task and language{least})")
        kind = "both" if len(words) == 2 else "seeds" if seeds else "items"
        return Remedy(kind=kind, items=items, seeds=seeds, runs=runs_more, answers=answers, words=" and ".join(words))


def _rounded_up(times: float) -> float:
    """Return a factor with two digits, rounded up, so that the number is enough."""
    digits = 1 if times < 10 else 0
    return math.ceil(round(times * 10**digits, 6)) / 10**digits


def _grid(answer: Answer, runs: Sequence[Run], scores: ItemScores, most_items: ItemsByTask) -> _Grid:
    paths = set(answer.runs)
    seeds = _seeds([run for run in runs if run.path in paths])
    counts = np.bincount(scores.items.cell, minlength=scores.cells.height)
    headline = scores.cells.filter("headline").select("task", "language", "cell").iter_rows()
    items, most = [], []
    for task, language, cell in headline:
        if language in answer.cells.get(task, ()):
            offered = most_items.get(task)
            offered = offered.get(language) if isinstance(offered, Mapping) else offered
            items.append(int(counts[cell]))
            most.append(math.inf if offered is None else offered)
    return _Grid(len(answer.runs), seeds, items, most)


def _remedies(effects: Effects, chance: Callable[[Effects], float], grid: _Grid) -> list[Remedy]:
    """Return what alone gives the verdict; if nothing does, seeds and items together; empty if not even these do."""

    def is_enough(items: float, seeds: int | None) -> bool:
        more = seeds / grid.mean_seeds if seeds else 1.0
        return chance(effects.with_more(items, more)) >= POWER

    def least_items(seeds: int | None) -> float | None:
        if not is_enough(MOST_TIMES_ITEMS, seeds):
            return None
        return float(smallest(1.0, MOST_TIMES_ITEMS, lambda items: is_enough(items, seeds)))

    counts = range(math.floor(grid.mean_seeds) + 1, MOST_SEEDS + 1) if effects.precision.trainings else range(0)
    items, seeds = least_items(None), next((seeds for seeds in counts if is_enough(1.0, seeds)), None)
    found = [grid.remedy(items, None)] if items else []
    found += [grid.remedy(1.0, seeds)] if seeds else []
    if found:
        return found
    pairs = [(more, seeds) for seeds in counts if (more := least_items(seeds))]
    return [grid.remedy(*min(pairs, key=lambda pair: pair[0] * pair[1]))] if pairs else []


def _nothing(effects: Effects, claim: int, is_beyond: bool) -> str:
    """Return why no number of items and seeds gives a verdict."""
    if is_beyond and any(size <= 0 for size, _ in effects.sides):
        group, sign = ("low", claim) if effects.sides[0][0] <= 0 else ("high", -claim)
        verb = "gain" if sign > 0 else "lose"
        return f"if {group}-resource languages do not {verb}, as estimated, no number of items or seeds would settle it"
    seeds = f"{MOST_SEEDS} seeds and " if effects.precision.trainings else ""
    most = f"not even {seeds}{MOST_TIMES_ITEMS} times the items would settle it"
    return f"{most}: the estimate lies too near to the smallest effect of interest"


def with_remedies(answer: Answer, claim: int, rule: Rule, scores: ItemScores, most_items: ItemsByTask) -> Answer:
    """Return an answer with what would settle it, if it is undetermined and has a standard error.

    `claim` is 1 or -1, the sign of the claimed effect; `most_items` says, by task and perhaps by language, how many
    items its source has.
    """
    effects = effects_of(answer, claim, FACTOR_CONTRASTS if answer.sizes else 1)
    if answer.verdict != UNDETERMINED or effects is None:
        return answer
    is_beyond = effects.size > rule.least
    chance = chance_beyond if is_beyond else chance_within
    grid = _grid(answer, scores.runs, scores, most_items)
    found = _remedies(effects, lambda more: chance(more, rule), grid)
    reason = None if found else _nothing(effects, claim, is_beyond)
    return answer.model_copy(update={"settled_by": found, "unsettled": reason})
