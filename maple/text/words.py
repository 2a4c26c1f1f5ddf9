"""Words and sentences of a text in its language, for measures that compare words."""

from collections.abc import Callable
from functools import cache, lru_cache

import regex

from maple.text.segmentation import normalize, tokens

_RUN = regex.compile(r"[\p{L}\p{M}\p{N}]+")
_SENTENCE_END = regex.compile(r"(?<=[.!?…][\p{Pf}\p{Pe}\"']*)\s+|(?<=[。！？।॥؟۔።။།])\s*")


def sentences(text: str) -> list[str]:
    """Return the sentences of `text`, cut after the marks that end one in any script."""
    return [sentence for sentence in _SENTENCE_END.split(text) if sentence.strip()]


def _thai() -> Callable[[str], list[str]]:
    from pythainlp.tokenize import word_tokenize

    return lambda text: word_tokenize(text, engine="newmm", keep_whitespace=False)


def _chinese() -> Callable[[str], list[str]]:
    from rjieba import cut

    return cut


def _japanese() -> Callable[[str], list[str]]:
    from sacrebleu.tokenizers.tokenizer_ja_mecab import TokenizerJaMecab

    mecab = TokenizerJaMecab()
    return lambda text: mecab(text).split()


def _korean() -> Callable[[str], list[str]]:
    from sacrebleu.tokenizers.tokenizer_ko_mecab import TokenizerKoMecab

    mecab = TokenizerKoMecab()
    return lambda text: mecab(text).split()


# To segment one more language by a library, give it a key (ISO 639-3) here.
SEGMENTERS = {"tha": _thai, "zho": _chinese, "jpn": _japanese, "kor": _korean}


@cache
def _segmenter(code: str) -> Callable[[str], list[str]]:
    return SEGMENTERS[code]()


@lru_cache(maxsize=1024)  # several measures ask for the words of the same answer
def words(text: str, language: str) -> tuple[str, ...]:
    """Return the words of a text in the language of a code such as `tha_Thai`, normalized, no punctuation.

    Thai is segmented by PyThaiNLP (newmm), Chinese by jieba, Japanese and Korean by MeCab, whose pieces in Korean are
    morphemes; all other languages by `tokens`. Each run between punctuation is segmented for itself, so that a full
    stop more or less moves no boundary.
    """
    if language[:3] not in SEGMENTERS:
        return tuple(tokens(text))
    segment = _segmenter(language[:3])
    return tuple(word for run in _RUN.findall(normalize(text)) for word in segment(run))
