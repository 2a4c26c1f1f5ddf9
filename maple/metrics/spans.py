"""Metrics of short answers: exact match and F1 of extractive question answering, and the VQA score."""

from collections import Counter

import regex

from maple.text.numbers import without_grouping
from maple.text.segmentation import normalize, parted, segments

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
# A mark between two digits and a minus before a number stay: SQuAD's rule makes 18 of 1.8, 1/8 and -18.
_PUNCTUATION = regex.compile(
    r"(?![\u200c\u200d]|(?<=\p{Nd})\p{P}\p{Nd}|(?<![\p{L}\p{M}\p{N}])-\p{Nd})[\p{P}\p{Cf}$+<=>^`|~]"
)
# A dash of a range, with spaces or without, and a minus.
_DASH = regex.compile(r"(?<=\p{Nd})\s*[\p{Pd}−]\s*(?=\p{Nd})|[\p{Pd}−](?=\p{Nd})")

# English words for numbers that the VQA score takes for digits (Antol et al. 2015; the table of VQAv2's evaluation).
NUMBER_WORDS = {"none": "0"} | {
    word: str(number)
    for number, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    )
}


def _answer_words(text: str, language: str) -> list[str]:
    """Return the words of an answer by MLQA's rules: without case, punctuation and articles; Han by characters.

    Beyond these rules, marks that part words in a script part them (maple.text.segmentation), and numbers keep their
    sign and the marks within them, but those that group their digits.
    """
    text = _PUNCTUATION.sub("", without_grouping(_DASH.sub("-", normalize(parted(text))), language))
    if articles := ARTICLES.get(language[:3]):
        text = articles.sub(" ", text)
    return text.split() if language[:3] in SPACED else segments(text)


def exact_match(prediction: str, targets: list[str], language: str) -> float:
    """Return 1.0 if the answer equals a gold answer up to case, punctuation and articles, else 0.0.

    SQuAD (Rajpurkar et al. 2016, EMNLP, D16-1264), with MLQA's rules per language (Lewis et al. 2020, ACL).
    Beyond these, a mark within a number and its sign count.

    >>> exact_match("The Cat!", ["cat"], "eng_Latn"), exact_match("1.8", ["18"], "eng_Latn")
    (1.0, 0.0)
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


def english_exact_match(prediction: str, targets: list[str], language: str) -> float:
    """Return the exact match by the rules for English, whatever the language of the question.

    The answers of xGQA (Pfeiffer et al. 2022, arXiv 2109.06082) are English in all of its languages, one word or a few
    of GQA's 1,853. The paper's models are classifiers over them, and its accuracy is the share of equal labels. A model
    that writes its answer is scored by equality in lower case, after spaces, punctuation and English articles are taken
    from the answer (mBLIP, Geigle et al. 2024, arXiv 2307.06930). `exact_match` is not the same: it removes the
    articles of the question's language, so that "a chair" is right in English alone.

    >>> english_exact_match("A chair.", ["chair"], "deu_Latn"), exact_match("A chair.", ["chair"], "deu_Latn")
    (1.0, 0.0)
    """
    return exact_match(prediction, targets, "eng_Latn")


def _vqa_words(text: str, language: str) -> list[str]:
    """Return the words of an answer as exact_match has them, in English with digits for the words of NUMBER_WORDS."""
    numbers = NUMBER_WORDS if language[:3] == "eng" else {}
    return [numbers.get(word, word) for word in _answer_words(text, language)]


def vqa_score(prediction: str, targets: list[str], language: str) -> float:
    """Return the VQA score: an answer is wholly right if at least three of nine people gave it.

    `targets` are the answers of all people, equal ones as often as they were given. The score is min(matches / 3, 1),
    averaged over the sets that lack one answer (Antol et al. 2015, arXiv 1505.00468; the evaluation of VQAv2): of ten
    answers, one match gives 0.3, two give 0.6, three 0.9. Fewer answers are treated alike, so that two or three allow
    1/3 and 2/3 at most: where gold answers are alternatives and no votes, exact_match is the metric. A single answer
    is compared by exact match.

    Two answers are equal if exact_match takes them for equal in the language, and in English also if they differ by a
    number word, as "two" and "2". VQAv2's table of contractions is not needed: without apostrophes "dont" is "don't".
    Its script puts a space for a hyphen or a slash within a word, where SQuAD's rules and ours join the parts. Other
    languages have no number words (our choice).

    >>> vqa_score("Two", ["2", "2", "3"] + ["many"] * 7, "eng_Latn")
    0.6
    """
    answer = _vqa_words(prediction, language)
    matches = sum(_vqa_words(target, language) == answer for target in targets)
    if len(targets) == 1:
        return float(matches)
    without_match, without_other = min((matches - 1) / 3, 1), min(matches / 3, 1)
    return (matches * without_match + (len(targets) - matches) * without_other) / len(targets)
