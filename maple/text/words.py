"""Words and sentences of a text in its language: of metrics, word limits, contamination and tokens per word alike."""

from collections.abc import Callable
from functools import cache, lru_cache

import regex

from maple.text.segmentation import RUN, normalize, tokens

_RUN = regex.compile(f"(?V1){RUN}")
_SENTENCE_END = regex.compile(r"(?<=[.!?…][\p{Pf}\p{Pe}\"']*)\s+|(?<=[。！？।॥؟۔።။།])\s*")


def sentences(text: str) -> list[str]:
    """Return the sentences of `text`, split after the marks that end a sentence in any script.

    >>> sentences("One. Two? 3.5 km")
    ['One.', 'Two?', '3.5 km']
    >>> sentences("一。二！")
    ['一。', '二！']
    """
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


# Languages that a library segments, by ISO 639-3 code; add a key here for another one.
SEGMENTERS = {"tha": _thai, "zho": _chinese, "jpn": _japanese, "kor": _korean}


def is_segmented(language: str) -> bool:
    """Return True for a language that a library segments; `language` is a code such as `tha_Thai`."""
    return language[:3] in SEGMENTERS


@cache
def _segmenter(code: str) -> Callable[[str], list[str]]:
    return SEGMENTERS[code]()


@lru_cache(maxsize=1024)  # several metrics need the words of the same answer
def words(text: str, language: str) -> tuple[str, ...]:
    """Return the normalized words of a text, without punctuation; `language` is a code such as `tha_Thai`.

    Thai is segmented by PyThaiNLP (newmm), Chinese by jieba, Japanese and Korean by MeCab (in Korean into morphemes),
    all other languages by `tokens`. Each run of letters between punctuation is segmented alone, so that an added full
    stop moves no word boundary.

    >>> words("Jua limetoka.", "swh_Latn")
    ('jua', 'limetoka')
    >>> words("今天是星期一。", "zho_Hans")
    ('今天', '是', '星期一')
    """
    if not is_segmented(language):
        return tuple(tokens(text))
    segment = _segmenter(language[:3])
    return tuple(word for run in _RUN.findall(normalize(text)) for word in segment(run))
