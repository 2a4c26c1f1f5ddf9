"""Identification: in which script and in which language a text is written."""

from functools import cache

import regex

# ISO 15924 codes that stand for several Unicode scripts, or for one of another name.
SCRIPTS = {"Hans": ["Hani"], "Hant": ["Hani"], "Jpan": ["Hani", "Hira", "Kana"], "Kore": ["Hang", "Hani"]}
# Standard languages that a reader, too, cannot always tell apart by a sentence.
ALIKE = ({"id", "ms"}, {"hr", "bs", "sr"}, {"nb", "no", "nn", "da"})
# Below it a language is not guessed: names and single words are spelt alike in many.
FEWEST_LETTERS = 20
# Letters that belong to one script or a few: not the apostrophe that Uzbek writes as a letter.
_LETTER = regex.compile(r"(?V1)[\p{L}--\p{scx=Zyyy}]")


def script_share(text: str, script: str) -> float:
    """Return the share of a text's letters that are of an ISO 15924 script; 1.0 for a text without letters."""
    letters = _LETTER.findall(text)
    # Script extensions, so that the mark of a long vowel in Japanese counts as kana.
    own = "".join(rf"\p{{scx={name}}}" for name in SCRIPTS.get(script, [script]))
    return len(regex.findall(rf"(?=\p{{L}})[{own}]", text)) / len(letters) if letters else 1.0


@cache
def _identifier():
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # half a second, which only long answers should cost

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    # ISO 639-1 alone: the others are varieties (Egyptian Arabic, Cantonese) of a language that has a code of its own.
    identifier.set_languages({label for label in identifier.nb_classes if len(label) == 2})
    return identifier


def in_language(text: str, iso639_1: str) -> bool | None:
    """Return whether a text is in a language, by py3langid's bundled model (Lui and Baldwin 2012, P12-3005).

    None where that cannot be said: fewer than FEWEST_LETTERS letters, or a language that the model does not know.
    Languages of one set of ALIKE count as one.
    """
    letters = sum(1 for _ in _LETTER.finditer(text))
    if letters < FEWEST_LETTERS or iso639_1 not in _identifier().nb_classes:
        return None
    guess, _ = _identifier().classify(text)
    return guess == iso639_1 or any({guess, iso639_1} <= alike for alike in ALIKE)
