"""Metrics of extractive question answering: exact match and F1."""

from collections import Counter

import regex

from maple.text.segmentation import normalize, segments

# What MLQA's rules (Lewis et al. 2020, ACL, 2020.acl-main.653) take out as articles, by ISO 639-3. In Arabic it is the
# letters of the article wherever they stand, as in the published figures. Any other language keeps all of its words.
ARTICLES = {
    "eng": regex.compile(r"\b(?:a|an|the)\b"),
    "spa": regex.compile(r"\b(?:un|una|unos|unas|el|la|los|las)\b"),
    "vie": regex.compile(r"\b(?:của|là|cái|chiếc|những)\b"),
    "deu": regex.compile(r"\b(?:ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b"),
    "arb": regex.compile(r"ال"),
}
# Languages of MLQA's whose answers are cut at spaces alone, whatever else is quoted in them.
SPACED = ("eng", "spa", "vie", "deu", "arb", "hin")
# Unicode's punctuation, the ASCII symbols that SQuAD counts as such, and invisible marks, of direction for instance;
# not the joiners, which are spelling in Indic scripts and Persian.
_PUNCTUATION = regex.compile(r"(?![\u200c\u200d])[\p{P}\p{Cf}$+<=>^`|~]")


def _answer(text: str, language: str) -> list[str]:
    """Return the words of an answer by MLQA's rules: no case, no punctuation, no articles, Han by characters."""
    text = _PUNCTUATION.sub("", normalize(text))
    if articles := ARTICLES.get(language[:3]):
        text = articles.sub(" ", text)
    return text.split() if language[:3] in SPACED else segments(text)


def exact_match(prediction: str, targets: list[str], language: str) -> float:
    """Return 1 if the answer is a gold answer, but for case, punctuation and articles, else 0.

    SQuAD (Rajpurkar et al. 2016, EMNLP, D16-1264), with MLQA's rules for each language (Lewis et al. 2020, ACL).
    """
    return float(any(_answer(prediction, language) == _answer(target, language) for target in targets))


def f1(prediction: str, targets: list[str], language: str) -> float:
    """Return the harmonic mean of precision and recall of the answer's words, each counted as often as it occurs.

    SQuAD (Rajpurkar et al. 2016, EMNLP, D16-1264), with MLQA's rules for each language (Lewis et al. 2020, ACL): Han is
    compared by characters in Chinese, and so are, beyond MLQA, the scripts without spaces in all other languages.
    """

    def overlap(target: str) -> float:
        predicted, gold = Counter(_answer(prediction, language)), Counter(_answer(target, language))
        if not predicted or not gold:  # nothing but articles and punctuation: as SQuAD 2.0's own script has it
            return float(predicted == gold)
        return 2 * (predicted & gold).total() / (predicted.total() + gold.total())

    return max(map(overlap, targets))
