"""Metrics of a set of translations: sacrebleu's corpus BLEU, chrF2, chrF++ and spBLEU, from counts per item.

sacrebleu counts; the scores are computed here from sums of its counts, for many sets at once, and equal its own.
sacrebleu is imported inside functions: who reads scores needs none of it.
"""

import os
from functools import cache, partial
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from maple.metrics.metric import CorpusCounts, CorpusMetric, TextAnswers
from maple.metrics.overlap import BLEU_TOKENIZERS

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric

SPBLEU = "spbleu"
# The tokenizer of spBLEU, in sacrebleu's name, and its file in the folder of sacrebleu's models.
SPBLEU_TOKENIZER, SPBLEU_FILE = "flores200", "flores200sacrebleuspm"
# ISO 15924 scripts that are written without spaces between words: where BLEU's tokenizer is 13a, which splits at spaces
# and punctuation, its n-grams are of whole clauses.
UNSPACED_SCRIPTS = ("Hans", "Hant", "Jpan", "Khmr", "Laoo", "Mymr", "Thai", "Tibt")
ORDERS = 4  # of BLEU
BETA = 2  # of chrF: recall counts so many times as much as precision


def missing_model(metric: str) -> Path | None:
    """Return the file that a metric needs and that is not there; None if it needs none, or has it.

    sacrebleu would download it at that moment. Its folder is $SACREBLEU/models, and without that variable
    ~/.sacrebleu/models.
    """
    if metric != SPBLEU:
        return None
    file = Path(os.environ.get("SACREBLEU", Path.home() / ".sacrebleu"), "models", SPBLEU_FILE)
    return None if file.is_file() else file


def splits_clauses(signature: str, language: str) -> bool:
    """Return True if a score's n-grams are of clauses and not of words, by its signature and the language's code.

    >>> splits_clauses("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0", "tha_Thai")
    True
    """
    return "tok:13a" in signature.split("|") and language.partition("_")[2] in UNSPACED_SCRIPTS


@cache
def _bleu(tokenizer: str) -> "Metric":
    from sacrebleu.metrics.bleu import BLEU

    # force: no warning of texts that look as if they were tokenized; that is what a model wrote.
    return BLEU(tokenize=tokenizer, force=True)


@cache
def _chrf(word_order: int) -> "Metric":
    from sacrebleu.metrics.chrf import CHRF

    return CHRF(word_order=word_order, beta=BETA)


def _counts(metric: "Metric", answers: TextAnswers) -> CorpusCounts:
    """Return sacrebleu's statistics of each item, which it adds up itself, and its signature."""
    references = list(zip_longest(*answers.targets))  # streams, as sacrebleu wants them; None where an item has fewer
    counts = metric._extract_corpus_statistics(list(answers.predictions), references)
    return CorpusCounts(np.array(counts, dtype=np.int64), str(metric.get_signature()))


def bleu_counts(answers: TextAnswers) -> CorpusCounts:
    """Return the counts of BLEU, (items, 10): lengths of answer and reference, matches and totals of 1- to 4-grams.

    The tokenizer is sacrebleu's own choice for the language: zh, ja-mecab and ko-mecab, and 13a for all others. The
    reference length is that of the closest reference, and matches count in any reference (Papineni et al. 2002,
    P02-1040).
    """
    return _counts(_bleu(BLEU_TOKENIZERS.get(answers.language[:3], "13a")), answers)


def spbleu_counts(answers: TextAnswers) -> CorpusCounts:
    """Return the counts of BLEU over the pieces of FLORES-200's sentencepiece model (NLLB, arXiv 2207.04672).

    Raises FileNotFoundError if the model is not on disk (missing_model): nothing is downloaded.
    """
    if file := missing_model(SPBLEU):
        raise FileNotFoundError(f"{file}: the sentencepiece model of spbleu is not there")
    return _counts(_bleu(SPBLEU_TOKENIZER), answers)


def chrf_counts(answers: TextAnswers, word_order: int) -> CorpusCounts:
    """Return the counts of chrF, (items, 3 x orders): n-grams of answer, of reference, and of both, per order.

    The orders are 1 to 6 of characters without spaces, then 1 to `word_order` of words (Popović 2017, W17-4770). Of
    several references the one with the highest sentence chrF counts.
    """
    return _counts(_chrf(word_order), answers)


def bleu(sums: np.ndarray) -> np.ndarray:
    """Return corpus BLEU, from 0 to 1, of sums of bleu_counts, (..., 10).

    The geometric mean of the n-gram precisions times the brevity penalty. Exponential smoothing, as sacrebleu's
    default (Chen and Cherry 2014, W14-3346, method 3): the k-th order without a match has 1 / 2^k matches. A corpus
    without any match, or without a 4-gram, has 0.
    """
    length, reference = sums[..., 0].astype(float), sums[..., 1]
    matches, totals = sums[..., 2 : 2 + ORDERS].astype(float), sums[..., 2 + ORDERS :]
    unmatched = matches == 0
    smoothed = np.where(unmatched, 0.5 ** np.cumsum(unmatched, axis=-1), matches)
    logarithms = np.log(smoothed / np.maximum(totals, 1))
    penalty = np.exp(np.minimum(0.0, 1 - reference / np.maximum(length, 1)))
    scored = (totals > 0).all(axis=-1) & ~unmatched.all(axis=-1)
    return np.where(scored, penalty * np.exp(logarithms.sum(axis=-1) / ORDERS), 0.0)


def chrf(sums: np.ndarray) -> np.ndarray:
    """Return corpus chrF, from 0 to 1, of sums of chrf_counts, (..., 3 x orders).

    The F-score of mean precision and mean recall over the orders that both answers and references have, as sacrebleu's
    default.
    """
    predicted, gold, both = np.moveaxis(sums.reshape(*sums.shape[:-1], -1, 3), -1, 0).astype(float)
    effective = (predicted > 0) & (gold > 0)
    orders = np.maximum(effective.sum(axis=-1), 1)
    precision, recall = (
        np.where(effective, both / np.maximum(counts, 1), 0.0).sum(axis=-1) / orders for counts in (predicted, gold)
    )
    below = BETA**2 * precision + recall
    return np.where(below > 0, (1 + BETA**2) * precision * recall / np.where(below > 0, below, 1), 0.0)


CORPUS_METRICS = {
    "corpus_bleu": CorpusMetric(bleu_counts, bleu),
    "corpus_chrf": CorpusMetric(partial(chrf_counts, word_order=0), chrf),
    "corpus_chrf++": CorpusMetric(partial(chrf_counts, word_order=2), chrf),
    SPBLEU: CorpusMetric(spbleu_counts, bleu),
}
