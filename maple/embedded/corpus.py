"""A pretraining corpus for small base models: names, copying, lists and successions, equally in every language."""

import random
from collections.abc import Iterator

from maple.embedded.cldr import facts
from maple.embedded.speech import Speech, Unnamed, Utterance
from maple.embedded.tasks import ATTRIBUTES, SUCCESSION, passage_on, shift, stated, unlike_countries


def documents(words: dict[str, dict[str, str]], count: int, seed: int) -> Iterator[str]:
    """Yield `count` short texts, the languages in turn.

    `words` has per language its code, iso639_1, script and phrases. The texts state facts in several wordings, so that
    a model learns to copy; none has the layout of an instruction or of an evaluation prompt. All countries occur, also
    held-out ones: only the teacher's data and the evaluation are kept apart, as a real base has read about the world.
    """
    speeches = [Speech(row) for row in words.values()]
    rng = random.Random(f"corpus {seed}")
    shapes, weights = zip(*SHAPES.items(), strict=True)
    for number in range(count):
        speech = speeches[number % len(speeches)]
        while True:
            (shape,) = rng.choices(shapes, weights)
            try:
                text = shape(speech, rng) if shape in TEXTS else speech.say(shape(rng))
            except Unnamed:
                continue
            break
        yield text


def _restated(rng: random.Random) -> list[Utterance]:
    countries = unlike_countries(rng, tuple(facts()), 2)
    again = [stated(country, attribute, "restated") for country in countries for attribute in ATTRIBUTES]
    return passage_on(countries) + rng.sample(again, rng.randint(1, 4))


def _questions(rng: random.Random) -> list[Utterance]:
    countries = unlike_countries(rng, tuple(facts()), 2)
    utterances = passage_on(countries)
    for country in rng.sample(countries, rng.randint(1, 2)):
        attribute = rng.choice(ATTRIBUTES)
        value = {attribute: facts()[country][attribute]}
        if rng.random() < 0.5:
            utterances += [(f"{attribute}_question", {"country": country}), (attribute, value)]
        else:
            utterances += [(f"{attribute}_country_question", value), ("country", {"country": country})]
    return utterances


def _news(rng: random.Random) -> list[Utterance]:
    countries = rng.sample(tuple(facts()), rng.randint(2, 4))
    items = [("news", {"country": country, "day": str(rng.randrange(7))}) for country in countries]
    return [*items, ("news_summary", {"list": countries})]


def _list(rng: random.Random) -> list[Utterance]:
    countries = rng.sample(tuple(facts()), rng.randint(3, 4))
    key, place = rng.choice((("first_in_list", 0), ("last_in_list", -1)))
    return [(key, {"list": countries}), ("country", {"country": countries[place]})]


def _succession(rng: random.Random) -> list[Utterance]:
    kind = rng.choice(tuple(SUCCESSION))
    now = shift(kind, "1", rng.randrange(12))
    before, after = shift(kind, now, -1), shift(kind, now, 1)
    neighbours = [(SUCCESSION[kind]["cause"], {kind: before}), (SUCCESSION[kind]["effect"], {kind: after})]
    rng.shuffle(neighbours)
    question, answer = rng.choice(((f"{kind}_after", after), (f"{kind}_before", before)))
    return [(SUCCESSION[kind]["premise"], {kind: now}), *neighbours, (question, {kind: now}), (kind, {kind: answer})]


def _sequence(rng: random.Random) -> list[Utterance]:
    kind = rng.choice(tuple(SUCCESSION))
    start = shift(kind, "1", rng.randrange(12))
    return [(kind, {kind: shift(kind, start, by)}) for by in range(SUCCESSION[kind]["count"])]


def _marked(speech: Speech, rng: random.Random) -> str:
    """Return a list with a number or letter before each entry."""
    kind = rng.choice(("country", *ATTRIBUTES))
    codes = rng.sample(tuple(facts()), 4)
    entries = [{kind: code if kind == "country" else facts()[code][kind]} for code in codes]
    marks = rng.choice(("1234", "ABCD"))
    return "\n".join(f"{mark}. {speech.say([(kind, slots)])}" for mark, slots in zip(marks, entries, strict=True))


def _glossary(speech: Speech, rng: random.Random) -> str:
    """Return some words that prompts contain, without their use: a base must know them, and no prompt."""
    return speech.words["list_separator"].join(speech.words[key] for key in rng.sample(GLOSSARY, 4))


GLOSSARY = ("passage", "question", "premise", "hypothesis", "article", "true", "false", "neither")
# Shapes that return a text; the others return utterances.
TEXTS = (_marked, _glossary)
# How often each shape is drawn: copying most often, because every task of the evaluation needs it.
SHAPES = {_restated: 4, _questions: 4, _news: 2, _list: 1, _succession: 3, _sequence: 1, _marked: 2, _glossary: 1}
