"""Metrics of extractive question answering: exact match and F1."""

from collections import Counter

import regex

from maple.text.segmentation import normalize, segments

# Articles that MLQA's rules remove (Lewis et al. 2020, ACL, 2020.acl-main.653), by ISO 639-3 code. In Arabic the
# letters of the article are removed wherever they stand, as in the published figures. Other languages keep all words.
ARTICLES = {
    "eng": regex.compile(r"\b(?:a|an|the)\b"),
    "spa": regex.compile(r"\b(?:un|una|unos|unas|el|la|los|las)\b"),
    "vie": regex.compile(r"\b(?:của|là|cái|chiếc|những)\b"),
    "deu": regex.compile(r"\b(?:ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b"),
    "arb": regex.compile(r"ال"),
}
# MLQA's languages whose answers are split at spaces only, also where they quote a script without spaces.
SPACED = ("eng", "spa", "vie", "deu", "arb", "hin")
# Unicode punctuation, the ASCII symbols that SQuAD counts as punctuation, and invisible marks such as those of
# direction; not the joiners, which belong to the spelling in Indic scripts and Persian.
_PUNCTUATION = regex.compile(r"(?![\u200c\u200d])[\p{P}\p{Cf}$+<=>^`|~]")


def _answer_words(text: str, language: str) -> list[str]:
    """Return the words of an answer by MLQA's rules: without case, punctuation and articles; Han by characters."""
    text = _PUNCTUATION.sub("", normalize(text))
    if articles := ARTICLES.get(language[:3]):
        text = articles.sub(" ", text)
    return text.split() if language[:3] in SPACED else segments(text)


def exact_match(prediction: str, targets: list[str], language: str) -> float:
    """Return 1.0 if the answer equals a gold answer up to case, punctuation and articles, else 0.0.

    SQuAD (Rajpurkar et al. 2016, EMNLP, D16-1264), with MLQA's rules per language (Lewis et al. 2020, ACL).

    >>> exact_match("The Cat!", ["cat"], "eng_Latn")
    1.0
    """
    return float(any(_answer_words(prediction, language) == _answer_words(target, language) for target in targets))


def f1(prediction: str, targets: list[str], language: str) -> float:
    """Return the F1 of the answer's words with the best gold answer's, each counted as often as it occurs.

    SQuAD (Rajpurkar et al. 2016, EMNLP, D16-1264), with MLQA's rules per language (Lewis et al. 2020, ACL): Chinese is
    compared by characters; so are, beyond MLQA, scripts without spaces in all other languages.

    >>> f1("il a dit", ["il dit"], "fra_Latn")
    0.8
    """

    def overlap(target: str) -> float:
        predicted, gold = Counter(_answer_words(prediction, language)), Counter(_answer_words(target, language))
        if not predicted or not gold:  # only articles and punctuation: as in SQuAD 2.0's script
            return float(predicted == gold)
        return 2 * (predicted & gold).total() / (predicted.total() + gold.total())

    return max(map(overlap, targets))
