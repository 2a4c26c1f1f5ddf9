"""How often does a 95 % interval contain the true value if items share texts, few or many, of unequal length?

    python benchmarks/cluster_coverage.py [--simulations 2000]

A cell has 5 to 240 clusters with five items each on average: as many in each, or by Zipf's law (the second cluster has
half of the items of the first, the third a third of them). Scores of 0 and 1 (60 or 90 % right), F1 (mean 0.5, and
0.875 where most are 1), and the changes of scores of 0 and 1 have an intra-cluster correlation of 0, 0.1 or 0.3. Also
means over four languages with the same clusters. Then two sides of what clusters are: 48 articles with five passages
and 25 questions each, if the passages or if the articles are the clusters; and means over ten languages with the same
twenty items, whose scores of 0 and 1 go together as far as a correlation of their latent ease says.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
from scipy.special import ndtr, ndtri  # noqa: E402

from maple.analysis.statistics import Items, average, mean_interval, paired  # noqa: E402

CONFIDENCE, SEED, PER_CLUSTER, LANGUAGES = 0.95, 5, 5, 4
Bounds = tuple[np.ndarray, np.ndarray]


def cluster_sizes(clusters: int, zipf: bool) -> np.ndarray:
    """Return the number of items of each cluster: PER_CLUSTER, or on average about so many, by Zipf's law."""
    weights = 1 / np.arange(1, clusters + 1) if zipf else np.ones(clusters)
    return np.maximum(1, np.round(weights / weights.sum() * PER_CLUSTER * clusters)).astype(int)


def ranks(rng: np.random.Generator, sizes: np.ndarray, icc: float, columns: int) -> np.ndarray:
    """Return uniform numbers whose normal scores have the intra-cluster correlation `icc`, (items, columns)."""
    shared = np.repeat(rng.normal(size=(len(sizes), columns)), sizes, axis=0)
    return ndtr(np.sqrt(icc) * shared + np.sqrt(1 - icc) * rng.normal(size=shared.shape))


def zeros_and_ones(
    rng: np.random.Generator, sizes: np.ndarray, icc: float, columns: int, share: float = 0.6
) -> np.ndarray:
    """Return scores of which `share` are 1: the share of a cluster is beta-distributed."""
    ease = np.full((len(sizes), columns), share)
    if icc:
        ease = rng.beta(share * (1 / icc - 1), (1 - share) * (1 / icc - 1), ease.shape)
    return (rng.random((sizes.sum(), columns)) < np.repeat(ease, sizes, axis=0)).astype(float)


def changes(rng: np.random.Generator, sizes: np.ndarray, icc: float, columns: int) -> np.ndarray:
    """Return differences of zeros and ones: 20 % gained, 15 % lost."""
    rank = ranks(rng, sizes, icc, columns)
    return np.where(rank < 0.15, -1.0, np.where(rank > 0.8, 1.0, 0.0))


def over_languages(rng: np.random.Generator, sizes: np.ndarray, icc: float, columns: int) -> np.ndarray:
    """Return normal scores in LANGUAGES, each item's alike by 0.3."""
    shared = ndtri(ranks(rng, sizes, icc, columns))
    own = [ndtri(ranks(rng, sizes, icc, columns)) for _ in range(LANGUAGES)]
    return np.concatenate([np.sqrt(0.3) * shared + np.sqrt(0.7) * one for one in own])


def of_cell(values: np.ndarray, clusters: np.ndarray) -> Bounds:
    """Return the intervals of a cell's means."""
    return mean_interval(values, clusters, CONFIDENCE)


def of_change(values: np.ndarray, clusters: np.ndarray) -> Bounds:
    """Return the intervals of a cell's changes."""
    return paired(values, clusters).interval(CONFIDENCE)


def of_mean(values: np.ndarray, clusters: np.ndarray) -> Bounds:
    """Return the intervals of means over the languages."""
    number = len(values) // len(clusters)
    cell = np.repeat(np.arange(number), len(clusters))
    items = Items(cell, np.tile(clusters, number), np.zeros(number, int))
    return average(values, items, np.full(number, 1 / number)).with_added().interval(CONFIDENCE)


# What is drawn, its true mean, and its interval.
Draw = Callable[[np.random.Generator, np.ndarray, float, int], np.ndarray]
SCORES: dict[str, tuple[Draw, float, Callable[[np.ndarray, np.ndarray], Bounds]]] = {
    "0/1, 60 % right": (zeros_and_ones, 0.6, of_cell),
    "0/1, 90 % right": (lambda *drawn: zeros_and_ones(*drawn, share=0.9), 0.9, of_cell),
    "F1, mean 0.5": (lambda *drawn: np.clip((ranks(*drawn) - 0.3) / 0.4, 0, 1), 0.5, of_cell),
    "F1, 75 % are 1": (lambda *drawn: np.clip(ranks(*drawn) / 0.25, 0, 1), 0.875, of_cell),
    "changes of 0/1": (changes, 0.05, of_change),
    "mean of 4 languages": (over_languages, 0.0, of_mean),
}


def coverage(score: str, clusters: int, zipf: bool, icc: float, simulations: int) -> float:
    """Return the share of intervals that contain the truth, of those that there are."""
    draw, truth, interval = SCORES[score]
    sizes = cluster_sizes(clusters, zipf)
    low, high = interval(
        draw(np.random.default_rng(SEED), sizes, icc, simulations), np.repeat(np.arange(clusters), sizes)
    )
    given = ~np.isnan(low)
    return float(np.mean((low <= truth + 1e-12) & (truth <= high + 1e-12), where=given))


def of_articles(articles: bool, icc: float, simulations: int) -> float:
    """Return the coverage of 48 articles x 5 passages x 5 questions, if the articles are the clusters or the passages.

    The scores of 0 and 1 (60 % right) are correlated by `icc` in an article, and by 0.2 more in a passage.
    """
    rng, shape = np.random.default_rng(SEED), (48, 5, 5, simulations)
    parts = ((icc, (48, 1, 1)), (0.2, (48, 5, 1)), (0.8 - icc, (48, 5, 5)))
    latent = sum(np.sqrt(share) * rng.normal(size=(*sizes, simulations)) for share, sizes in parts)
    values = np.broadcast_to(latent < ndtri(0.6), shape).reshape(-1, simulations).astype(float)
    low, high = of_cell(values, np.arange(48 * 25) // (25 if articles else 5))
    return float(np.mean((low <= 0.6) & (high >= 0.6)))


def of_shared_items(share: float, correlation: float, simulations: int) -> tuple[float, float]:
    """Return the coverage of the mean of 20 items in ten languages, and of the change between two equal runs."""
    rng, n, languages = np.random.default_rng(SEED), 20, 10

    def run() -> np.ndarray:
        shared = np.tile(rng.normal(size=(n, simulations)), (languages, 1))
        latent = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * rng.normal(size=shared.shape)
        return (latent < ndtri(share)).astype(float)

    items = Items(np.repeat(np.arange(languages), n), np.tile(np.arange(n), languages), np.zeros(languages, int))
    first, second, weights = run(), run(), np.full(languages, 1 / languages)
    low, high = average(first, items, weights).with_added().interval(CONFIDENCE)
    less, more = average(second - first, items, weights).with_added(2).interval(CONFIDENCE)
    return float(np.mean((low <= share) & (share <= high))), float(np.mean((less <= 0) & (more >= 0)))


def main() -> None:
    """Print the coverage of each kind of score and of each number and size of clusters, in percent."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=2000)
    simulations = parser.parse_args().simulations
    columns = [(clusters, icc) for clusters in (5, 10, 20, 50, 240) for icc in (0, 0.1, 0.3)]
    print("| scores | sizes | " + " | ".join(f"{clusters}, {icc}" for clusters, icc in columns) + " |")
    for score in SCORES:
        for zipf in (False, True):
            shares = [coverage(score, clusters, zipf, icc, simulations) for clusters, icc in columns]
            cells = " | ".join(f"{100 * share:.1f}" for share in shares)
            print(f"| {score} | {'Zipf' if zipf else 'equal'} | {cells} |", flush=True)
    print("\n| correlation in an article | articles as clusters | passages as clusters |")
    for icc in (0, 0.05, 0.1, 0.2):
        both = [f"{100 * of_articles(articles, icc, simulations):.1f}" for articles in (True, False)]
        print(f"| {icc} | {' | '.join(both)} |", flush=True)
    print("\n| share right | correlation of ease | mean of 10 languages | change |")
    for share in (0.02, 0.05, 0.5, 0.95, 0.98):
        for correlation in (0, 0.3, 0.6, 0.9):
            both = " | ".join(f"{100 * one:.1f}" for one in of_shared_items(share, correlation, simulations))
            print(f"| {share} | {correlation} | {both} |", flush=True)


if __name__ == "__main__":
    main()
