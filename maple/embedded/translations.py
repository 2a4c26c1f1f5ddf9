"""A pretraining corpus for small translators: the embedded pairs, in English and in another language."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest

from maple.embedded.pairs import DOMAINS, pair_rows

ENGLISH = "eng_Latn"


@dataclass(frozen=True)
class _Language:
    """A language of a pair (maple.embedded.pairs.PairLanguage)."""

    code: str
    iso639_1: str
    script: str


@dataclass(frozen=True)
class Translation:
    """A text in one language, and its translation into another; languages are codes, as swh_Latn."""

    source: str
    target: str
    source_language: str
    target_language: str

    @property
    def turned(self) -> "Translation":
        """The same in the other direction."""
        return Translation(self.target, self.source, self.target_language, self.source_language)


def documents(
    words: Mapping[str, Mapping[str, str]], count: int, seed: int, split: str = "train"
) -> Iterator[Translation]:
    """Yield about `count` translations from and into English, the other languages and the domains in turn.

    `words` has per language its code, iso639_1 and script; English is among them. The texts are those of the train
    split of maple.embedded.pairs: a base has read of nothing that a test row says.
    """
    languages = {code: _Language(code, row["iso639_1"], row["script"]) for code, row in words.items()}
    others = [language for code, language in languages.items() if code != ENGLISH]
    rng, items = random.Random(f"translations {seed}"), -(-count // (len(others) * len(DOMAINS)))
    by_part = [
        [Translation(row["source"], row["target"], ENGLISH, language.code) for row in rows]
        for language in others
        for domain in DOMAINS
        for rows in [pair_rows(languages[ENGLISH], language, domain, split, items)]
    ]
    for pairs in zip_longest(*by_part):  # CLDR lacks some names in some languages
        yield from (rng.choice((pair, pair.turned)) for pair in pairs if pair is not None)
