"""How often does a 95 % interval of a pooled metric contain the true value?

    python benchmarks/metric_coverage.py [--metric macro_f1] [--simulations 2000] [--accuracies 0.7 0.9]

A true classifier is a table of gold by predicted labels, so that its score is known. Items are drawn from it in four
languages, as translations of one another, and for two runs; the intervals are those of the summary: of one cell, of the
mean over the languages, and of the change between the runs in one language. Beside them stand the intervals from the
infinitesimal jackknife (the delta method), whose influences are gradients. Last: the expected calibration error of
classifiers whose probabilities are the true ones, or too sure.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from maple.analysis.statistics import Items, average, mean_interval, paired  # noqa: E402
from maple.metrics.metric import LabelledAnswers, PooledMetric  # noqa: E402
from maple.metrics.registry import METRICS  # noqa: E402

LANGUAGES, CONFIDENCE, SEED = 4, 0.95, 11
CHUNK = 250  # simulations at once, for memory
# Shares of gold items. The smallest class has 2 to 5 %, as in MahaNews.
IMBALANCED = {
    3: np.array([0.05, 0.15, 0.80]),
    12: np.array([0.02, 0.03, 0.04, 0.05, 0.05, 0.06, 0.07, 0.08, 0.10, 0.12, 0.16, 0.22]),
}
# Two runs, and two translations, find the same items hard: the correlation of the latent ease.
CORRELATION = 0.6


@dataclass(frozen=True)
class Classifier:
    """A true classifier."""

    shares: np.ndarray
    """(classes,) Of gold items."""
    accuracies: np.ndarray
    """(classes,) The share of each class's items that are predicted right; an error falls on a class by its share."""

    @property
    def table(self) -> np.ndarray:
        """(classes, classes) The probabilities of gold and predicted labels."""
        errors = np.tile(self.shares, (len(self.shares), 1))
        np.fill_diagonal(errors, 0)
        errors *= ((1 - self.accuracies) * self.shares / errors.sum(axis=1))[:, None]
        return errors + np.diag(self.accuracies * self.shares)

    def score(self, metric: PooledMetric) -> float:
        """Return the true score: that of the mean counts, weighted by the table."""
        gold, predicted = np.divmod(np.arange(self.table.size), len(self.shares))
        counts = metric.counts(LabelledAnswers(tuple(map(str, range(len(self.shares)))), gold, predicted))
        return float(metric.pool(self.table.ravel() @ counts))


def classifier(classes: int, balanced: bool, accuracy: float) -> Classifier:
    """Return a classifier that is less accurate in rarer classes: by 0.1 below to 0.08 above `accuracy`."""
    shares = np.full(classes, 1 / classes) if balanced else IMBALANCED[classes]
    return Classifier(shares, np.linspace(accuracy - 0.1, min(0.98, accuracy + 0.08), classes))


def drawn(rng: np.random.Generator, truths: list[Classifier], n: int, columns: int) -> Iterator[np.ndarray]:
    """Yield the gold labels, then the predicted labels of each classifier: (items, columns) each."""
    classes = len(truths[0].shares)
    gold = rng.choice(classes, p=truths[0].shares, size=(n, columns))
    yield gold
    ease = rng.normal(size=(n, columns))
    for truth in truths:
        latent = np.sqrt(CORRELATION) * ease + np.sqrt(1 - CORRELATION) * rng.normal(size=(n, columns))
        limits = np.array([NormalDist().inv_cdf(share) for share in truth.accuracies])
        table = truth.table * (1 - np.eye(classes))
        below = np.cumsum(table / table.sum(axis=1, keepdims=True), axis=1)[:, :-1]
        wrong = (rng.random((n, columns, 1)) > below[gold]).sum(axis=-1)
        yield np.where(latent < limits[gold], gold, wrong)


def infinitesimal(metric: PooledMetric, answers: LabelledAnswers) -> np.ndarray:
    """Return pseudo-values whose influences are the gradient of the score times the distance from the mean counts."""
    counts = metric.counts(answers)
    mean, step = counts.mean(axis=0), 1e-6
    shifts = step * np.eye(len(mean))
    gradient = (metric.pool(mean + shifts) - metric.pool(mean - shifts)) / (2 * step)
    return metric.score(answers) + (counts - mean) @ gradient


def contains(low: np.ndarray, high: np.ndarray, truth: float) -> np.ndarray:
    """Return which intervals contain the truth; an interval that is not there does not."""
    return (low <= truth) & (truth <= high)


def coverage(metric: PooledMetric, truths: list[Classifier], n: int, simulations: int) -> np.ndarray:
    """Return the shares of intervals that contain the truth, (jackknife and infinitesimal; cell, mean, change).

    `truths` are the classifiers of the languages, then that of the second run in the first language.
    """
    rng, labels = np.random.default_rng(SEED), tuple(map(str, range(len(truths[0].shares))))
    of_languages = LANGUAGES * n
    items = Items(np.arange(of_languages) // n, np.arange(of_languages) % n, np.zeros(LANGUAGES, int), np.ones(1, bool))
    weights, scores = np.full(LANGUAGES, 1 / LANGUAGES), [truth.score(metric) for truth in truths]
    found = np.zeros((2, 3))
    for _ in range(simulations // CHUNK):
        gold, *predicted = drawn(rng, truths, n, CHUNK)
        for row, values_of in enumerate((PooledMetric.values, infinitesimal)):
            values = np.array(
                [
                    [values_of(metric, LabelledAnswers(labels, gold[:, at], run[:, at])) for at in range(CHUNK)]
                    for run in predicted
                ]
            ).transpose(0, 2, 1)
            first, second, of_all = values[0], values[LANGUAGES], values[:LANGUAGES].reshape(of_languages, CHUNK)
            mean = average(of_all, items, weights).with_added()
            change = paired(second - first, np.arange(n), graded=True)
            for column, (interval, truth) in enumerate(
                (
                    (mean_interval(first, np.arange(n), CONFIDENCE, graded=True), scores[0]),
                    (mean.interval(CONFIDENCE), float(np.mean(scores[:LANGUAGES]))),
                    (change.interval(CONFIDENCE), scores[LANGUAGES] - scores[0]),
                )
            ):
                found[row, column] += np.count_nonzero(contains(*interval, truth))
    return found / (simulations // CHUNK * CHUNK)


def probabilities(rng: np.random.Generator, n: int, classes: int, temperature: float) -> LabelledAnswers:
    """Draw answers of a classifier: its probabilities are the true ones at a temperature of 1, and too sure below."""
    logits = 2 * rng.normal(size=(n, classes))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    gold = (rng.random((n, 1)) > true.cumsum(axis=1)[:, :-1]).sum(axis=1)
    sure = logits / temperature
    log_probabilities = sure - np.log(np.exp(sure).sum(axis=1, keepdims=True))
    return LabelledAnswers(tuple(map(str, range(classes))), gold, sure.argmax(axis=1), log_probabilities)


def calibration_line(metric: PooledMetric, n: int, classes: int, temperature: float, simulations: int) -> str:
    """Return the true calibration error, the mean of its estimates and the coverage of the intervals of one cell."""
    rng = np.random.default_rng(SEED)
    truth = 0.0 if temperature == 1 else metric.score(probabilities(rng, 1_000_000, classes, temperature))
    values = np.array([metric.values(probabilities(rng, n, classes, temperature)) for _ in range(simulations)]).T
    low, high = mean_interval(values, np.arange(n), CONFIDENCE, graded=True)
    covered = 100 * contains(low, high, truth).mean()
    return f"{classes:7}  {temperature:11}  {n:5}  {truth:10.4f}  {values.mean():13.4f}  {covered:8.1f}"


def main() -> int:
    """Print the coverage of each kind of interval; end with 1 if one from the jackknife is below 93 %."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--metric", default="macro_f1", choices=["macro_f1", "weighted_f1", "mcc"])
    parser.add_argument("--simulations", type=int, default=2000)
    parser.add_argument("--accuracies", type=float, nargs="+", default=[0.7, 0.9])
    options = parser.parse_args()
    metric = METRICS[options.metric]
    assert isinstance(metric, PooledMetric)
    least = 100.0
    print(f"{options.metric}: 95 % intervals with the true value, %: jackknife (infinitesimal)")
    print("classes  shares      accuracy  items  true score  one cell       mean of 4      change")
    for classes in (3, 12):
        for balanced in (True, False):
            for accuracy in options.accuracies:
                truths = [classifier(classes, balanced, accuracy - 0.02 * at) for at in range(LANGUAGES)]
                truths.append(classifier(classes, balanced, accuracy + 0.02))
                for n in (300, 1000):
                    ours, theirs = 100 * coverage(metric, truths, n, options.simulations)
                    least = min(least, float(ours.min()))
                    shares = "balanced" if balanced else "imbalanced"
                    cells = "  ".join(f"{a:5.1f} ({b:5.1f})" for a, b in zip(ours, theirs, strict=True))
                    score = truths[0].score(metric)
                    print(f"{classes:7}  {shares:10}  {accuracy:8}  {n:5}  {score:10.3f}  {cells}", flush=True)
    print("expected calibration error of one cell\nclasses  temperature  items  true score  mean estimate  coverage")
    ece = METRICS["ece"]
    assert isinstance(ece, PooledMetric)
    for classes in (3, 12):
        for temperature in (1.0, 0.5):
            for n in (300, 1000, 3000):
                print(calibration_line(ece, n, classes, temperature, min(500, options.simulations)), flush=True)
    return int(least < 93)


if __name__ == "__main__":
    sys.exit(main())
