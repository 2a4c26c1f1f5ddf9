"""Script and language identification."""

from functools import cache

import regex

# ISO 15924 codes that stand for several Unicode scripts, or for one of another name.
SCRIPTS = {"Hans": ["Hani"], "Hant": ["Hani"], "Jpan": ["Hani", "Hira", "Kana"], "Kore": ["Hang", "Hani"]}
# Standard languages that even a reader cannot always tell apart by one sentence.
SIMILAR_LANGUAGES = ({"id", "ms"}, {"hr", "bs", "sr"}, {"nb", "no", "nn", "da"})
# With fewer letters no language is guessed: names and single words are spelt alike in many languages.
MIN_LETTERS = 20
# Letters that belong to one script or a few: not the apostrophe that Uzbek writes as a letter.
_LETTER = regex.compile(r"(?V1)[\p{L}--\p{scx=Zyyy}]")


def script_share(text: str, script: str) -> float:
    """Return the share of a text's letters that belong to an ISO 15924 script; 1.0 for a text without letters.

    >>> script_share("Nairobi 2024", "Latn")
    1.0
    >>> script_share("ab वर्षा", "Deva")
    0.6
    """
    letters = _LETTER.findall(text)
    # Script extensions, so that the mark of a long vowel in Japanese counts as kana.
    scripts = "".join(rf"\p{{scx={name}}}" for name in SCRIPTS.get(script, [script]))
    return len(regex.findall(rf"(?=\p{{L}})[{scripts}]", text)) / len(letters) if letters else 1.0


@cache
def _identifier():
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # takes half a second: only for long answers

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    # ISO 639-1 codes only: the model's other labels are varieties (Egyptian Arabic, Cantonese) of these languages.
    identifier.set_languages({label for label in identifier.nb_classes if len(label) == 2})
    return identifier


def in_language(text: str, iso639_1: str) -> bool | None:
    """Return True if a text is in a language; None if unknown.

    By py3langid's bundled model (Lui and Baldwin 2012, P12-3005). Texts of fewer than MIN_LETTERS letters are
    unknown, and so are languages that the model lacks. Languages of one set of SIMILAR_LANGUAGES count as one.

    >>> in_language("Watoto wote walikwenda shuleni asubuhi na mapema leo.", "sw")
    True
    >>> in_language("Nairobi", "sw") is None
    True
    """
    letters = sum(1 for _ in _LETTER.finditer(text))
    if letters < MIN_LETTERS or iso639_1 not in _identifier().nb_classes:
        return None
    guess, _ = _identifier().classify(text)
    return guess == iso639_1 or any({guess, iso639_1} <= similar for similar in SIMILAR_LANGUAGES)
