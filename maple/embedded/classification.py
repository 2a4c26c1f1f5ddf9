"""Small classification tasks of the embedded world: kinds of names, opinions of a day, and named entities."""

import hashlib
import random
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from maple.embedded.cldr import KINDS, facts, official_languages
from maple.embedded.speech import SENTENCES_OF_SOME, Speech, Unnamed

# The splits, in the order of the numbers by which rows are asked for.
SPLITS = ("test", "dev", "train")
# Shares of the names of each kind; at least one name of each kind is in each split.
_SHARES = {"test": 0.3, "dev": 0.15}
NAME_SENTENCES = ("names_label", "names_question", "names_text")
# The kinds of names that are named entities; a text may have others, which are none.
ENTITY_KINDS = ("country", "currency", "language")
# Per label and kind of name, the sentences that say it.
OPINIONS = {
    "positive": {"day": ("good_day", "like_day"), "month": ("good_month", "like_month")},
    "neutral": {"day": ("today", "tomorrow", "yesterday"), "month": ("this_month", "next_month", "last_month")},
    "negative": {"day": ("bad_day", "dislike_day"), "month": ("bad_month", "dislike_month")},
}


@cache
def codes_of(kind: str, split: str) -> tuple[str, ...]:
    """Return the codes whose names a split has, the same in all languages: no name of the test rows is learnt."""
    countries = facts()
    codes = {
        "country": set(countries),
        "currency": {fact["currency"] for fact in countries.values()},
        "language": {code for country in countries for code in official_languages(country)},
        "day": {str(number) for number in range(7)},
        "month": {str(number) for number in range(1, 13)},
    }[kind]
    ordered = sorted(codes, key=lambda code: hashlib.sha256(f"{kind} {code}".encode()).digest())
    tests, devs = (max(1, int(share * len(ordered))) for share in _SHARES.values())
    places = {"test": slice(tests), "dev": slice(tests, tests + devs), "train": slice(tests + devs, None)}
    return tuple(ordered[places[split]])


def _kind_of_name(rng: random.Random, number: int, split: str, speech: Speech) -> dict[str, str]:
    label, sentence = KINDS[number % len(KINDS)], rng.choice(NAME_SENTENCES)
    codes = codes_of(label, split)
    chosen = rng.sample(codes, min(rng.randint(1, 3), len(codes)))
    return {"text": speech.list_names(sentence, label, chosen), "label": label}


def _day_sentiment(rng: random.Random, number: int, split: str, speech: Speech) -> dict[str, str]:
    label, about = tuple(OPINIONS)[number % len(OPINIONS)], rng.choice(("day", "month"))
    other = "month" if about == "day" else "day"
    said = [
        (rng.choice(OPINIONS["neutral"][other]), {other: rng.choice(codes_of(other, split))}),
        (rng.choice(OPINIONS[label][about]), {about: rng.choice(codes_of(about, split))}),
    ]
    return {"text": speech.say(said[rng.randint(0, 1) :]), "label": label}


def _names_in_text(rng: random.Random, number: int, split: str, speech: Speech) -> dict[str, Any]:
    """Return a text of one or two sentences, each with names of a kind, with the kinds and the entities in it."""
    sentences, entities = [], []
    kinds = rng.sample(KINDS, rng.randint(1, 2))
    for kind in kinds:
        codes = codes_of(kind, split)
        chosen = rng.sample(codes, min(rng.randint(1, 2), len(codes)))
        sentences.append(speech.list_names(rng.choice(NAME_SENTENCES), kind, chosen))
        entities += [[kind.upper(), speech.names[kind][code]] for code in chosen if kind in ENTITY_KINDS]
    return {
        "text": " ".join(sentences),
        "kinds": [kind for kind in ENTITY_KINDS if kind in kinds],
        "entities": entities,
    }


# Per task, how an item is made.
CLASSIFICATION: dict[str, Callable[[random.Random, int, str, Speech], Mapping[str, Any]]] = {
    "kind-of-name": _kind_of_name,
    "day-sentiment": _day_sentiment,
    "kinds-in-text": _names_in_text,
    "names-in-text": _names_in_text,
}


def classification_rows(task: str, words: dict[str, str], items: int, split: str) -> list[dict]:
    """Return the rows of a task of CLASSIFICATION in one language: id, text and label, or kinds and entities.

    Labels take turns. (task, split, i) alone decides item i, so that rows with the same id have the same meaning in
    every language; an item is missing if CLDR lacks one of its names. Raises ValueError for a language without the
    sentences.
    """
    if missing := [key for key in SENTENCES_OF_SOME if key not in words]:
        raise ValueError(
            f"config/phrases.yaml: {words['code']}: {missing[0]} is missing, which task {task} needs; write it as in "
            f"eng_Latn, or leave the language out of `sources.embedded.languages` in config/tasks/{task}.yaml"
        )
    speech, rows = Speech(words), []
    for number in range(items):
        try:
            row = CLASSIFICATION[task](random.Random(f"{task} {split} {number}"), number, split, speech)
        except Unnamed:
            continue
        rows.append({"id": f"embedded:{task}-{split}-{number}", **row})
    return rows
