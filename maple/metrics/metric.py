"""What a metric is: of one answer, of the probabilities of its labels, or of a whole set of answers."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Scale:
    """The range of a metric, and which of its ends is the better one."""

    low: float = 0.0
    """The smallest score."""
    high: float = 1.0
    """The largest score; may be infinite."""
    lower_is_better: bool = False


@dataclass(frozen=True)
class LabelledAnswers:
    """Answers that are labels: those of one run to the items of one task in one language."""

    labels: tuple[str, ...]
    """The labels of the task, in its order."""
    gold: np.ndarray
    """(items,) The number of the gold label."""
    predicted: np.ndarray
    """(items,) The number of the predicted label; the number of labels where an answer names none."""
    log_probabilities: np.ndarray | None = None
    """(items, labels) Natural logarithms of the labels' probabilities; None if answers were generated."""


@dataclass(frozen=True)
class ItemMetric:
    """A metric of one answer, which is compared with its gold answers; any task may have it."""

    value: Callable[[str, list[str], str], float]
    """The score of (prediction, gold answers, code of the language); of a set it is the mean."""
    scale: Scale = Scale()


@dataclass(frozen=True)
class ProbabilityMetric:
    """A metric of the probabilities of one item's labels; of a set it is the mean."""

    values: Callable[[LabelledAnswers], np.ndarray]
    """(items,) The scores of the items."""
    scale: Scale
    needs_probabilities: bool = True


@dataclass(frozen=True)
class PooledMetric:
    """A metric of a set of answers, which is not the mean of the scores of its items.

    An item yields counts, and the mean counts of the set yield its score.
    """

    counts: Callable[[LabelledAnswers], np.ndarray]
    """(items, counts) What the items yield."""
    pool: Callable[[np.ndarray], np.ndarray]
    """The scores, (...), of mean counts, (..., counts)."""
    scale: Scale = Scale()
    needs_probabilities: bool = False

    def score(self, answers: LabelledAnswers) -> float:
        """Return the score of the set."""
        return float(self.pool(self.counts(answers).mean(axis=0)))

    def values(self, answers: LabelledAnswers) -> np.ndarray:
        """Return the pseudo-value of each item, (items,): the score of the set, plus the item's influence on it.

        The influence is the change of the score that the item causes, times the number of the other items: the score
        of the set without the item is subtracted from the mean of all such scores (the jackknife; Tukey 1958, Annals
        of Mathematical Statistics 29, p. 614; centred at the score and not at its jackknife estimate). So the mean of
        the pseudo-values is the score, their variance is that of its sampling distribution, and what holds for means
        of item scores holds for them. They may lie outside the range of the score.
        """
        counts = self.counts(answers)
        others = len(counts) - 1
        if not others:
            return np.array([self.score(answers)])
        without = self.pool((counts.sum(axis=0) - counts) / others)
        return self.score(answers) + others * (without.mean() - without)


LabelMetric = ProbabilityMetric | PooledMetric
Metric = ItemMetric | LabelMetric
