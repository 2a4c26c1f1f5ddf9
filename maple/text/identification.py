"""Script and language identification."""

import math
from collections.abc import Collection
from functools import cache

import regex

from maple.text.prose import prose, without_names

# ISO 15924 codes that stand for several Unicode scripts, or for one of another name.
SCRIPTS = {"Hans": ["Hani"], "Hant": ["Hani"], "Jpan": ["Hani", "Hira", "Kana"], "Kore": ["Hang", "Hani"]}
# The standards of simplified (China, GB 2312-80) and traditional characters (Taiwan, Big5). Of the Declaration of Human
# Rights, a fourth of the characters are in one of them alone, always the text's own; so in 250 sentences of FLORES-200.
CHINESE = {"Hans": "gb2312", "Hant": "big5"}
# Standard languages that even a reader cannot always tell apart by one sentence.
SIMILAR_LANGUAGES = ({"id", "ms"}, {"hr", "bs", "sr"}, {"nb", "no", "nn", "da"})
# In these, words with a capital in a row are no names.
CAPITALIZING_LANGUAGES = ("de", "lb")
# With fewer letters no language is guessed: names and single words are spelt alike in many languages.
MIN_LETTERS = 20
# A language is ruled out if it is less likely than another one by this multiple of the square root of the text's bytes;
# names decide by less. Measured on the Declaration of Human Rights in pieces of 120 characters: of 2,473 pieces one was
# taken to be none of its own language, and of 944 pieces 98 % to be none of a similar one, as Spanish and Portuguese.
MARGIN = 2.0
# Letters that belong to one script or a few: not the apostrophe that Uzbek writes as a letter.
_LETTER = regex.compile(r"(?V1)[\p{L}--\p{scx=Zyyy}]")


def script_share(text: str, script: str) -> float:
    """Return the share of a text's letters that belong to an ISO 15924 script; 1.0 for a text without letters.

    Simplified and traditional Chinese are two scripts: of the Chinese characters that only one of them writes, the
    share that this one writes is the share of all Chinese characters that count.

    >>> script_share("Nairobi 2024", "Latn")
    1.0
    >>> script_share("ab वर्षा", "Deva")
    0.6
    >>> script_share("她说", "Hans"), script_share("她說", "Hans"), script_share("她", "Hant")
    (1.0, 0.0, 1.0)
    """
    letters = _LETTER.findall(text)
    # Script extensions, so that the mark of a long vowel in Japanese counts as kana.
    scripts = "".join(rf"\p{{scx={name}}}" for name in SCRIPTS.get(script, [script]))
    own = len(regex.findall(rf"(?=\p{{L}})[{scripts}]", text))
    return own * _share_of_chinese(text, script) / len(letters) if letters else 1.0


def _share_of_chinese(text: str, script: str) -> float:
    """Return the share of `script` in the characters that simplified or traditional Chinese alone writes; else 1.0."""
    if script not in CHINESE:
        return 1.0
    forms = [form for character in regex.findall(r"\p{Han}", text) if (form := _only_in(character))]
    return forms.count(script) / len(forms) if forms else 1.0


@cache
def _only_in(character: str) -> str:
    """Return which of CHINESE alone has a character in its standard; "" for both and for none."""
    scripts = [script for script, standard in CHINESE.items() if _encodes(standard, character)]
    return scripts[0] if len(scripts) == 1 else ""


def _encodes(standard: str, character: str) -> bool:
    try:
        character.encode(standard)
    except UnicodeEncodeError:
        return False
    return True


@cache
def _identifier():
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # takes half a second: only for long answers

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    # ISO 639-1 codes only: the model's other labels are varieties (Egyptian Arabic, Cantonese) of these languages.
    identifier.set_languages({label for label in identifier.nb_classes if len(label) == 2})
    return identifier


def _likelihoods(text: str) -> dict[str, float]:
    """Return the log-likelihood of each language per square root of bytes, the best first; empty if few letters.

    By py3langid's bundled model (Lui and Baldwin 2012, P12-3005).
    """
    if sum(1 for _ in _LETTER.finditer(text)) < MIN_LETTERS:
        return {}
    root = math.sqrt(len(text.encode()))
    return {label: score / root for label, score in _identifier().rank(text)}


def _likelihoods_of_prose(text: str) -> dict[str, float]:
    """Return _likelihoods without code, links, quotes and names, which tell nothing of a text's language."""
    text = prose(text)
    scores, unnamed = _likelihoods(text), without_names(text)
    capitalizes = next(iter(scores), "") in CAPITALIZING_LANGUAGES
    return scores if capitalizes or unnamed == text else _likelihoods(unnamed)


def _similar(iso639_1: str) -> Collection[str]:
    return {iso639_1}.union(*(similar for similar in SIMILAR_LANGUAGES if iso639_1 in similar))


def in_language(text: str, iso639_1: str) -> bool | None:
    """Return True if a language is the likeliest of a text, False if another one clearly is; None if unknown.

    Texts of fewer than MIN_LETTERS letters are unknown, and so are languages that the model lacks. Languages of one set
    of SIMILAR_LANGUAGES count as one.

    >>> in_language("Watoto wote walikwenda shuleni asubuhi na mapema leo.", "sw")
    True
    >>> in_language("Nairobi", "sw") is None
    True
    >>> in_language("Watoto wote walikwenda shuleni asubuhi na mapema leo.", "de")
    False
    """
    scores = _likelihoods_of_prose(text)
    if iso639_1 not in scores:
        return None
    best = next(iter(scores))
    if best in _similar(iso639_1):
        return True
    return False if scores[best] - scores[iso639_1] >= MARGIN else None


def clearly_in(text: str, iso639_1: str) -> bool:
    """Return True if a language is clearly likelier than all others that are not similar to it.

    >>> clearly_in("They all went to school this morning.", "en")
    True
    >>> clearly_in("A sigla NASA significa National Aeronautics and Space Administration.", "en")
    False
    """
    scores = _likelihoods_of_prose(text)
    others = scores.keys() - _similar(iso639_1)
    return iso639_1 in scores and scores[iso639_1] - max(scores[other] for other in others) >= MARGIN
