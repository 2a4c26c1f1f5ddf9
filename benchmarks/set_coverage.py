"""How often does a 95 % interval of entity F1, or of the F1 of sets of labels, contain the true value?

    python benchmarks/set_coverage.py [--simulations 2000] [--items 100 300 1000]

A true annotator finds each entity or label with a known probability and names wrong ones at a known rate, so that the
score is known. Items are drawn in four languages, as translations of one another, and for two runs; the intervals are
those of the summary: of one cell, of the mean over the languages, and of the change between the runs in one language.
Hard items are hard for both runs; with clusters, five items of one text are hard together.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from benchmarks.metric_coverage import CONFIDENCE, SEED, contains  # noqa: E402
from maple.analysis.statistics import Items, average, mean_interval, paired  # noqa: E402
from maple.metrics.metric import CorpusMetric  # noqa: E402
from maple.metrics.registry import METRICS  # noqa: E402

LANGUAGES = 4
CHUNK = 100  # simulations at once, for memory
# The correlation of the latent ease of two translations, of two runs, and of two items of one text.
CORRELATION = 0.5
# Shares of items that have each label.
LABELS = {"frequent": np.full(6, 0.25), "rare": np.array([0.02, 0.04, 0.06, 0.10, 0.20, 0.30])}
# Entities per sentence: those of the Swahili and of the Bambara test sentences of MasakhaNER 2.0.
ENTITIES = {"frequent": 2.4, "rare": 1.1}
MOST = 12  # entities in a sentence


@dataclass(frozen=True)
class Annotator:
    """A true annotator."""

    rates: np.ndarray
    """(slots,) The probability that each label, or each entity that there is room for, is gold in an item."""
    found: float
    """The probability that a gold one is named."""
    wrong: float
    """Wrong ones that are named, per slot and item, where nothing is gold."""
    per_slot: bool
    """Are counts by slot, as macro-F1's are, or of all together?"""

    def counts(self, right: np.ndarray, named: np.ndarray, gold: np.ndarray) -> np.ndarray:
        """Return the counts of metrics, (..., counts), of what is in slots, (..., slots) each."""
        parts = (right, named, gold)
        if self.per_slot:
            return np.concatenate(parts, axis=-1)
        return np.stack([part.sum(axis=-1) for part in parts], axis=-1)

    def score(self, metric: CorpusMetric) -> float:
        """Return the true score: that of the expected counts."""
        right = self.rates * self.found
        return float(metric.pool(self.counts(right, right + (1 - self.rates) * self.wrong, self.rates)))

    def drawn(self, gold: np.ndarray, ease: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return counts of items, (..., items, counts), whose gold is (..., items, slots), given ease (..., items)."""
        latent = np.sqrt(CORRELATION) * ease[..., None] + np.sqrt(1 - CORRELATION) * rng.normal(size=gold.shape)
        right = gold & (latent < NormalDist().inv_cdf(self.found))
        wrong = ~gold & (latent > -NormalDist().inv_cdf(self.wrong))
        return self.counts(right.astype(np.int64), (right | wrong).astype(np.int64), gold.astype(np.int64))


def annotator(kind: str, rates: str, found: float) -> Annotator:
    """Return an annotator of "entities" or "labels"; what it names is as often wrong as it misses what is gold."""
    if kind == "entities":
        slots = np.full(MOST, ENTITIES[rates] / MOST)
        return Annotator(slots, found, float((1 - found) * slots.mean() / (1 - slots.mean())), per_slot=False)
    slots = LABELS[rates]
    return Annotator(slots, found, float((1 - found) * slots.mean() / (1 - slots.mean())), per_slot=kind == "macro")


def coverage(metric: CorpusMetric, truths: list[Annotator], n: int, size: int, simulations: int) -> np.ndarray:
    """Return the shares of intervals that contain the truth, of one cell, the mean over languages and the change.

    `truths` are the annotators of the languages, then that of the second run in the first language; `size` is the
    number of items of one text.
    """
    rng, clusters = np.random.default_rng(SEED), np.arange(n) // size
    of_languages = LANGUAGES * n
    cells = np.arange(of_languages) // n
    items = Items(cells, np.tile(clusters, LANGUAGES), np.zeros(LANGUAGES, int), np.ones(1, bool))
    weights, scores = np.full(LANGUAGES, 1 / LANGUAGES), [truth.score(metric) for truth in truths]
    found, chunk = np.zeros(3), min(CHUNK, simulations)
    for _ in range(simulations // chunk):
        gold = rng.random((chunk, n, len(truths[0].rates))) < truths[0].rates
        ease = np.repeat(rng.normal(size=(chunk, n // size)), size, axis=1)
        counts = [truth.drawn(gold, ease, rng) for truth in truths]
        values = np.array([[metric.values(each) for each in run] for run in counts]).transpose(0, 2, 1)
        first, second, of_all = values[0], values[LANGUAGES], values[:LANGUAGES].reshape(of_languages, chunk)
        intervals = (
            (mean_interval(first, clusters, CONFIDENCE, graded=True), scores[0]),
            (average(of_all, items, weights).with_added().interval(CONFIDENCE), float(np.mean(scores[:LANGUAGES]))),
            (paired(second - first, clusters, graded=True).interval(CONFIDENCE), scores[LANGUAGES] - scores[0]),
        )
        found += [np.count_nonzero(contains(*interval, truth)) for interval, truth in intervals]
    return found / (simulations // chunk * chunk)


METRIC_OF = {"entities": "entity_f1", "micro": "multilabel_micro_f1", "macro": "multilabel_macro_f1"}


def measured(kind: str, rates: str, found: float, n: int, size: int, simulations: int) -> tuple[float, np.ndarray]:
    """Return the true score of the first language, and the coverage in one setting."""
    metric = METRICS[METRIC_OF[kind]]
    assert isinstance(metric, CorpusMetric)
    truths = [annotator(kind, rates, found - 0.02 * at) for at in range(LANGUAGES)]
    truths.append(annotator(kind, rates, found + 0.03))
    return truths[0].score(metric), coverage(metric, truths, n, size, simulations)


def main() -> int:
    """Print the coverage of each kind of interval; end with 1 if one is below 90 %."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=2000)
    parser.add_argument("--items", type=int, nargs="+", default=[100, 300, 1000])
    options = parser.parse_args()
    least = 1.0
    print(
        "95 % intervals with the true value, %\nmetric  labels  found  text  items  true score  cell; mean of 4; change"
    )
    for kind in METRIC_OF:
        for rates in ("frequent", "rare"):
            for found in (0.6, 0.9):
                for size in (1, 5):
                    for n in options.items:
                        score, shares = measured(kind, rates, found, n, size, options.simulations)
                        least = min(least, shares.min())
                        cells = "; ".join(f"{100 * share:.1f}" for share in shares)
                        print(f"{METRIC_OF[kind]}, {rates}, {found}, {size}, {n}, {score:.3f}: {cells}", flush=True)
    return int(least < 0.90)


if __name__ == "__main__":
    sys.exit(main())
