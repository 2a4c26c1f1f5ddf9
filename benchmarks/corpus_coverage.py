"""How often does a 95 % interval of a corpus score, and of the difference of two runs', contain the true value?

    python benchmarks/corpus_coverage.py [--simulations 2000] [--items 100 300 1000] [--outputs FOLDER]

A population of sentences is translated by two systems, so that both true corpus scores are known: those of the whole
population. Test sets are drawn from it; the intervals are those of the summary, of one cell and of a change. Without
`--outputs` the sentences are made up: words with frequencies as Zipf's law has them, of which a system gets a share
right that varies by sentence. With it, they are real outputs: JSON lines with `reference` and a column per system, of
which each two neighbours are compared; the 1,012 rows of FLORES-200 are then the population.
Beside them stands the percentile bootstrap of the difference, as sacrebleu resamples (--paired-bs).
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from maple.analysis.statistics import mean_interval, paired  # noqa: E402
from maple.metrics.metric import CorpusMetric, TextAnswers  # noqa: E402
from maple.metrics.translation import CORPUS_METRICS  # noqa: E402

CONFIDENCE, SEED = 0.95, 7
POPULATION, VOCABULARY = 20_000, 5000
RESAMPLES = 1000  # of sacrebleu's paired bootstrap
BOOTSTRAPS = 300  # simulations in which it is computed: it takes most of the time


@dataclass(frozen=True)
class Coverage:
    """The shares of simulated test sets whose interval contains the true value."""

    score: float
    """The true corpus score of the second system."""
    difference: float
    """Its true difference from the first."""
    cell: float
    """Of intervals of one system's score."""
    change: float
    """Of intervals of the difference."""
    bootstrap: float
    """Of percentile intervals of the difference by the paired bootstrap; nan if none was computed."""


def systems(rng: np.random.Generator, accuracies: tuple[float, float]) -> tuple[list[str], list[list[str]]]:
    """Return made-up references, and their translations by two systems; `accuracies` are shares of right words.

    Both systems find the same sentences hard. A wrong word is another one, or none.
    """
    frequencies = 1 / np.arange(1, VOCABULARY + 1)
    frequencies /= frequencies.sum()
    lengths = rng.integers(6, 35, POPULATION)
    references = [rng.choice(VOCABULARY, length, p=frequencies) for length in lengths]
    ease = rng.normal(0, 1, POPULATION)
    translations = []
    for accuracy in accuracies:
        logits = np.log(accuracy / (1 - accuracy)) + 0.8 * ease + 0.6 * rng.normal(0, 1, POPULATION)
        right = 1 / (1 + np.exp(-logits))
        translations.append([_translated(rng, words, share) for words, share in zip(references, right, strict=True)])
    return [_text(words) for words in references], translations


def _translated(rng: np.random.Generator, words: np.ndarray, share: float) -> str:
    chance = rng.random(len(words))
    others = rng.integers(VOCABULARY, size=len(words))
    kept = chance < share + (1 - share) * 0.7  # three in ten of the wrong words are left out
    return _text(np.where(chance < share, words, others)[kept])


def _text(words: np.ndarray) -> str:
    return " ".join(f"w{word}" for word in words)


def coverage(
    metric: CorpusMetric, first: np.ndarray, second: np.ndarray, n: int, simulations: int, bootstraps: int = 0
) -> Coverage:
    """Return how often intervals of test sets of `n` items contain the true value.

    `first` and `second`, (population, counts), are the counts of two systems.
    """
    rng = np.random.default_rng(SEED)
    score = metric.score(second)
    difference = score - metric.score(first)
    cell, change, bootstrap = [], [], []
    for simulation in range(simulations):
        rows = rng.integers(len(first), size=n)
        values = metric.values(second[rows])
        low, high = mean_interval(values[:, None], np.arange(n), CONFIDENCE, graded=True)
        cell.append(bool(low[0] <= score <= high[0]))
        differences = values - metric.values(first[rows])
        low, high = paired(differences[:, None], np.arange(n), graded=True).interval(CONFIDENCE)
        change.append(bool(low[0] <= difference <= high[0]))
        if simulation < bootstraps:
            low, high = paired_bootstrap(metric, first[rows], second[rows], rng)
            bootstrap.append(bool(low <= difference <= high))
    known = np.mean(bootstrap) if bootstrap else np.nan
    return Coverage(score, difference, float(np.mean(cell)), float(np.mean(change)), float(known))


def paired_bootstrap(
    metric: CorpusMetric, first: np.ndarray, second: np.ndarray, rng: np.random.Generator
) -> tuple[float, float]:
    """Return the percentile interval of a difference over resamples of the items (Koehn 2004, W04-3250)."""
    weights = rng.multinomial(len(first), np.full(len(first), 1 / len(first)), size=RESAMPLES)
    differences = metric.pool(weights @ second) - metric.pool(weights @ first)
    low, high = np.quantile(differences, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _real(folder: Path) -> Iterator[tuple[str, list[str], list[list[str]], str]]:
    """Yield pairs of systems: their names, the references, their outputs, and the language's code."""
    for file in sorted(folder.glob("*.jsonl")):
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        names = [name for name in rows[0] if name not in ("id", "source", "reference")]
        for pair in pairwise(names):
            outputs = [[row[name] for row in rows] for name in pair]
            language = file.name.split(".")[0].split("-")[1]
            yield f"{language} {pair[0]} / {pair[1]}", [row["reference"] for row in rows], outputs, language


def main() -> int:
    """Print the coverage of each kind of interval; end with 1 if one of a change is below 93 or above 97 %."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=2000)
    parser.add_argument("--items", type=int, nargs="+", default=[100, 300, 1000])
    parser.add_argument("--metrics", nargs="+", default=["corpus_bleu", "corpus_chrf++"], choices=[*CORPUS_METRICS])
    parser.add_argument("--outputs", type=Path, help="folder of real outputs")
    options = parser.parse_args()
    if options.outputs:
        compared = list(_real(options.outputs))
    else:
        rng = np.random.default_rng(SEED)
        accuracies = [(0.60, 0.62), (0.80, 0.83)]
        compared = [(f"made up {pair}", *systems(rng, pair), "eng_Latn") for pair in accuracies]
    print("95 % intervals with the true value, %\nmetric         items  score  difference  cell   change  bootstrap")
    outside = False
    for name in options.metrics:
        metric = CORPUS_METRICS[name]
        for systems_of, references, outputs, language in compared:
            targets = [[reference] for reference in references]
            counts = [metric.count(TextAnswers(texts, targets, language)).counts for texts in outputs]
            for n in options.items:
                one = coverage(metric, *counts, n, options.simulations, BOOTSTRAPS)
                outside |= not 0.93 <= one.change <= 0.97
                print(
                    f"{name:13}  {n:5}  {100 * one.score:5.2f}  {100 * one.difference:10.2f}  {100 * one.cell:5.1f}  "
                    f"{100 * one.change:6.1f}  {100 * one.bootstrap:9.1f}  {systems_of}",
                    flush=True,
                )
    return int(outside)


if __name__ == "__main__":
    sys.exit(main())
