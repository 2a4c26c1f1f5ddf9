import io
import re
from collections import Counter

import pytest
from PIL import Image
from project import ROOT

from maple.definitions.language import read_languages
from maple.definitions.reading import read_yaml
from maple.embedded.cldr import facts, held_out
from maple.embedded.drawing import Thing, draw, png
from maple.embedded.pairs import split_of
from maple.embedded.pictures import (
    PICTURE_KEYS,
    PICTURE_SENTENCES,
    PICTURES,
    STATEMENTS,
    check_picture_words,
    countries_with_flags,
    item_pictures,
    picture_rows,
    words_of_task,
)
from maple.embedded.scenes import HELD_OUT, LEARNT, PLACES, place_of

BLOCKS = read_yaml(ROOT / "config/pictures.yaml")
LANGUAGES = read_languages(ROOT / "config/languages.tsv")
WORDS = {code: LANGUAGES[code].identity.params() | block for code, block in BLOCKS.items()}
ENGLISH = WORDS["eng_Latn"]
HOURS = [key for key in PICTURE_KEYS if key.startswith("hour_")]
PRESENCE = [task for task in PICTURES if task.startswith("object-presence")]
THINGS = [thing.code for thing in (*LEARNT, *HELD_OUT)]
every_language = pytest.mark.parametrize("code", WORDS)
every_task = pytest.mark.parametrize("task", PICTURES)


def problems(task, split="test", count=48):
    return [PICTURES[task].problem(split, number) for number in range(count)]


def of_code(code):
    return Thing(*code.split("_"))


def where(scene, slots):
    """Return where the thing of the slots is, seen from the other or from the middle."""
    places = {placed.thing.code: placed for placed in scene.placed}
    if "other" not in slots:
        return place_of(places[slots["thing"]])
    other = places[slots["other"]]
    return place_of(places[slots["thing"]], (other.x, other.y))


def holds(problem):
    """Return True if the statement of a problem is true of its scene."""
    scene, slots = problem.picture, problem.slots
    if problem.sentence == "says_number":
        return str(scene.count(of_code(slots["thing"]))) == slots["number"]
    if problem.sentence == "says_more":
        return scene.count(of_code(slots["thing"])) > scene.count(of_code(slots["other"]))
    return where(scene, slots) == slots["place"]


# --- words ---


@every_language
def test_every_language_has_every_word_with_its_slots(code):
    assert set(BLOCKS[code]) == set(PICTURE_KEYS)
    check_picture_words(code, WORDS[code])
    for key, slots in PICTURE_SENTENCES.items():
        assert sorted(re.findall(r"{(\w+)}", BLOCKS[code][key])) == sorted(slots), key


def test_the_languages_are_those_of_the_other_embedded_words():
    assert set(BLOCKS) == set(read_yaml(ROOT / "config/phrases.yaml"))


@every_language
def test_names_are_distinct_and_so_are_answers(code):
    for keys in (THINGS, HOURS, PLACES, ("yes", "no"), ("true", "false"), list(PICTURE_SENTENCES)):
        assert len({WORDS[code][key].casefold() for key in keys}) == len(keys)


@every_language
def test_no_word_of_another_script_has_latin_letters(code):
    if LANGUAGES[code].script != "Latn":
        assert not [key for key in BLOCKS[code] if re.search("[A-Za-z]", re.sub(r"{\w+}", "", BLOCKS[code][key]))]


def test_names_are_those_of_cldr_but_for_sizes_and_dots():
    assert (WORDS["swh_Latn"]["red_circle"], WORDS["swh_Latn"]["black_square"]) == ("mduara mwekundu", "mraba mweusi")
    assert (WORDS["deu_Latn"]["red_circle"], WORDS["eng_Latn"]["white_square"]) == ("roter Kreis", "white square")
    assert WORDS["swh_Latn"]["hour_3"] == "saa tisa"  # the ninth hour since dawn


def test_a_word_that_is_missing_or_has_other_slots_is_named():
    with pytest.raises(ValueError, match=r"config/pictures.yaml: eng_Latn: hour_3 is missing"):
        picture_rows("clock-hour", {key: word for key, word in ENGLISH.items() if key != "hour_3"}, 1, "test")
    with pytest.raises(ValueError, match=r"how_many has the slots \[\]; write each of \['thing'\] once"):
        picture_rows("count-things", ENGLISH | {"how_many": "How many?"}, 1, "test")
    with pytest.raises(ValueError, match=r"left has the slots \['x'\]; write each of \[\] once"):
        check_picture_words("eng_Latn", ENGLISH | {"left": "{x}"})


def test_a_task_reads_the_words_that_it_needs_and_no_others():
    other = ENGLISH | {"hour_3": "3 pm", "is_there": "{thing}?"}
    for task in ("name-thing", "name-pair", "count-things", "true-false", "flag-country"):
        assert words_of_task(task, other) == words_of_task(task, ENGLISH)
    assert words_of_task("clock-hour", other) != words_of_task("clock-hour", ENGLISH)


@every_task
def test_a_task_can_do_without_all_other_words(task):
    alone = words_of_task(task, ENGLISH)
    for split in PICTURES[task].splits:
        assert picture_rows(task, alone, 24, split) == picture_rows(task, ENGLISH, 24, split)


# --- rows ---


@every_task
def test_items_are_parallel_over_languages(task):
    english = {row.id: row for row in picture_rows(task, ENGLISH, 12, "test")}
    assert len(english) == 12
    for words in WORDS.values():
        for row in picture_rows(task, words, 12, "test"):
            assert (row.picture, row.label) == (english[row.id].picture, english[row.id].label)
            assert "{" not in row.question and all(row.answers)


@every_task
def test_fewer_items_are_the_first_of_more(task):
    assert picture_rows(task, ENGLISH, 10, "test") == picture_rows(task, ENGLISH, 30, "test")[:10]


@every_task
def test_a_picture_of_one_split_is_in_no_other(task):
    for split in PICTURES[task].splits:
        assert {split_of(repr(row.picture)) for row in picture_rows(task, ENGLISH, 48, split)} == {split}


def test_no_test_picture_is_a_training_one():
    drawn = {
        split: {
            png(draw(row.picture))
            for task in PICTURES
            if split in PICTURES[task].splits
            for row in picture_rows(task, ENGLISH, 150, split)
        }
        for split in ("train", "dev", "test")
    }
    assert min(map(len, drawn.values())) > 900
    assert not drawn["train"] & drawn["test"] and not drawn["train"] & drawn["dev"]
    assert not drawn["dev"] & drawn["test"]


def test_a_question_names_what_it_asks_about():
    row = picture_rows("count-things", WORDS["deu_Latn"], 3, "test")[2]
    assert re.fullmatch(r"Wie viele davon sind im Bild: \w+ (Kreis|Quadrat|Herz)\?", row.question)
    assert (row.id, row.answers, row.label) == ("embedded:count-things-test-2", ("3",), "3")


def test_an_unknown_task_or_split_is_named():
    with pytest.raises(ValueError, match=r"config/tasks/name-dog.yaml: no embedded pictures; tasks with pictures are"):
        picture_rows("name-dog", ENGLISH, 1, "test")
    with pytest.raises(ValueError, match=r"config/tasks/name-pair.yaml: has no train rows, but test"):
        picture_rows("name-pair", ENGLISH, 1, "train")


# --- tasks ---


def test_the_one_thing_in_the_picture_is_the_answer():
    for task, things in (("name-thing", LEARNT), ("name-pair", HELD_OUT)):
        for problem in problems(task):
            assert problem.picture.things == {of_code(problem.answer)} <= set(things)


def test_all_things_come_equally_often():
    assert set(Counter(problem.answer for problem in problems("name-thing", count=42)).values()) == {2}
    assert set(Counter(problem.answer for problem in problems("name-pair", count=12)).values()) == {2}


@pytest.mark.parametrize("task", [task for task in PICTURES if not task.startswith(("clock", "flag", "name-pair"))])
def test_no_row_but_those_of_name_pair_shows_a_held_out_pair(task):
    for split in PICTURES[task].splits:
        assert not any(problem.picture.things & set(HELD_OUT) for problem in problems(task, split))


def test_things_are_counted_rightly_and_their_number_does_not_follow_from_all():
    totals = {str(count): set() for count in range(1, 5)}
    for problem in problems("count-things", count=80):
        assert problem.answer == str(problem.picture.count(of_code(problem.slots["thing"])))
        totals[problem.answer].add(len(problem.picture.placed))
    assert totals == {str(count): {5, 6} for count in range(1, 5)}


def test_a_thing_is_where_the_answer_says():
    asked = problems("place-thing")
    assert all(where(problem.picture, problem.slots) == problem.answer for problem in asked)
    assert set(Counter((problem.answer, problem.sentence) for problem in asked).values()) == {6}


def test_a_statement_is_true_if_the_scene_says_so_and_half_of_them_are():
    stated = problems("true-false", count=96)
    assert all(problem.answer == ("true" if holds(problem) else "false") for problem in stated)
    assert set(Counter((problem.sentence, problem.answer) for problem in stated).values()) == {16}
    assert {problem.sentence for problem in stated} == set(STATEMENTS)


@pytest.mark.parametrize("task", PRESENCE)
@pytest.mark.parametrize("split", ["dev", "test"])
def test_present_things_are_in_the_scene_and_absent_ones_are_not_and_half_of_the_answers_are_yes(task, split):
    asked = problems(task, split, 100)
    for problem in asked:
        assert problem.answer == ("yes" if of_code(problem.slots["thing"]) in problem.picture.things else "no")
    assert Counter(problem.answer for problem in asked) == {"yes": 50, "no": 50}


def test_the_three_samplings_differ_in_what_is_absent_alone():
    by_task = {task: problems(task, count=60) for task in PRESENCE}
    at_random, popular, adversarial = by_task.values()
    for one, other in zip(at_random, adversarial, strict=True):
        assert one.picture == other.picture and (one.answer == "no" or one == other)
    absent = [
        Counter(problem.slots["thing"] for problem in asked if problem.answer == "no") for asked in by_task.values()
    ]
    assert len(absent[1]) < len(absent[0]) and absent[1] != absent[2] and popular != adversarial


def test_who_answers_by_frequency_is_right_where_absent_things_are_random_and_fooled_elsewhere():
    learnt = Counter((problem.slots["thing"], problem.answer) for problem in problems(PRESENCE[0], "train", 1000))

    def right(problem):
        thing = problem.slots["thing"]
        return (learnt[thing, "yes"] > learnt[thing, "no"]) == (problem.answer == "yes")

    at_random, *harder = (sum(map(right, problems(task, count=200))) / 200 for task in PRESENCE)
    assert at_random > 0.55 and max(harder) < 0.45


def test_a_clock_shows_the_hour_of_the_answer_and_each_hour_comes_equally_often():
    asked = problems("clock-hour")
    assert all(problem.answer == f"hour_{problem.picture.hour}" for problem in asked)
    assert set(Counter(problem.answer for problem in asked).values()) == {4}


def test_a_flag_is_its_country_s_and_has_a_name_in_every_language():
    for code, words in WORDS.items():
        rows = picture_rows("flag-country", words, 42, "test")
        assert all(row.label == row.picture.country for row in rows) and len({row.answers for row in rows}) == 42, code
    (swedish,) = [row for row in picture_rows("flag-country", WORDS["deu_Latn"], 42, "test") if row.label == "SE"]
    assert swedish.answers == ("Schweden",)


def test_what_money_is_paid_is_asked_of_held_out_countries_and_learnt_from_others():
    for split in PICTURES["flag-currency"].splits:
        asked = problems("flag-currency", split)
        countries = {problem.picture.country for problem in asked}
        assert countries == set(countries_with_flags(split)) and len(countries) >= 5
        assert {held_out(country) for country in countries} == {split != "train"}
        assert all(problem.answer == facts()[problem.picture.country]["currency"] for problem in asked)
    answers = {row.label: row.answers for row in picture_rows("flag-currency", WORDS["swh_Latn"], 10, "test")}
    assert answers["THB"] == ("Baht ya Tailandi",)


def test_the_same_seed_draws_the_same_bytes_as_png():
    one, other = ([png(draw(row.picture)) for row in picture_rows("true-false", ENGLISH, 6, "dev")] for _ in range(2))
    assert one == other
    with Image.open(io.BytesIO(one[0])) as image:
        assert (image.format, image.mode, image.info) == ("PNG", "RGB", {})


@every_language
def test_a_task_with_few_answers_has_the_texts_of_all_of_them(code):
    for task, choices in {"place-thing": PLACES, "count-things": "1234", "true-false": ("true", "false")}.items():
        for row in picture_rows(task, WORDS[code], 12, "test"):
            assert tuple(row.choices) == tuple(choices) and row.answers == (row.choices[row.label],)
            assert len(set(row.choices.values())) == len(choices)
    assert picture_rows("name-thing", WORDS[code], 1, "test")[0].choices == {}


@every_task
def test_the_pictures_of_items_are_those_of_their_rows(task):
    rows = picture_rows(task, ENGLISH, 6, "test")
    assert item_pictures(task, 6, "test") == {row.id: row.picture for row in rows}
