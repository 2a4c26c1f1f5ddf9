"""All metrics, by name."""

from collections.abc import Callable

from maple.metrics.labels import accuracy
from maple.metrics.overlap import bleu, chrf_pp, rouge1, rouge2, rouge_ascii, rougeL, rougeLsum
from maple.metrics.spans import exact_match, f1

METRICS: dict[str, Callable[[str, list[str], str], float]] = {
    "accuracy": accuracy,
    "exact_match": exact_match,
    "f1": f1,
    "rouge1": rouge1,
    "rouge2": rouge2,
    "rougeL": rougeL,
    "rougeLsum": rougeLsum,
    "rouge_ascii": rouge_ascii,
    "chrf++": chrf_pp,
    "bleu": bleu,
}
