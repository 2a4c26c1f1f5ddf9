"""Metrics: how good one prediction is, from 0 to 1, in any script.

To add one, write a function (prediction, targets, language) -> float and give it a key in METRICS. `prediction` is the
parsed answer, `targets` are the gold answers, of which the best match counts, `language` is a code such as `swh_Latn`.
"""

from functools import cache

from maple.text.words import sentences, words


class _Words:
    """The words of a language, for rouge_score, whose own tokenizer deletes all but a-z and 0-9."""

    def __init__(self, language: str):
        self.language = language

    def tokenize(self, text: str) -> list[str]:
        return list(words(text, self.language))


@cache
def _scorer(kind: str, language: str | None):
    from rouge_score.rouge_scorer import RougeScorer  # half a second, which only summaries should cost

    return RougeScorer([kind], tokenizer=_Words(language) if language else None)


def _rouge(kind: str, prediction: str, targets: list[str], language: str | None) -> float:
    return float(_scorer(kind, language).score_multi(targets, prediction)[kind].fmeasure)


def rouge1(prediction: str, targets: list[str], language: str) -> float:
    """Return the F of shared words (ROUGE-1; Lin 2004, W04-1013); no stemming; words as maple.text.words has them."""
    return _rouge("rouge1", prediction, targets, language)


def rouge2(prediction: str, targets: list[str], language: str) -> float:
    """Return the F of shared pairs of neighbouring words (ROUGE-2; Lin 2004, W04-1013), words as in rouge1."""
    return _rouge("rouge2", prediction, targets, language)


def rougeL(prediction: str, targets: list[str], language: str) -> float:
    """Return the F of the longest common subsequence of words (ROUGE-L; Lin 2004, W04-1013), words as in rouge1."""
    return _rouge("rougeL", prediction, targets, language)


def rougeLsum(prediction: str, targets: list[str], language: str) -> float:
    """Return the F of the union of longest common subsequences over sentences (ROUGE-L of summaries; Lin 2004, 3.2)."""
    lines = ["\n".join(sentences(text)) for text in (prediction, *targets)]
    return _rouge("rougeLsum", lines[0], lines[1:], language)


def rouge_ascii(prediction: str, targets: list[str], language: str) -> float:
    """Return ROUGE-L as rouge_score has it by default, on a-z and 0-9 alone, for comparison with published tables.

    It is 0 for a perfect summary in most scripts but Latin.
    """
    return _rouge("rougeL", prediction, targets, None)


@cache
def _chrf():
    from sacrebleu.metrics import CHRF

    return CHRF(word_order=2)


def chrf_pp(prediction: str, targets: list[str], language: str) -> float:
    """Return sacrebleu's chrF++ of the item (Popović 2017, W17-4770): characters up to 6, words up to 2, spaces out.

    A mean over items is not the chrF++ of a corpus, whose counts are added up before they are divided.
    """
    return _chrf().sentence_score(prediction, targets).score / 100


# Languages that sacrebleu segments itself; what has no spaces otherwise is segmented by maple.text.words first. Its
# default, 13a, knows ASCII's punctuation only, so scripts with other full stops take `intl`, which knows Unicode's.
BLEU_TOKENIZERS = {"zho": "zh", "jpn": "ja-mecab", "kor": "ko-mecab"}
BLEU_SEGMENTED = ("tha", "lao", "khm", "mya")
BLEU_13A = ("Latn", "Cyrl", "Grek")


@cache
def _bleu(tokenizer: str):
    from sacrebleu.metrics import BLEU

    return BLEU(tokenize=tokenizer, effective_order=True)


def bleu(prediction: str, targets: list[str], language: str) -> float:
    """Return sacrebleu's BLEU of the item (Papineni et al. 2002, P02-1040; Post 2018, W18-6319), effective order.

    The tokenizer is the language's (BLEU_TOKENIZERS). A mean over items is not the BLEU of a corpus.
    """
    code, script = language.split("_")
    if code in BLEU_SEGMENTED:
        prediction, *targets = (" ".join(words(text, language)) for text in (prediction, *targets))
        tokenizer = "none"
    else:
        tokenizer = BLEU_TOKENIZERS.get(code, "13a" if script in BLEU_13A else "intl")
    return min(1.0, _bleu(tokenizer).sentence_score(prediction, targets).score / 100)  # rounding would end above
