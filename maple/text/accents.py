"""Words whose accents, tone marks or hooks were left out."""

import unicodedata
from collections.abc import Iterable
from functools import lru_cache

import regex

# Letters with a hook or a stroke, which Unicode does not take apart, and open vowels, as they are typed without.
_PLAIN = dict(zip("ɓɗƙƴɖƒŋɲłđħəɛɔɩʋ", "bdkydfnnldheeoiv", strict=True))
_PLAIN |= {letter.upper(): plain.upper() for letter, plain in _PLAIN.items()}
_TABLE = {ord(letter): plain for letter, plain in _PLAIN.items()}
_MARK = regex.compile(r"\p{Mn}")
_WORD = r"[\p{L}\p{M}\p{N}]"
_WORD_AT = regex.compile(_WORD)


def bare(text: str) -> str:
    """Return a text without accents, tone marks and hooks.

    >>> bare("Òótọ́"), bare("Ƙarya"), bare("Adevărat")
    ('Ooto', 'Karya', 'Adevarat')
    """
    if text.isascii():
        return text
    apart = _MARK.sub("", unicodedata.normalize("NFD", text))
    return unicodedata.normalize("NFC", apart).translate(_TABLE)


@lru_cache(maxsize=2048)
def _pattern(form: str) -> regex.Pattern:
    """Return a pattern of a form in NFD with any of its marks left out; another mark is no part of it."""

    def written(letter: str) -> str:
        if _MARK.match(letter):
            return f"{letter}?"
        return f"[{letter}{_PLAIN[letter]}]" if letter in _PLAIN else regex.escape(letter)

    letters = "".join(map(written, unicodedata.normalize("NFD", form)))
    return regex.compile(rf"(?i)(?<!{_WORD}){letters}")


@lru_cache(maxsize=8192)
def _plain(form: str) -> str:
    return bare(form).casefold()


def with_accents(text: str, forms: Iterable[tuple[str, str]], capitals: bool, particle: regex.Pattern) -> str:
    """Return a text in which the forms of labels have the accents that its writer left out.

    `forms` are pairs of a label and one of its forms; `capitals` is True if accents are left out in capitals alone;
    `particle` may stand behind a form without a space. A word that could be a form of two labels stays as it is, and so
    does one with another accent.

    >>> none = regex.compile("(?!)")
    >>> with_accents("OOTO ni", [("a", "Òótọ́"), ("b", "Irọ́")], False, none)
    'Òótọ́ ni'
    >>> with_accents("si", [("a", "sí"), ("b", "sì")], False, none), with_accents("ete", [("a", "été")], True, none)
    ('si', 'ete')
    """
    plain = bare(text).casefold()
    found = [(label, form) for label, form in forms if len(form) > 1 and _plain(form) in plain]
    if all(form.isascii() for _, form in found):
        return text
    text = unicodedata.normalize("NFD", text)
    for _, form in sorted(found, key=lambda each: len(each[1]), reverse=True):

        def accented(match: regex.Match, form: str = form) -> str:
            behind = match.string[match.end() :].casefold()
            if _WORD_AT.match(behind) and not particle.match(behind):
                return match[0]
            labels = {label for label, other in found if _pattern(other).fullmatch(match[0])}
            return form if len(labels) == 1 and (match[0].isupper() or not capitals) else match[0]

        text = _pattern(form).sub(accented, text)
    return unicodedata.normalize("NFC", text)
