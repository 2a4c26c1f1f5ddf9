"""How often do the confidence sets of ranks contain all true ranks, and how many pairs do they tell apart?

    python benchmarks/rank_coverage.py [--studies 1000] [--items 20 100 500]

Six methods answer the same items, with scores whose means are given; ties in them are true ties. A set is right if it
contains the method's true rank: 1 + the number of methods that are better. Scores have a standard deviation of 1, of
whose variance all methods share a half; in "alike", the first three and the last three share 0.45 more among
themselves, as the ranks of one method do. With three seeds a training moves a method's mean by NOISE (standard
deviation), half of whose variance all methods of a seed share. Printed: the percentage of studies whose sets are all
right, the mean number of ranks in a set, and the pairs that are rightly told apart, by max-t and by Holm.
"""

import argparse
import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # was this file's folder, whose names hide others

import numpy as np  # noqa: E402

from maple.analysis.simultaneous import RankSets, pairs_of, rank_sets  # noqa: E402
from maple.analysis.statistics import Items, joint  # noqa: E402
from maple.analysis.training_noise import Trainings  # noqa: E402
from maple.definitions.run import Run  # noqa: E402

TRUTHS = {
    "all equal": [0, 0, 0, 0, 0, 0],
    "two groups": [2, 2, 2, 0, 0, 0],
    "a ladder": [5, 4, 3, 2, 1, 0],
    "one better": [3, 0, 0, 0, 0, 0],
}
"""The means, in standard errors of the difference of two methods that are not alike."""
SHARED, NOISE = 0.5, 0.1
LEVEL = 0.05


@dataclass(frozen=True)
class Design:
    """How the methods are measured."""

    items: int
    """The number of items."""
    alike: float = 0.0
    """The share of the items' variance that three methods have in common beyond SHARED."""
    seeds: int = 1
    """Seeds of every method; one seed has no noise."""

    def sets(self, truth: np.ndarray, rng: np.random.Generator) -> tuple[RankSets, RankSets]:
        """Return the rank sets of a simulated study by max-t, and by Holm."""
        things = len(truth)
        runs = [
            Run("model", "data", f"method{number}", seed, "lora", {})
            for seed in range(1, self.seeds + 1)
            for number in range(things)
        ]
        in_common, own = rng.normal(size=(self.items, 1)), rng.normal(size=(self.items, len(runs)))
        of_three = np.repeat(rng.normal(size=(self.items, len(runs) // 3)), 3, axis=1)
        values = np.tile(truth, self.seeds) + np.sqrt(SHARED) * in_common
        values += np.sqrt(self.alike) * of_three + np.sqrt(1 - SHARED - self.alike) * own
        if self.seeds > 1:
            luck = rng.normal(size=(self.seeds, 1)) + rng.normal(size=(self.seeds, things))
            values += NOISE * np.sqrt(0.5) * luck.ravel()
        items = Items(np.zeros(self.items, int), np.arange(self.items), np.zeros(1, int), np.ones(1, bool))
        found = joint(values, items, np.ones(1), Trainings.of(runs))
        means = np.tile(np.eye(things), (self.seeds, 1)) / self.seeds
        first, second = pairs_of(things)
        differences = found.contrast(means[:, first] - means[:, second])
        covariance = found.covariance(means)
        return rank_sets(differences, covariance, things, LEVEL), rank_sets(differences, None, things, LEVEL)


@dataclass(frozen=True)
class Found:
    """What many studies gave."""

    covered: float
    """The share of studies whose sets contain all true ranks."""
    ranks: float
    """The mean number of ranks in a set."""
    told_apart: tuple[float, float]
    """The mean number of pairs that truly differ and are told apart, by max-t and by Holm."""


def found_in(design: Design, truth: Sequence[float] | np.ndarray, studies: int, seed: int = 1) -> Found:
    """Return what simulated studies of methods with these means give."""
    rng, means = np.random.default_rng(seed), np.array(truth, dtype=float)
    true = np.array([1 + np.count_nonzero(means > own) for own in means])
    differ = means[:, None] > means
    covered, ranks, told = 0, 0.0, np.zeros(2)
    for _ in range(studies):
        both = design.sets(means, rng)
        covered += bool(((both[0].low <= true) & (true <= both[0].high)).all())
        ranks += float((both[0].high - both[0].low + 1).mean())
        told += [np.count_nonzero(sets.better & differ) for sets in both]
    max_t, holm = told / studies
    return Found(covered / studies, ranks / studies, (max_t, holm))


def main() -> None:
    """Print a line for each design and truth."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--items", nargs="+", type=int, default=[20, 100, 500])
    arguments = parser.parse_args()
    print(f"{'truth':12}{'items':>7}{'alike':>8}{'seeds':>7}{'covered, %':>12}{'ranks':>7}{'max-t':>8}{'Holm':>8}")
    designs = [
        Design(items, alike, seeds)
        for items, (alike, seeds) in itertools.product(arguments.items, ((0.0, 1), (0.45, 1), (0.0, 3)))
    ]
    for design, (name, truth) in itertools.product(designs, TRUTHS.items()):
        found = found_in(design, np.array(truth) / np.sqrt(design.items), arguments.studies)
        print(
            f"{name:12}{design.items:7}{design.alike:8}{design.seeds:7}{100 * found.covered:12.1f}{found.ranks:7.2f}"
            f"{found.told_apart[0]:8.2f}{found.told_apart[1]:8.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
