"""A pretraining corpus for small translators: the embedded pairs, in English and in another language."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import cycle, islice, zip_longest

from maple.embedded.cldr import KINDS, names
from maple.embedded.pairs import DOMAINS, pair_rows

ENGLISH = "eng_Latn"
# Names alone come as often as so many domains, our choice: from these a small model learns which words correspond.
NAMES = 2


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

    `words` has per language its code, iso639_1 and script; English is among them. The texts are those of a split of
    maple.embedded.pairs, and names of countries, currencies, languages, days and months alone, which all splits have: a
    base has read of nothing that a test row says.
    """
    languages = {code: _Language(code, row["iso639_1"], row["script"]) for code, row in words.items()}
    others = [language for code, language in languages.items() if code != ENGLISH]
    rng, items = random.Random(f"translations {seed}"), -(-count // (len(others) * (len(DOMAINS) + NAMES)))
    by_part: list[list[tuple[str, str, str]]] = []
    for language in others:
        for domain in DOMAINS:
            rows = pair_rows(languages[ENGLISH], language, domain, split, items)
            by_part.append([(row["source"], row["target"], language.code) for row in rows])
        alone = _names(languages[ENGLISH], language)
        rng.shuffle(alone)
        by_part += [list(islice(cycle(alone), number * items, (number + 1) * items)) for number in range(NAMES)]
    for texts in zip_longest(*by_part):  # CLDR lacks some names in some languages
        for english, other, code in filter(None, texts):
            pair = Translation(english, other, ENGLISH, code)
            yield rng.choice((pair, pair.turned))


def _names(english: _Language, other: _Language) -> list[tuple[str, str, str]]:
    """Return the names that both languages have: English, the other's, and its code."""
    ours, theirs = (names(language.iso639_1, language.script) for language in (english, other))
    return [
        (name, theirs[kind][code], other.code)
        for kind in KINDS
        for code, name in ours[kind].items()
        if code in theirs[kind]
    ]
