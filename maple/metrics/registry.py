"""All metrics by name; to add one, write its function and give it a key here.

The function of an item metric takes (prediction, targets, language) and returns a number; that of a pooled metric turns
the mean counts of a set into its score, that of a corpus metric their sums; that of a consensus metric returns the
scores of a set of texts. Scale is the range, and says if lower is better.
"""

import math

from maple.metrics.calibration import brier, calibration_counts, expected_calibration_error, negative_log_likelihood
from maple.metrics.captions import cider
from maple.metrics.labels import accuracy
from maple.metrics.metric import (
    ConsensusMetric,
    CorpusMetric,
    Gold,
    ItemMetric,
    LabelMetric,
    Metric,
    PooledMetric,
    ProbabilityMetric,
    Scale,
    TextMetric,
)
from maple.metrics.numbers import number
from maple.metrics.overlap import bleu, chrf_pp, rouge1, rouge2, rouge_ascii, rougeL, rougeLsum
from maple.metrics.pooled import (
    class_counts,
    correlation_counts,
    macro_f1,
    matthews_correlation,
    weighted_f1,
    yes_counts,
    yes_f1,
    yes_precision,
    yes_rate,
    yes_recall,
)
from maple.metrics.sets import SET_METRICS
from maple.metrics.spans import english_exact_match, exact_match, f1, vqa_score
from maple.metrics.translation import CORPUS_METRICS

METRICS: dict[str, Metric] = {
    "accuracy": ItemMetric(accuracy),
    "macro_f1": PooledMetric(class_counts, macro_f1),
    "weighted_f1": PooledMetric(class_counts, weighted_f1),
    "mcc": PooledMetric(correlation_counts, matthews_correlation, Scale(low=-1.0)),
    "ece": PooledMetric(
        calibration_counts, expected_calibration_error, Scale(lower_is_better=True), needs_probabilities=True
    ),
    "brier": ProbabilityMetric(brier, Scale(high=2.0, lower_is_better=True)),
    "nll": ProbabilityMetric(negative_log_likelihood, Scale(high=math.inf, lower_is_better=True)),
    "yes_precision": PooledMetric(yes_counts, yes_precision, binary=True),
    "yes_recall": PooledMetric(yes_counts, yes_recall, binary=True),
    "yes_f1": PooledMetric(yes_counts, yes_f1, binary=True),
    "yes_rate": PooledMetric(yes_counts, yes_rate, Scale(neutral=True), binary=True),
    "exact_match": ItemMetric(exact_match),
    "english_exact_match": ItemMetric(english_exact_match),
    "f1": ItemMetric(f1),
    "vqa_score": ItemMetric(vqa_score),
    "number": ItemMetric(number),
    "rouge1": ItemMetric(rouge1),
    "rouge2": ItemMetric(rouge2),
    "rougeL": ItemMetric(rougeL),
    "rougeLsum": ItemMetric(rougeLsum),
    "rouge_ascii": ItemMetric(rouge_ascii),
    "chrf++": ItemMetric(chrf_pp),
    "bleu": ItemMetric(bleu),
    **CORPUS_METRICS,
    "cider": ConsensusMetric(cider, Scale(high=10.0)),
    **SET_METRICS,
}
# Before the name of a metric: the answer is the choice that was ranked first.
RANKED = "rank_"
# Before the name of a metric: the answer was given without the picture (maple.definitions.task.GENERATED).
BLIND = "blind_"
# After the name of a metric of texts: the references went through the model's tokenizer and back.
ROUND_TRIPPED = "_round_tripped"


def metric_of(name: str) -> Metric:
    """Return the metric of a name in score files, as rank_accuracy_per_byte.

    A ranked choice is scored as a label is, and a blind answer as one that saw the picture.
    """
    own = name.removeprefix(RANKED).removeprefix(BLIND)
    return METRICS[own.removesuffix("_per_byte").removesuffix(ROUND_TRIPPED)]


def is_neutral(name: str) -> bool:
    """Return True for a metric of which neither more nor less is better: what is answered blindly is no success."""
    return name.startswith(BLIND) or metric_of(name).scale.neutral


def needs_probabilities(name: str) -> bool:
    """Return True for a metric of the probabilities of labels, which generated answers do not have."""
    metric = metric_of(name)
    return isinstance(metric, LabelMetric) and metric.needs_probabilities


def is_of_items(name: str) -> bool:
    """Return True for a metric that compares one answer with its gold answers, whose scores may be zeros and ones."""
    return isinstance(metric_of(name), ItemMetric)


def zero_if_unparsed(name: str) -> bool:
    """Return True for a metric that is a mean over answers, to which an answer that cannot be parsed adds 0."""
    return isinstance(metric_of(name), ItemMetric | ConsensusMetric)


def is_of_labels(name: str) -> bool:
    """Return True for a metric of a set of labels or of their probabilities."""
    return isinstance(metric_of(name), LabelMetric)


def is_of_texts(name: str) -> bool:
    """Return True for a metric of a set of texts, as corpus BLEU."""
    return isinstance(metric_of(name), TextMetric)


def gold_of(name: str) -> Gold:
    """Return what the gold answers are that a metric compares answers with."""
    metric = metric_of(name)
    return metric.gold if isinstance(metric, ItemMetric | CorpusMetric) else "alternatives"


def is_binary(name: str) -> bool:
    """Return True for a metric of two labels, the first of which is the positive one."""
    metric = metric_of(name)
    return isinstance(metric, PooledMetric) and metric.binary
