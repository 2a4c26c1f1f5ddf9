"""What a metric is: of one answer, of the probabilities of its labels, or of a whole set of labels or of texts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

# What the gold answers of an item are: texts each of which is right, or a set that an answer should name wholly, of its
# labels or of the named entities in its text. An answer that names a set has one of them per line.
Gold = Literal["alternatives", "labels", "entities"]


@dataclass(frozen=True)
class Scale:
    """The range of a metric, and which of its ends is the better one."""

    low: float = 0.0
    """The smallest score."""
    high: float = 1.0
    """The largest score; may be infinite."""
    lower_is_better: bool = False
    neutral: bool = False
    """Is neither end the better one, as of the share of answers that are "yes"?"""


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
    gold: Gold = "alternatives"


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
    binary: bool = False
    """Is it of tasks with two labels, the first of which is the positive one?"""

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
        return _pseudo_values(self.score(answers), self.pool((counts.sum(axis=0) - counts) / others))


def _pseudo_values(score: float, without: np.ndarray) -> np.ndarray:
    """Return the pseudo-values of items from the score of the set and the scores `without` each item, (items,)."""
    return score + (len(without) - 1) * (without.mean() - without)


@dataclass(frozen=True)
class TextAnswers:
    """Answers that are texts: those of one run to the items of one task in one language."""

    predictions: Sequence[str]
    """The answers; "" where there is none."""
    targets: Sequence[Sequence[str]]
    """The gold answers of each item; at least one, unless they are a set."""
    language: str
    """The code of the language of the answers, as swh_Latn."""


@dataclass(frozen=True)
class CorpusCounts:
    """What the items of a set of texts yield, and how it was counted."""

    counts: np.ndarray
    """(items, counts) Whole numbers, whose sums over items are all that the score of the items needs."""
    signature: str
    """The settings that decide them, and the version of a library. Scores of two signatures do not compare."""


@dataclass(frozen=True)
class TextScores:
    """The scores of a set of texts, item by item; their mean is the score of the set."""

    values: np.ndarray
    """(items,) The score of each item, or its pseudo-value."""
    signature: str
    """As CorpusCounts.signature."""
    counts: np.ndarray | None = None
    """(items, counts) The counts of a CorpusMetric."""


@dataclass(frozen=True)
class CorpusMetric:
    """A metric of a set of texts, whose score follows from the sums of its items' counts.

    A PooledMetric has the mean counts of labels; here the score of few items also depends on their number (the
    smoothing of BLEU).
    """

    count: Callable[[TextAnswers], CorpusCounts]
    pool: Callable[[np.ndarray], np.ndarray]
    """The scores, (...), of sums of counts, (..., counts)."""
    scale: Scale = Scale()
    gold: Gold = "alternatives"

    def score(self, counts: np.ndarray) -> float:
        """Return the score of the set whose items have these counts, (items, counts)."""
        return float(self.pool(counts.sum(axis=0)))

    def values(self, counts: np.ndarray) -> np.ndarray:
        """Return the pseudo-value of each item, (items,), as PooledMetric.values; `counts` are (items, counts)."""
        if len(counts) == 1:
            return np.array([self.score(counts)])
        return _pseudo_values(self.score(counts), self.pool(counts.sum(axis=0) - counts))

    def scores(self, answers: TextAnswers) -> TextScores:
        """Return the pseudo-value of each item, with its counts."""
        counted = self.count(answers)
        return TextScores(self.values(counted.counts), counted.signature, counted.counts)


@dataclass(frozen=True)
class ConsensusMetric:
    """A metric of one text, weighted by the gold answers of the whole set, as CIDEr; of a set it is the mean.

    The weights belong to the test set, as the gold answers do, and not to the answers of a run. Given them, an item has
    a score of its own, which no other answer moves: it is no pseudo-value, and intervals, paired changes and means are
    those of item scores. They are conditional on the weights. The signature tells the gold answers that the weights
    come from: scores by other ones do not compare.
    """

    scores: Callable[[TextAnswers], TextScores]
    scale: Scale = Scale()


LabelMetric = ProbabilityMetric | PooledMetric
TextMetric = CorpusMetric | ConsensusMetric
Metric = ItemMetric | LabelMetric | TextMetric
