"""How often do the confidence sets of ranks contain all true ranks, and how wide are they?

    python benchmarks/rank_coverage.py [--studies 10000]

Methods answer the same items, with scores whose means are given; ties in them are true ties. A set is right if it
contains the method's true rank: 1 + the number of methods that are better.
"""

import argparse
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # was this file's folder, whose names hide others

import numpy as np  # noqa: E402

from maple.analysis.questions.ranking import rank_sets  # noqa: E402
from maple.analysis.statistics import Estimate  # noqa: E402

TRUTHS = {
    "all equal": [0, 0, 0, 0, 0, 0],
    "two groups": [0.5, 0.5, 0.5, 0, 0, 0],
    "a ladder": [0.5, 0.4, 0.3, 0.2, 0.1, 0],
    "one better": [1, 0, 0, 0, 0, 0],
}
ITEMS = (20, 100, 500)
LEVEL = 0.05


def coverage(truth: np.ndarray, items: int, studies: int, rng: np.random.Generator) -> tuple[float, float]:
    """Return the share of studies whose sets contain all true ranks, and the mean number of ranks in a set."""
    true = np.array([1 + np.count_nonzero(truth > own) for own in truth])
    first, second = np.triu_indices(len(truth), 1)
    covered, sizes = 0, 0.0
    for _ in range(studies):
        values = truth + rng.normal(size=(items, 1)) + rng.normal(size=(items, len(truth)))
        differences = values[:, first] - values[:, second]
        variances = differences.var(axis=0, ddof=1)[None] / items
        sets = rank_sets(
            Estimate(differences.mean(axis=0), variances, np.full(variances.shape, items - 1.0)), len(truth), LEVEL
        )
        covered += bool(((sets.low <= true) & (true <= sets.high)).all())
        sizes += float((sets.high - sets.low + 1).mean())
    return covered / studies, sizes / studies


def main() -> None:
    """Print coverage and width for each truth and number of items."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--studies", type=int, default=10_000)
    studies = parser.parse_args().studies
    rng = np.random.default_rng(1)
    print(f"{'truth':12}{'items':>7}{'covered, %':>12}{'ranks in a set':>16}")
    for name, truth in TRUTHS.items():
        for items in ITEMS:
            covered, size = coverage(np.array(truth, dtype=float), items, studies, rng)
            print(f"{name:12}{items:7}{100 * covered:12.1f}{size:16.2f}")


if __name__ == "__main__":
    main()
