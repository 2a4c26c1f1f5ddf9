"""Scopes of verdicts: of these runs, or of the method, and what a grid lacks for the latter."""

from collections import Counter
from collections.abc import Iterable

from maple.analysis.training_noise import Scope
from maple.definitions.run import Run

# Seeds of one method variant, on each model and dataset, from which the whole grid learns what seeds do.
SEEDS_NEEDED = 3


def runs_to_add(runs: Iterable[Run]) -> int:
    """Return how many runs a grid lacks until each model and dataset has a method variant with SEEDS_NEEDED seeds."""
    seeds = Counter((run.model, run.dataset, run.method) for run in runs if not run.is_baseline)
    most: dict[tuple[str, str], int] = {}
    for (model, dataset, _), number in seeds.items():
        most[model, dataset] = max(most.get((model, dataset), 0), number)
    return sum(max(0, SEEDS_NEEDED - number) for number in most.values())


def with_missing(because: str, of: Scope, runs: Iterable[Run]) -> str:
    """Return the reason for a verdict with what to add to the grid for a verdict about the method."""
    if of == "seeds":
        return because
    unknown = "nothing tells what another seed would give" if of == "items" else "nothing tells what a seed shares"
    more = runs_to_add(runs)
    added = f", {more} run{'s' if more != 1 else ''} more" if more else ""
    seeds = ", ".join(map(str, range(1, SEEDS_NEEDED + 1)))
    return f"{because}; {unknown}: add `seeds: [{seeds}]` for one method{added}"
