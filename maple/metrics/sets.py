"""Metrics of answers that are sets: of several labels, and of the named entities of a text.

The gold answers of an item are all of its labels or entities, and there may be none; so may an answer name none. Where
nothing is gold and nothing is named, precision, recall and F1 are 1 (zero_division=1 of scikit-learn), so that an empty
answer to an item without labels is right.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from maple.metrics.metric import CorpusCounts, CorpusMetric, ItemMetric, TextAnswers
from maple.text.entities import Entity
from maple.text.lists import NOTHING


def _named(prediction: str) -> list[str]:
    """Return the labels or entities of an answer, which stand one per line; none for NOTHING and for no answer."""
    return [] if prediction == NOTHING else prediction.splitlines()


def _f1(both: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return 2 x both / sizes, and 1 where both are 0; `sizes` are those of answer and gold together."""
    return np.divide(2.0 * both, sizes, out=np.ones(np.shape(sizes)), where=sizes > 0)


def subset_accuracy(prediction: str, targets: list[str], language: str) -> float:
    """Return 1.0 if an answer names all gold labels and no other one, else 0.0.

    >>> subset_accuracy("anger\\nfear", ["fear", "anger"], "eng_Latn"), subset_accuracy("-", [], "eng_Latn")
    (1.0, 1.0)
    """
    return float(set(_named(prediction)) == set(targets))


def samples_f1(prediction: str, targets: list[str], language: str) -> float:
    """Return the F1 of an answer's labels with the gold ones; of a set it is the mean over items (samples-F1).

    >>> round(samples_f1("anger\\njoy\\nfear", ["fear"], "eng_Latn"), 2)
    0.5
    """
    named, gold = set(_named(prediction)), set(targets)
    return float(_f1(np.array(len(named & gold)), np.array(len(named) + len(gold))))


def _gold_labels(answers: TextAnswers) -> list[str]:
    return sorted({label for targets in answers.targets for label in targets})


def _memberships(answers: TextAnswers, labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return whether the answers name labels, and whether they are gold, (items, labels) each."""
    named = [set(_named(prediction)) for prediction in answers.predictions]
    gold = [set(targets) for targets in answers.targets]
    of = partial(np.array, dtype=bool)
    return (
        of([[label in each for label in labels] for each in named]).reshape(len(named), len(labels)),
        of([[label in each for label in labels] for each in gold]).reshape(len(gold), len(labels)),
    )


def label_counts(answers: TextAnswers) -> CorpusCounts:
    """Return the counts of micro-F1, (items, 3): labels that are named and gold, that are named, that are gold."""
    labels = sorted({label for each in answers.predictions for label in _named(each)} | {*_gold_labels(answers)})
    named, gold = _memberships(answers, labels)
    counts = np.stack([(named & gold).sum(axis=1), named.sum(axis=1), gold.sum(axis=1)], axis=1)
    return CorpusCounts(counts.astype(np.int64), "average:micro|zero_division:1")


def counts_per_label(answers: TextAnswers) -> CorpusCounts:
    """Return the counts of macro-F1, (items, 3 x labels): is the label named and gold, is it named, is it gold?

    The labels are those that are gold somewhere in the set, as in macro_f1; if there is none, the only column is of all
    labels together.
    """
    if not (labels := _gold_labels(answers)):
        counted = label_counts(answers)
        return CorpusCounts(counted.counts, "average:macro|labels:|zero_division:1")
    named, gold = _memberships(answers, labels)
    counts = np.concatenate([named & gold, named, gold], axis=1).astype(np.int64)
    return CorpusCounts(counts, f"average:macro|labels:{','.join(labels)}|zero_division:1")


def f1_of_sums(sums: np.ndarray) -> np.ndarray:
    """Return the mean F1, (...), over labels of sums of counts, (..., 3 x labels); 1 of what nothing names."""
    both, named, gold = np.split(sums, 3, axis=-1)
    return _f1(both, named + gold).mean(axis=-1)


def entity_counts(answers: TextAnswers) -> CorpusCounts:
    """Return the counts of entity F1, (items, 3): entities that are named and gold, that are named, that are gold.

    An entity is right if its type and its whole text are (Tjong Kim Sang and De Meulder 2003, W03-0419); an answer has
    no places of entities, so texts are compared (maple.text.entities.Entity.key). One that stands several times in a
    text counts as often: named once, it is right once and missed for the rest.
    """
    counts = []
    for prediction, targets in zip(answers.predictions, answers.targets, strict=True):
        named, gold = (Counter(Entity.of(each).key for each in some) for some in (_named(prediction), targets))
        counts.append([(named & gold).total(), named.total(), gold.total()])
    return CorpusCounts(np.array(counts, dtype=np.int64), "match:type+text|repeated:counted|zero_division:1")


def _share(of: int, sums: np.ndarray) -> np.ndarray:
    """Return the share of right ones among the named (of=1) or the gold entities (of=2) of sums of entity_counts.

    Without any it is 0, and 1 if neither is there.
    """
    right, below = sums[..., 0], sums[..., of]
    none = np.array(sums[..., 1] + sums[..., 2] == 0, dtype=float)
    return np.divide(right, below, out=none, where=below > 0)


def _of_entities(pool: Callable[[np.ndarray], np.ndarray]) -> CorpusMetric:
    return CorpusMetric(entity_counts, pool, gold="entities")


SET_METRICS: dict[str, ItemMetric | CorpusMetric] = {
    "multilabel_micro_f1": CorpusMetric(label_counts, f1_of_sums, gold="labels"),
    "multilabel_macro_f1": CorpusMetric(counts_per_label, f1_of_sums, gold="labels"),
    "samples_f1": ItemMetric(samples_f1, gold="labels"),
    "subset_accuracy": ItemMetric(subset_accuracy, gold="labels"),
    "entity_f1": _of_entities(f1_of_sums),
    "entity_precision": _of_entities(partial(_share, 1)),
    "entity_recall": _of_entities(partial(_share, 2)),
}
