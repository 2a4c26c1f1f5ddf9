"""Metrics: how good one prediction is, from 0 to 1, in any script.

To add one, write a function (prediction, targets, language) -> float and give it a key in METRICS. `prediction` is the
parsed answer, `targets` are the gold answers, of which the best match counts, `language` is a code such as `swh_Latn`.
"""

from collections import Counter
from collections.abc import Callable
from functools import cache

import regex

from maple.segmentation import normalize, segments, tokens

# What MLQA's rules (Lewis et al. 2020, ACL, 2020.acl-main.653) take out as articles, by ISO 639-3. In Arabic it is the
# letters of the article wherever they stand, as in the published figures. Any other language keeps all of its words.
ARTICLES = {
    "eng": regex.compile(r"\b(?:a|an|the)\b"),
    "spa": regex.compile(r"\b(?:un|una|unos|unas|el|la|los|las)\b"),
    "vie": regex.compile(r"\b(?:của|là|cái|chiếc|những)\b"),
    "deu": regex.compile(r"\b(?:ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b"),
    "arb": regex.compile(r"ال"),
}
# Unicode's punctuation, the ASCII symbols that SQuAD counts as such, and invisible marks, of direction for instance;
# not the joiners, which are spelling in Indic scripts and Persian.
_PUNCTUATION = regex.compile(r"(?![\u200c\u200d])[\p{P}\p{Cf}$+<=>^`|~]")


def accuracy(prediction: str, targets: list[str], language: str) -> float:
    """Return 1 if the chosen label is the gold one, else 0."""
    return float(prediction in targets)


def _answer(text: str, language: str) -> list[str]:
    """Return the words of an answer by MLQA's rules: no case, no punctuation, no articles, Han by characters."""
    text = _PUNCTUATION.sub("", normalize(text))
    articles = ARTICLES.get(language[:3])
    return segments(articles.sub(" ", text) if articles else text)


def exact_match(prediction: str, targets: list[str], language: str) -> float:
    """Return 1 if the answer is a gold answer, but for case, punctuation and articles, else 0.

    SQuAD (Rajpurkar et al. 2016, EMNLP, D16-1264), with MLQA's rules for each language (Lewis et al. 2020, ACL).
    """
    return float(any(_answer(prediction, language) == _answer(target, language) for target in targets))


def f1(prediction: str, targets: list[str], language: str) -> float:
    """Return the harmonic mean of precision and recall of the answer's words, each counted as often as it occurs.

    SQuAD (Rajpurkar et al. 2016, EMNLP, D16-1264), with MLQA's rules for each language (Lewis et al. 2020, ACL): Han is
    compared by characters, and so are, beyond MLQA, the other scripts without spaces (Thai, Kana, Lao, Khmer, Burmese).
    """

    def overlap(target: str) -> float:
        predicted, gold = Counter(_answer(prediction, language)), Counter(_answer(target, language))
        return 2 * (predicted & gold).total() / max(predicted.total() + gold.total(), 1)

    return max(map(overlap, targets))


class _Tokenizer:
    """The words of any script, for rouge_score, whose own tokenizer deletes all but a-z and 0-9."""

    def tokenize(self, text: str) -> list[str]:
        return tokens(text)


@cache
def _scorer(kind: str):
    from rouge_score.rouge_scorer import RougeScorer  # half a second, which only summaries should cost

    return RougeScorer([kind], tokenizer=_Tokenizer())


def _rouge(kind: str, prediction: str, targets: list[str]) -> float:
    return float(_scorer(kind).score_multi(targets, prediction)[kind].fmeasure)


def rouge1(prediction: str, targets: list[str], language: str) -> float:
    """Return the F of shared words (ROUGE-1; Lin 2004, W04-1013); no stemming; characters in scripts without spaces."""
    return _rouge("rouge1", prediction, targets)


def rouge2(prediction: str, targets: list[str], language: str) -> float:
    """Return the F of shared pairs of neighbouring words (ROUGE-2; Lin 2004, W04-1013), words as in rouge1."""
    return _rouge("rouge2", prediction, targets)


def rougeL(prediction: str, targets: list[str], language: str) -> float:
    """Return the F of the longest common subsequence of words (ROUGE-L; Lin 2004, W04-1013), words as in rouge1."""
    return _rouge("rougeL", prediction, targets)


METRICS: dict[str, Callable[[str, list[str], str], float]] = {
    "accuracy": accuracy,
    "exact_match": exact_match,
    "f1": f1,
    "rouge1": rouge1,
    "rouge2": rouge2,
    "rougeL": rougeL,
}
