"""A pretraining corpus for small translators: sentences of the embedded world, in English and in another language."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from maple.definitions.language import ENGLISH
from maple.embedded.cldr import KINDS
from maple.embedded.corpus import SHAPES, TEXTS
from maple.embedded.speech import Speech, Unnamed

NAMES = 0.4  # the share of translations that are a name alone; our choice


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


def documents(words: dict[str, dict[str, str]], count: int, seed: int) -> Iterator[Translation]:
    """Yield `count` translations from and into English, the other languages in turn.

    `words` has per language its code, iso639_1, script and phrases; English is among them. A text is one sentence, or a
    name alone: from these a small model learns what corresponds to what. All countries occur, also held-out ones, as in
    maple.embedded.corpus.
    """
    speeches = {code: Speech(row) for code, row in words.items()}
    others = [code for code in speeches if code != ENGLISH]
    rng = random.Random(f"translations {seed}")
    shapes = {shape: weight for shape, weight in SHAPES.items() if shape not in TEXTS}
    for number in range(count):
        code = others[number % len(others)]
        while True:
            if rng.random() < NAMES:
                kind = rng.choice(KINDS)
                utterances = [(kind, {kind: rng.choice(tuple(speeches[ENGLISH].names[kind]))})]
            else:
                (shape,) = rng.choices(tuple(shapes), tuple(shapes.values()))
                utterances = [rng.choice(shape(rng))]
            try:
                pair = Translation(speeches[ENGLISH].say(utterances), speeches[code].say(utterances), ENGLISH, code)
            except Unnamed:
                continue
            break
        yield rng.choice((pair, pair.turned))
