"""Toy rows to curate: one for each fault, and many in an order of a seed."""

import random

from maple.data.curation import LanguageLimits
from maple.data.examples import raw_rows
from maple.definitions.curation import Novelty
from maple.definitions.language import LanguageIdentity

ENGLISH = LanguageIdentity("eng_Latn", "English", "en", "Latn")


def row(instruction="Name the capital.", input="", output="Nairobi", **other):
    return {"id": "1", "instruction": instruction, "input": input, "output": output, **other}


BAD = [
    (row(fault="not parsed"), "not parsed"),
    (row(output=" "), "empty"),
    (row(input="see https://example.org"), "web link"),
    (row("Name it."), "instruction too short"),
    (row("Назови столицу Кении.", output="Найроби"), "wrong script"),
    (row("Name the capital of Kenya.", "Name the capital of Kenya please"), "input repeats instruction"),
    (row("Nenne die Hauptstadt von Kenia.", output="Das ist die Stadt Nairobi."), "wrong language"),
    (row(output="Name the capital!"), "output repeats instruction"),
    (row(output="as an ai, I do not know."), "refusal"),
]


# Limits that drop many of the toy rows, which are all similar; language is not checked, since random words have none.
NARROW = LanguageLimits(
    instruction_words=[3, 40],
    script_share=0.5,
    instruction_input_rouge_l=0.3,
    echo_rouge_l=0.5,
    refusals=["As an AI"],
    novelty=Novelty(fields=["instruction"], below=0.5),
)


def mixed_rows(count, seed):
    """Rows of every fault, some repeated and some similar, shuffled by the seed."""
    rng = random.Random(0)
    words = ["name", "write", "tell", "a", "song", "river", "of", "in", "Kenya", "Peru", "Chad", "about", "the", "sun"]
    rows = [row(" ".join(rng.choices(words, k=6)), output=" ".join(rng.choices(words, k=9))) for _ in range(count)]
    rows += [bad for bad, _ in BAD] + rows[: count // 10]
    rows = [each | {"id": str(number)} for number, each in enumerate(rows)]
    random.Random(seed).shuffle(rows)
    return raw_rows(rows, language="eng_Latn")
