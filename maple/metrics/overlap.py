"""Metrics of generated text by n-gram overlap: ROUGE, chrF++ and BLEU of one prediction, in any script.

`prediction` is the parsed answer; `targets` are the gold answers, the best match of which counts; `language` is a code
such as `swh_Latn`.
"""

from functools import cache

from maple.text.words import sentences, words


class _Words:
    """The tokenizer given to rouge_score, whose default deletes everything but a-z and 0-9."""

    def __init__(self, language: str):
        self.language = language

    def tokenize(self, text: str) -> list[str]:
        return list(words(text, self.language))


@cache
def _scorer(kind: str, language: str | None):
    from rouge_score.rouge_scorer import RougeScorer  # takes half a second: only for tasks with ROUGE

    return RougeScorer([kind], tokenizer=_Words(language) if language else None)


def _rouge(kind: str, prediction: str, targets: list[str], language: str | None) -> float:
    return float(_scorer(kind, language).score_multi(targets, prediction)[kind].fmeasure)


def rouge1(prediction: str, targets: list[str], language: str) -> float:
    """Return the F1 of unigrams (ROUGE-1; Lin 2004, W04-1013), without stemming; words by maple.text.words.

    >>> rouge1("jua limetoka leo", ["jua limetoka"], "swh_Latn")
    0.8
    """
    return _rouge("rouge1", prediction, targets, language)


def rouge2(prediction: str, targets: list[str], language: str) -> float:
    """Return the F1 of bigrams (ROUGE-2; Lin 2004, W04-1013); words as in rouge1."""
    return _rouge("rouge2", prediction, targets, language)


def rougeL(prediction: str, targets: list[str], language: str) -> float:
    """Return the F1 of the longest common subsequence (ROUGE-L; Lin 2004, W04-1013); words as in rouge1."""
    return _rouge("rougeL", prediction, targets, language)


def rougeLsum(prediction: str, targets: list[str], language: str) -> float:
    """Return the F1 of the union of longest common subsequences per sentence (summary-level ROUGE-L; Lin 2004, 3.2)."""
    lines = ["\n".join(sentences(text)) for text in (prediction, *targets)]
    return _rouge("rougeLsum", lines[0], lines[1:], language)


def rouge_ascii(prediction: str, targets: list[str], language: str) -> float:
    """Return ROUGE-L with rouge_score's default tokenizer, for comparison with published tables.

    That tokenizer keeps only a-z and 0-9: in most other scripts a perfect summary scores 0.
    """
    return _rouge("rougeL", prediction, targets, None)


@cache
def _chrf():
    from sacrebleu.metrics.chrf import CHRF

    return CHRF(word_order=2)


def chrf_pp(prediction: str, targets: list[str], language: str) -> float:
    """Return sacrebleu's sentence-level chrF++ (Popović 2017, W17-4770): character 6-grams, word bigrams, no spaces.

    The mean over items differs from corpus-level chrF++, which adds up n-gram counts before dividing.
    """
    return _chrf().sentence_score(prediction, targets).score / 100


# sacrebleu has tokenizers for three languages without spaces; maple.text.words segments the others first. Its default
# tokenizer, 13a, knows only ASCII punctuation: scripts with other full stops take `intl`, which knows Unicode's.
BLEU_TOKENIZERS = {"zho": "zh", "jpn": "ja-mecab", "kor": "ko-mecab"}
BLEU_SEGMENTED = ("tha", "lao", "khm", "mya")
BLEU_13A = ("Latn", "Cyrl", "Grek")


@cache
def _bleu(tokenizer: str):
    from sacrebleu.metrics.bleu import BLEU

    return BLEU(tokenize=tokenizer, effective_order=True)


def bleu(prediction: str, targets: list[str], language: str) -> float:
    """Return sacrebleu's sentence-level BLEU (Papineni et al. 2002, P02-1040; Post 2018, W18-6319), effective order.

    The tokenizer depends on the language (BLEU_TOKENIZERS). The mean over items differs from corpus-level BLEU.
    """
    code, script = language.split("_")
    if code in BLEU_SEGMENTED:
        prediction, *targets = (" ".join(words(text, language)) for text in (prediction, *targets))
        tokenizer = "none"
    else:
        tokenizer = BLEU_TOKENIZERS.get(code, "13a" if script in BLEU_13A else "intl")
    return min(1.0, _bleu(tokenizer).sentence_score(prediction, targets).score / 100)  # rounding can end above 1
