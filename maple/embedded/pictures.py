"""Questions about drawn pictures, parallel over languages, with their answers.

Items of one number are the same in every language, and their picture is one file. The tasks:

name-thing: what is it? One coloured shape; all splits have the same things, in new drawings.
name-pair: the same about pairs of colour and shape that training never has, in any task (composition); test rows alone.
count-things: how many of these, from one to four among five or six shapes?
place-thing: where is it, seen from the middle or from another shape?
true-false: a statement about numbers or places, as in NLVR (Suhr et al. 2017, P17-2034).
object-presence: is this in the picture? Half of the answers are yes. What is absent is drawn at random, among frequent
things, or among those that often stand with what is there (POPE, Li et al. 2023, arXiv 2305.10355). The three tasks
share their pictures and the questions to answer with yes. Train rows ask about what is absent at random alone: from the
others a model would learn, without a look, that a frequent thing is seldom there.
clock-hour: what time is it?
flag-country: which country? All splits have all flags, in new drawings.
flag-currency: which currency? Test and dev rows ask about held-out countries (maple.embedded.cldr), whose flags
flag-country teaches, and whose money only texts tell.
"""

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from string import Formatter

from maple.embedded.classification import SPLITS
from maple.embedded.cldr import facts, held_out, locale_of, names
from maple.embedded.drawing import Picture, Scene, Thing
from maple.embedded.flags import FLAGS
from maple.embedded.scenes import (
    HELD_OUT,
    LEARNT,
    ONE,
    PLACES,
    SEVERAL,
    TWO,
    absent_and_frequent,
    absent_at_random,
    absent_from_company,
    clock_face,
    flag_picture,
    of_split,
    place_of,
    placed_at_random,
    presence_rng,
    scene_of_company,
)
from maple.embedded.speech import Unnamed

# The sentences of config/pictures.yaml with their slots.
PICTURE_SENTENCES = {
    "what_is_it": (),
    "how_many": ("thing",),
    "where_from_middle": ("thing",),
    "where_from_other": ("thing", "other"),
    "is_there": ("thing",),
    "true_or_false": ("statement",),
    "says_number": ("thing", "number"),
    "says_more": ("thing", "other"),
    "says_place": ("thing", "other", "place"),
    "which_country": (),
    "which_currency": (),
    "which_hour": (),
}
STATEMENTS = ("says_number", "says_more", "says_place")
_HOURS = tuple(f"hour_{hour}" for hour in range(1, 13))
_LEARNT_NAMES = tuple(thing.code for thing in LEARNT)
# The keys of a language's block of config/pictures.yaml.
PICTURE_KEYS = (
    *PICTURE_SENTENCES,
    *PLACES,
    *("yes", "no", "true", "false"),
    *(thing.code for thing in (*LEARNT, *HELD_OUT)),
    *_HOURS,
)


@dataclass(frozen=True)
class Problem:
    """A question about a picture, in no language."""

    picture: Picture
    sentence: str
    """A key of PICTURE_SENTENCES; one of STATEMENTS is asked as true or false."""
    answer: str
    """A number, a key of config/pictures.yaml, an ISO 3166 code of a country, or an ISO 4217 code of a currency."""
    slots: Mapping[str, str] = field(default_factory=dict)
    """What fills the slots of the sentence: numbers and keys of config/pictures.yaml."""


@dataclass(frozen=True)
class PictureRow:
    """An item in a language."""

    id: str
    """The same in every language."""
    picture: Picture
    """The record that is drawn."""
    question: str
    answers: tuple[str, ...]
    """Texts that are right."""
    label: str
    """The answer in no language: `Problem.answer`."""
    choices: Mapping[str, str] = field(default_factory=dict)
    """Of a task with few answers the texts of all of them, by label."""


@dataclass(frozen=True)
class PictureTask:
    """A task about pictures."""

    problem: Callable[[str, int], Problem]
    """Returns item i of a split."""
    words: tuple[str, ...]
    """The keys of config/pictures.yaml that it needs."""
    splits: tuple[str, ...] = SPLITS
    """The splits that it has."""
    choices: tuple[str, ...] = ()
    """All labels of a task with few answers: numbers, and keys of config/pictures.yaml."""


def _in_turn(options: Sequence[str], number: int, key: str) -> str:
    """Return an option, so that all come equally often and each round of them has an order of its own."""
    rounds, place = divmod(number, len(options))
    return random.Random(f"{key} {rounds}").sample(options, len(options))[place]


def _of_code(code: str) -> Thing:
    return Thing(*code.split("_"))


def _named(task: str, codes: Sequence[str]) -> Callable[[str, int], Problem]:
    def problem(split: str, number: int) -> Problem:
        rng, code = random.Random(f"{task} {split} {number}"), _in_turn(codes, number, f"{task} {split}")
        return Problem(of_split(split, lambda: placed_at_random(rng, [_of_code(code)], ONE)), "what_is_it", code)

    return problem


def _counted_scene(rng: random.Random, split: str, wanted: Mapping[Thing, int]) -> Scene:
    """Return a scene of five or six things, some of them as often as wanted.

    How many others there are follows from the numbers wanted, and so the whole tells nothing of the parts.
    """
    others = [thing for thing in LEARNT if thing not in wanted]
    alike = [other for other in others if any({other.colour, other.shape} & {one.colour, one.shape} for one in wanted)]
    rest = max(rng.choice((5, 6)) - sum(wanted.values()), 0)
    # Half of the others are like a wanted thing in colour or shape: who looks at one of them alone counts wrong.
    company = [rng.choice(alike if rng.random() < 0.5 else others) for _ in range(rest)]
    things = [thing for thing, count in wanted.items() for _ in range(count)] + company
    return of_split(split, lambda: placed_at_random(rng, things, SEVERAL))


def _count_things(split: str, number: int) -> Problem:
    rng, count = random.Random(f"count-things {split} {number}"), number % 4 + 1
    thing = rng.choice(LEARNT)
    return Problem(_counted_scene(rng, split, {thing: count}), "how_many", str(count), {"thing": thing.code})


def _two_things(rng: random.Random, split: str, place: str, from_other: bool) -> tuple[Scene, dict[str, str]]:
    """Return a scene of two things, the first of which is at a place, seen from the second or from the middle."""
    first, second = rng.sample(LEARNT, 2)
    while True:
        scene = of_split(split, lambda: placed_at_random(rng, [first, second], TWO))
        by_thing = {placed.thing: placed for placed in scene.placed}
        seen_from = (by_thing[second].x, by_thing[second].y)
        if place == (place_of(by_thing[first], seen_from) if from_other else place_of(by_thing[first])):
            return scene, {"thing": first.code, "other": second.code}


def _place_thing(split: str, number: int) -> Problem:
    rng, place, from_other = random.Random(f"place-thing {split} {number}"), PLACES[number % 4], number // 4 % 2 == 1
    scene, slots = _two_things(rng, split, place, from_other)
    if from_other:
        return Problem(scene, "where_from_other", place, slots)
    return Problem(scene, "where_from_middle", place, {"thing": slots["thing"]})


def _true_false(split: str, number: int) -> Problem:
    rng, answer = random.Random(f"true-false {split} {number}"), ("true", "false")[number % 2]
    sentence = STATEMENTS[number // 2 % 3]
    if sentence == "says_place":
        place = rng.choice(PLACES)
        scene, slots = _two_things(rng, split, place, True)
        said = place if answer == "true" else rng.choice([other for other in PLACES if other != place])
        return Problem(scene, sentence, answer, slots | {"place": said})
    thing, other = rng.sample(LEARNT, 2)
    if sentence == "says_number":
        count = rng.randint(1, 4)
        said = count if answer == "true" else rng.choice([wrong for wrong in range(1, 5) if wrong != count])
        scene = _counted_scene(rng, split, {thing: count})
        return Problem(scene, sentence, answer, {"thing": thing.code, "number": str(said)})
    fewer, more = rng.choice(((1, 2), (1, 3), (1, 4), (2, 3), (2, 4)))
    counts = (more, fewer) if answer == "true" else (fewer, more)
    scene = _counted_scene(rng, split, dict(zip((thing, other), counts, strict=True)))
    return Problem(scene, sentence, answer, {"thing": thing.code, "other": other.code})


def _presence(absent: Callable[[Scene], list[Thing]]) -> Callable[[str, int], Problem]:
    def problem(split: str, number: int) -> Problem:
        rng, answer = presence_rng(split, number), ("yes", "no")[number % 2]
        scene = scene_of_company(rng, split)
        thing = rng.choice(sorted(scene.things) if answer == "yes" else absent(scene))
        return Problem(scene, "is_there", answer, {"thing": thing.code})

    return problem


def _clock_hour(split: str, number: int) -> Problem:
    rng, code = random.Random(f"clock-hour {split} {number}"), _in_turn(_HOURS, number, f"clock-hour {split}")
    face = of_split(split, lambda: clock_face(rng, int(code.removeprefix("hour_"))))
    return Problem(face, "which_hour", code)


def _flag(task: str, split: str, number: int, countries: Sequence[str]) -> tuple[Picture, str]:
    rng, country = random.Random(f"{task} {split} {number}"), _in_turn(countries, number, f"{task} {split}")
    return of_split(split, lambda: flag_picture(rng, country)), country


def _flag_country(split: str, number: int) -> Problem:
    picture, country = _flag("flag-country", split, number, tuple(FLAGS))
    return Problem(picture, "which_country", country)


def countries_with_flags(split: str) -> tuple[str, ...]:
    """Return the countries that flag-currency asks about: those of `cldr.facts`, in test and dev the held-out ones."""
    return tuple(country for country in FLAGS if country in facts() and held_out(country) == (split != "train"))


def _flag_currency(split: str, number: int) -> Problem:
    picture, country = _flag("flag-currency", split, number, countries_with_flags(split))
    return Problem(picture, "which_currency", facts()[country]["currency"])


_YES_NO = ("yes", "no")
_PRESENCE_WORDS = ("is_there", *_YES_NO, *_LEARNT_NAMES)
PICTURES = {
    "name-thing": PictureTask(_named("name-thing", _LEARNT_NAMES), ("what_is_it", *_LEARNT_NAMES)),
    "name-pair": PictureTask(
        _named("name-pair", [thing.code for thing in HELD_OUT]),
        ("what_is_it", *(thing.code for thing in HELD_OUT)),
        ("test",),
    ),
    "count-things": PictureTask(_count_things, ("how_many", *_LEARNT_NAMES), choices=("1", "2", "3", "4")),
    "place-thing": PictureTask(
        _place_thing, ("where_from_middle", "where_from_other", *PLACES, *_LEARNT_NAMES), choices=PLACES
    ),
    "true-false": PictureTask(
        _true_false,
        ("true_or_false", *STATEMENTS, "true", "false", *PLACES, *_LEARNT_NAMES),
        choices=("true", "false"),
    ),
    "object-presence-random": PictureTask(_presence(absent_at_random), _PRESENCE_WORDS, choices=_YES_NO),
    "object-presence-popular": PictureTask(
        _presence(absent_and_frequent), _PRESENCE_WORDS, ("test", "dev"), choices=_YES_NO
    ),
    "object-presence-adversarial": PictureTask(
        _presence(absent_from_company), _PRESENCE_WORDS, ("test", "dev"), choices=_YES_NO
    ),
    "clock-hour": PictureTask(_clock_hour, ("which_hour", *_HOURS)),
    "flag-country": PictureTask(_flag_country, ("which_country",)),
    "flag-currency": PictureTask(_flag_currency, ("which_currency",)),
}


def check_picture_words(code: str, words: Mapping[str, str], needed: Sequence[str] = PICTURE_KEYS) -> None:
    """Raise a ValueError that names the first of the needed keys that `words` lacks, or a sentence with other slots."""
    where = f"config/pictures.yaml: {code}"
    for key in needed:
        if not isinstance(words.get(key), str):
            raise ValueError(f"{where}: {key} is missing, or no text in quotes; write it as in eng_Latn")
        try:
            in_text = sorted(slot for _, slot, _, _ in Formatter().parse(words[key]) if slot is not None)
        except ValueError as error:
            raise ValueError(f"{where}: {key}: {error}; braces stand around slots alone") from None
        if in_text != sorted(PICTURE_SENTENCES.get(key, ())):
            slots = sorted(PICTURE_SENTENCES.get(key, ()))
            raise ValueError(f"{where}: {key} has the slots {in_text}; write each of {slots} once")


def words_of_task(task: str, words: Mapping[str, str]) -> dict[str, str]:
    """Return the part of a language's words that a task needs: an edit of any other word is no reason to make it anew.

    `words` has the language's code, iso639_1, script and its block of config/pictures.yaml. Raises ValueError for a
    task that is none of PICTURES, and as `check_picture_words` does.
    """
    if task not in PICTURES:
        raise ValueError(
            f"config/tasks/{task}.yaml: no embedded pictures; tasks with pictures are {', '.join(PICTURES)}"
        )
    needed = PICTURES[task].words
    check_picture_words(words["code"], words, needed)
    return {key: words[key] for key in ("code", "iso639_1", "script", *needed)}


def _country_name(words: Mapping[str, str], country: str) -> str:
    name = locale_of(words["iso639_1"], words["script"]).territories.get(country, country)
    # In a locale of another script, a name in Latin letters is English that CLDR left untranslated.
    if name == country or (words["script"] != "Latn" and re.search("[A-Za-z]", name)):
        raise Unnamed(f"CLDR has no {words['code']} name of {country!r}")
    return name


def _name(words: Mapping[str, str], problem: Problem) -> str:
    """Return the answer of a problem in a language."""
    match problem.sentence:
        case "which_country":
            return _country_name(words, problem.answer)
        case "which_currency":
            of_language = names(words["iso639_1"], words["script"])["currency"]
            if problem.answer not in of_language:
                raise Unnamed(f"CLDR has no {words['code']} name of {problem.answer!r}")
            return of_language[problem.answer]
    return words.get(problem.answer, problem.answer)  # a number is written with its own figures


def render_question(problem: Problem, words: Mapping[str, str]) -> tuple[str, str]:
    """Return the question of a problem and its answer in a language; raises Unnamed if CLDR lacks the answer's name."""
    slots = {slot: words.get(code, code) for slot, code in problem.slots.items()}
    question = words[problem.sentence].format(**slots)
    if problem.sentence in STATEMENTS:
        question = words["true_or_false"].format(statement=question)
    return question, _name(words, problem)


def picture_rows(task: str, words: Mapping[str, str], items: int, split: str) -> list[PictureRow]:
    """Return the rows of a task of PICTURES in one language.

    `words` is as for `words_of_task`; `split` is train, dev or test. (task, split, i) alone decides item i, so that
    rows with the same id have the same picture and meaning in every language. An item is missing if CLDR lacks a name
    of its answer: there can be fewer than `items` rows. Raises ValueError as `words_of_task` does, and for a split that
    the task lacks.
    """
    words = words_of_task(task, words)
    choices = {label: words.get(label, label) for label in PICTURES[task].choices}
    rows = []
    for row_id, problem in _problems(task, items, split):
        try:
            question, answer = render_question(problem, words)
        except Unnamed:
            continue
        rows.append(PictureRow(row_id, problem.picture, question, (answer,), problem.answer, choices))
    return rows


def item_pictures(task: str, items: int, split: str) -> dict[str, Picture]:
    """Return the pictures of the first items of a task, by the id that their rows have in every language."""
    return {row_id: problem.picture for row_id, problem in _problems(task, items, split)}


def _problems(task: str, items: int, split: str) -> Iterator[tuple[str, Problem]]:
    if split not in PICTURES[task].splits:
        raise ValueError(f"config/tasks/{task}.yaml: has no {split} rows, but {', '.join(PICTURES[task].splits)}")
    for number in range(items):
        yield f"embedded:{task}-{split}-{number}", PICTURES[task].problem(split, number)
