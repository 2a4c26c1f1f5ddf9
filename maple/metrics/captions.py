"""Metrics of a set of captions: CIDEr-D, from n-grams that are weighted by the references of the whole test set."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain

import numpy as np

from maple.metrics.metric import TextAnswers, TextScores
from maple.text.words import words

ORDERS = 4  # n-grams of 1 to 4 words
SIGMA = 6.0  # of the penalty for a difference of lengths
NGram = tuple[str, ...]


@dataclass(frozen=True)
class _Vector:
    """The weighted n-grams of a text."""

    weights: list[dict[NGram, float]]
    """The weights of the n-grams, by order."""
    norms: list[float]
    """The lengths of the vector of each order."""
    bigrams: int
    """The number of pairs of neighbouring words, which the reference code takes for the length of the text."""


def _ngrams(tokens: Sequence[str]) -> Counter[NGram]:
    """Return how often each n-gram of 1 to ORDERS words occurs."""
    orders = range(1, ORDERS + 1)
    return Counter(tuple(tokens[at : at + n]) for n in orders for at in range(len(tokens) - n + 1))


def _vector(counts: Counter[NGram], weights: dict[NGram, float], unknown: float) -> _Vector:
    """Return the counts of n-grams times their weights; `unknown` is that of an n-gram of no reference."""
    weighted: list[dict[NGram, float]] = [{} for _ in range(ORDERS)]
    for ngram, count in counts.items():
        weighted[len(ngram) - 1][ngram] = count * weights.get(ngram, unknown)
    norms = [math.sqrt(sum(weight**2 for weight in order.values())) for order in weighted]
    return _Vector(weighted, norms, sum(count for ngram, count in counts.items() if len(ngram) == 2))


def _similarity(caption: _Vector, reference: _Vector) -> float:
    """Return the mean over orders of the clipped cosine, times the penalty for a difference of lengths."""
    cosines = 0.0
    for ours, theirs, norm, other in zip(
        caption.weights, reference.weights, caption.norms, reference.norms, strict=True
    ):
        shared = sum(min(weight, theirs[ngram]) * theirs[ngram] for ngram, weight in ours.items() if ngram in theirs)
        cosines += shared / (norm * other) if norm and other else 0.0
    penalty = math.exp(-((caption.bigrams - reference.bigrams) ** 2) / (2 * SIGMA**2))
    return penalty * cosines / ORDERS


def _digest(references: Sequence[Sequence[Sequence[str]]]) -> str:
    """Return a digest of the words of the references of all items, whatever the order of items and references."""
    items = sorted("\n".join(sorted(" ".join(tokens) for tokens in item)) for item in references)
    return blake2b("\n\n".join(items).encode(), digest_size=4).hexdigest()


def cider(answers: TextAnswers) -> TextScores:
    """Return the CIDEr-D of each caption, from 0 to 10 (Vedantam et al. 2015, arXiv 1411.5726, on gameability).

    A text is a vector of its n-grams of 1 to 4 words: how often each occurs, times its inverse document frequency. That
    is the logarithm of the number of items, minus that of the number of items with the n-gram in a reference (1 if it
    is in none). A score is 10 times the mean over orders and references of the cosine, in whose product a weight of the
    caption counts at most as that of the reference, times a Gaussian of the difference of lengths (sigma 6). A caption
    of fewer than four words has no 4-grams, so that even a perfect one has less than 10.

    The document frequencies are those of the references of all items, and no answer changes them: given them, a score
    is one of the item alone (maple.metrics.metric.ConsensusMetric). An n-gram that every item has weighs nothing. So in
    a set of one item all scores are 0, even that of a perfect caption; and the fewer the items, the more alike all
    n-grams weigh. The signature has the number of items and a digest of the references.

    Given the same words, scores are those of the reference code (pycocoevalcap 1.2), also in that its length of a text
    is the number of word pairs. Words are those of ROUGE (maple.text.words), segmented in Thai, Chinese, Japanese and
    Korean. The COCO code has the Penn Treebank's: in English these split "don't" into "do" and "n't", where ours are
    "don" and "t"; they keep "t-shirt" and "3.5" whole, where ours are two; and they keep "%", which ours drop.
    """
    captions = [_ngrams(words(text, answers.language)) for text in answers.predictions]
    tokens = [[words(text, answers.language) for text in targets] for targets in answers.targets]
    references = [[_ngrams(text) for text in item] for item in tokens]
    frequencies = Counter(chain.from_iterable({ngram for text in item for ngram in text} for item in references))
    unknown = math.log(len(references))
    weights = {ngram: unknown - math.log(count) for ngram, count in frequencies.items()}
    values = []
    for counts, item in zip(captions, references, strict=True):
        caption = _vector(counts, weights, unknown)
        values.append(10 * sum(_similarity(caption, _vector(text, weights, unknown)) for text in item) / len(item))
    signature = f"n:{ORDERS}|sigma:{SIGMA:g}|items:{len(references)}|idf:{_digest(tokens)}"
    return TextScores(np.array(values), signature)
