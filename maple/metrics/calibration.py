"""Metrics of the probabilities of labels: negative log-likelihood, Brier score and expected calibration error."""

from dataclasses import dataclass

import numpy as np

from maple.metrics.metric import LabelledAnswers

# Equal-width bins of the confidence, as in Guo et al. (2017, arXiv 1706.04599).
BINS = 15


def log_probabilities_of(answers: LabelledAnswers) -> np.ndarray:
    """Return the log-probabilities of the labels, (items, labels); raises ValueError if answers have none."""
    if answers.log_probabilities is None:
        raise ValueError("generated answers have no probabilities of labels")
    return answers.log_probabilities


def negative_log_likelihood(answers: LabelledAnswers) -> np.ndarray:
    """Return minus the natural logarithm of the gold label's probability, (items,); log(labels) is a guess's.

    A proper score (Good 1952, Journal of the Royal Statistical Society B 14): it is best for the true probabilities.
    """
    return -log_probabilities_of(answers)[np.arange(len(answers.gold)), answers.gold]


def brier(answers: LabelledAnswers) -> np.ndarray:
    """Return the squared distance of the labels' probabilities from 0 and 1, summed over labels, (items,).

    Brier (1950, Monthly Weather Review 78): from 0 to 2, of two labels too, for which others write half of it.
    """
    distances = np.exp(log_probabilities_of(answers))
    distances[np.arange(len(answers.gold)), answers.gold] -= 1
    return (distances**2).sum(axis=1)


def confidence_bins(confidence: np.ndarray) -> np.ndarray:
    """Return the bin of each confidence, from 0; bin m holds those above m / BINS up to (m + 1) / BINS."""
    return np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)


def calibration_counts(answers: LabelledAnswers) -> np.ndarray:
    """Return, (items, BINS): in the bin of its confidence, 1 if the answer is right, else 0, minus the confidence.

    The confidence is the largest probability.
    """
    confidence = np.exp(log_probabilities_of(answers).max(axis=1))
    counts = np.zeros((len(confidence), BINS))
    counts[np.arange(len(confidence)), confidence_bins(confidence)] = (answers.predicted == answers.gold) - confidence
    return counts


def expected_calibration_error(counts: np.ndarray) -> np.ndarray:
    """Return the mean difference of accuracy and confidence over bins; `counts` are means of calibration_counts.

    Guo et al. (2017, arXiv 1706.04599, equation 3): the sizes of the bins, which are the weights there, cancel. With
    few items it is too large, even if the probabilities are the true ones.
    """
    return np.abs(counts).sum(axis=-1)


@dataclass(frozen=True)
class ReliabilityBin:
    """The answers whose confidence lies in one bin: a point of a reliability diagram."""

    low: float
    """The confidence is above it."""
    high: float
    """The confidence is at most this."""
    items: int
    confidence: float
    """The mean of the largest probabilities."""
    accuracy: float
    """The share of right answers."""


def reliability(answers: LabelledAnswers) -> list[ReliabilityBin]:
    """Return the bins that have answers, by confidence; raises ValueError if answers have no probabilities.

    The differences of confidence and accuracy, weighted by `items`, add up to the expected calibration error.
    """
    confidence = np.exp(log_probabilities_of(answers).max(axis=1))
    bins, right = confidence_bins(confidence), answers.predicted == answers.gold
    return [
        ReliabilityBin(
            low=number / BINS,
            high=(number + 1) / BINS,
            items=int(np.count_nonzero(inside := bins == number)),
            confidence=float(confidence[inside].mean()),
            accuracy=float(right[inside].mean()),
        )
        for number in np.unique(bins)
    ]
