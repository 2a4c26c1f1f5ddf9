"""Metrics of a set of labels: macro-F1, weighted F1, the correlation of Matthews, and those of two labels.

An answer that names no label counts as a prediction of no class: its gold class misses it, and no class has it.
"""

import numpy as np

from maple.metrics.metric import LabelledAnswers


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Return a quotient, and 0 where both parts are 0."""
    return np.divide(above, below, out=np.zeros_like(below), where=below > 0)


def _one_hot(numbers: np.ndarray, columns: int) -> np.ndarray:
    return (numbers[:, None] == np.arange(columns)).astype(float)


def class_counts(answers: LabelledAnswers) -> np.ndarray:
    """Return, (items, 3 x classes): is the item a true positive of the class, is it predicted, is it gold?

    The classes are those with gold items in the set.
    """
    present = np.unique(answers.gold)
    gold, predicted = (numbers[:, None] == present for numbers in (answers.gold, answers.predicted))
    return np.concatenate([gold & predicted, predicted, gold], axis=1).astype(float)


def macro_f1(counts: np.ndarray) -> np.ndarray:
    """Return the mean over classes of their F1; `counts` are means of class_counts, (..., 3 x classes).

    It is the mean of the F1s, and not the F1 of mean precision and mean recall, which can rank two classifiers in the
    other order (Opitz and Burst 2019, arXiv 1911.03347). A class without gold items is left out: it
    has no recall.
    """
    right, predicted, gold = np.split(counts, 3, axis=-1)
    return _ratio(2 * right, predicted + gold).mean(axis=-1)


def weighted_f1(counts: np.ndarray) -> np.ndarray:
    """Return the mean over classes of their F1, weighted by their shares of gold items; `counts` as in macro_f1."""
    right, predicted, gold = np.split(counts, 3, axis=-1)
    return (gold * _ratio(2 * right, predicted + gold)).sum(axis=-1)


def correlation_counts(answers: LabelledAnswers) -> np.ndarray:
    """Return, (items, 1 + 2 x (labels + 1)): is the answer right, its predicted and its gold label one-hot.

    The last class of both is that of answers that name no label.
    """
    classes = len(answers.labels) + 1
    right = (answers.gold == answers.predicted)[:, None]
    return np.concatenate([right, _one_hot(answers.predicted, classes), _one_hot(answers.gold, classes)], axis=1)


def matthews_correlation(counts: np.ndarray) -> np.ndarray:
    """Return the correlation of predicted and gold classes; `counts` are means of correlation_counts.

    Matthews (1975, Biochimica et Biophysica Acta 405) for two classes, Gorodkin's R_K for more (2004, Computational
    Biology and Chemistry 28). It is 0 if only one class is predicted, or only one is gold.
    """
    right, (predicted, gold) = counts[..., 0], np.split(counts[..., 1:], 2, axis=-1)
    spread = (1 - (predicted**2).sum(axis=-1)) * (1 - (gold**2).sum(axis=-1))
    return _ratio(right - (predicted * gold).sum(axis=-1), np.sqrt(spread))


def yes_counts(answers: LabelledAnswers) -> np.ndarray:
    """Return, (items, 3): is the item rightly answered by the first label, is it answered by it, is it gold?

    The first label of the task is the positive one, as "yes" in POPE (Li et al. 2023, arXiv 2305.10355): is there an
    object of this kind in the picture? POPE's script takes every answer for "yes" that lacks "no" and "not". Here an
    answer that names no label is neither: it is not among the answers "yes", and where "yes" is gold, it is missed. So
    a model that answers something else has a low share of "yes" here, and a high one by that script.
    """
    gold, predicted = answers.gold == 0, answers.predicted == 0
    return np.stack([gold & predicted, predicted, gold], axis=1).astype(float)


def yes_precision(counts: np.ndarray) -> np.ndarray:
    """Return the share of right ones among the answers "yes", 0 without any; `counts` are means of yes_counts."""
    return _ratio(counts[..., 0], counts[..., 1])


def yes_recall(counts: np.ndarray) -> np.ndarray:
    """Return the share of the items with the gold label "yes" that are answered so; `counts` as in yes_precision."""
    return _ratio(counts[..., 0], counts[..., 2])


def yes_f1(counts: np.ndarray) -> np.ndarray:
    """Return the harmonic mean of yes_precision and yes_recall; `counts` as in yes_precision."""
    return _ratio(2 * counts[..., 0], counts[..., 1] + counts[..., 2])


def yes_rate(counts: np.ndarray) -> np.ndarray:
    """Return the share of answers "yes" among all items; `counts` as in yes_precision.

    Where half of the gold labels are "yes", more than a half tells that a model sees what is not there.
    """
    return counts[..., 1]


def confusion(answers: LabelledAnswers) -> np.ndarray:
    """Return the number of items by gold and predicted label, (labels, labels + 1).

    The last column counts the answers that name no label. A row of zeros is a class without gold items, which macro_f1
    leaves out.
    """
    labels = len(answers.labels)
    cells = answers.gold * (labels + 1) + answers.predicted
    return np.bincount(cells, minlength=labels * (labels + 1)).reshape(labels, labels + 1)
