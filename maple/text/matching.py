"""Phrases in a text of any script: by their words, so that case, character width and punctuation do not matter."""

from functools import cache

import regex

from maple.text.comparison import comparison_tokens
from maple.text.segmentation import UNSPACED, normalize, tokens

_WORD = r"[\p{L}\p{M}\p{N}]"
_BETWEEN = r"[^\p{L}\p{M}\p{N}]*"
# The end of a word: before a space or a mark, and in scripts without spaces after each character.
_END = rf"(?:(?<={UNSPACED})(?!\p{{M}})|(?<!{UNSPACED})(?![{_WORD}--{UNSPACED}]))"
# How questions end that often lack their mark: in scripts without spaces, and in Korean.
_QUESTION_ENDS = ("か", "吗", "嗎", "呢", "까", "ไหม", "มั้ย", "หรือไม่", "หรือเปล่า", "ບໍ", "ໄໝ", "လား", "လဲ", "ឬទេ")
_QUESTION = regex.compile(
    rf"[?？؟⁇՞፧]|(?<=\p{{Greek}})\s*[;\u037e]|(?:{'|'.join(_QUESTION_ENDS)})(?=[\"'」』）)]*(?:[。.!！\s]|\Z))"
)


@cache
def _openings(phrases: tuple[str, ...]) -> regex.Pattern:
    ends = {"*": "", ",": r"\s*\p{P}"}
    patterns = (
        _BETWEEN.join(map(regex.escape, tokens(phrase))) + ends.get(normalize(phrase[-1:]), _END) for phrase in phrases
    )
    return regex.compile(rf"(?V1){_BETWEEN}(?:{'|'.join(patterns)})")


def begins_with(text: str, phrases: tuple[str, ...]) -> bool:
    """Return True if a text begins with one of some phrases, word by word.

    A phrase that ends in * also matches longer words; after one that ends in a comma a punctuation mark must follow.

    >>> begins_with("As an AI, I cannot say.", ("As an AI,",))
    True
    >>> begins_with("As an airline pilot", ("As an AI",)), begins_with("私はAIです", ("私はAI",))
    (False, True)
    """
    return bool(phrases) and _openings(phrases).match(normalize(text)) is not None


def _key(text: str) -> str:
    """Return the words of a text; of a text without words its marks without brackets and quotes."""
    # I is the capital of both Turkish letters, ı and i, and İ becomes an i with a dot more.
    text = normalize(text).replace("ı", "i").replace("i\u0307", "i")
    return " ".join(tokens(text)) or text.strip(" \n()[]<>\"'「」")


@cache
def _sequences(phrases: tuple[str, ...]) -> regex.Pattern:
    any_phrase = "|".join(regex.escape(_key(phrase)) for phrase in phrases)
    return regex.compile(f"(?:{any_phrase})(?: (?:{any_phrase}))*")


def consists_of(text: str, phrases: tuple[str, ...]) -> bool:
    """Return True if a text is one of some phrases, or several of them.

    >>> consists_of("(NONE)", ("none", "no input")), consists_of("None: <no input>", ("none", "no input"))
    (True, True)
    >>> consists_of("None of them", ("none", "no input"))
    False
    """
    return bool(phrases) and _sequences(phrases).fullmatch(_key(text)) is not None


def contains_words(text: str, phrase: str) -> bool:
    """Return True if a text contains the words of a phrase in a row.

    >>> contains_words("Answer with A, B or none.", "None"), contains_words("Nonetheless", "none")
    (True, False)
    """
    return f" {_key(phrase)} " in f" {_key(text)} "


def asks(text: str) -> bool:
    """Return True if a text asks a question, as far as its marks and, without spaces, its particles tell.

    >>> asks("Which is it? Tell me."), asks("これは何ですか。"), asks("Tell me.")
    (True, True, False)
    """
    return _QUESTION.search(text) is not None


def given_in(part: str, text: str) -> bool:
    """Return True if `text` gives the words and symbols of `part` in quotes, in brackets, or as the last of a line.

    Elsewhere the same words may be others: "2" is no part of "Convert it to base 2", which speaks of another number.

    >>> given_in("The cat sat.", "Translate this: the cat sat"), given_in("muggy", 'Replace "muggy" by a synonym.')
    (True, True)
    >>> given_in("cat", "Write about the cathedral"), given_in("2", "Convert it to base 2")
    (False, False)
    """
    words = comparison_tokens(part)
    if not words or not set(words) <= set(comparison_tokens(text)):
        return False
    # Between them stand marks that do not count; what does count is compared after the match.
    phrase = r"[\s\p{P}]*".join(map(regex.escape, words))
    quoted = rf"(?<=[\"'`\p{{Ps}}\p{{Pi}}]\s*){phrase}(?=[\s.,;:!?。、]*[\"'`\p{{Pe}}\p{{Pf}}])"
    last = rf"(?<!{_WORD}){phrase}(?=[^\p{{L}}\p{{M}}\p{{N}}\n]*(?:\n|\Z))"
    patterns = [quoted] if len(words) == 1 and regex.fullmatch(r"\p{N}+|\p{L}", words[0]) else [quoted, last]
    found = (match.group() for pattern in patterns for match in regex.finditer(pattern, normalize(text)))
    return any(comparison_tokens(match) == words for match in found)
