"""The questions about pictures on which a tiny vision-language model is pretrained."""

import io
from collections import Counter

from PIL import Image
from project import ROOT

from maple.definitions.language import read_languages
from maple.definitions.reading import read_yaml
from maple.embedded.drawing import draw, png
from maple.embedded.picture_lessons import documents
from maple.embedded.pictures import item_pictures, words_of_task

LANGUAGES = read_languages(ROOT / "config/languages.tsv")
BLOCKS = read_yaml(ROOT / "config/pictures.yaml")
TASKS = ("name-thing", "object-presence-random")


def words(*codes, tasks=TASKS):
    known = {code: LANGUAGES[code].identity.params() | BLOCKS[code] for code in codes}
    return {
        code: {key: text for task in tasks for key, text in words_of_task(task, known[code]).items()} for code in known
    }


def lessons(count, *codes, seed=1, tasks=TASKS, read=(), languages=()):
    known = words(*(codes or ["eng_Latn"]), tasks=[*tasks, *read])
    return list(documents(known, count, seed, tasks=tasks, read=read, languages=languages))


def seen(made):
    return [lesson for lesson in made if lesson.picture]


def read(made):
    return [lesson for lesson in made if lesson.picture is None]


def test_three_of_four_lessons_are_the_first_train_rows_of_the_tasks_in_turn_with_their_pictures():
    made = lessons(8)
    assert [lesson.picture is None for lesson in made] == [False, False, False, True] * 2
    drawings = [item_pictures(task, 3, "train").values() for task in TASKS]
    expected = [png(draw(picture)) for of_item in zip(*drawings, strict=True) for picture in of_item]
    assert [lesson.picture for lesson in seen(made)] == expected
    assert {lesson.question for lesson in seen(made)[::2]} == {BLOCKS["eng_Latn"]["what_is_it"]}
    assert [lesson.answer for lesson in seen(made)[1::2]] == ["Yes", "No", "Yes"]
    assert Image.open(io.BytesIO(made[0].picture)).size == (64, 64)


def test_no_lesson_shows_a_picture_of_a_test_row():
    shown = {lesson.picture for lesson in seen(lessons(200))}
    tested = {png(draw(picture)) for task in TASKS for picture in item_pictures(task, 100, "test").values()}
    assert len(shown) == 150 and not shown & tested


def test_languages_come_equally_often_and_tell_no_answer():
    made = lessons(1600, "eng_Latn", "deu_Latn", tasks=["object-presence-random"])
    answers = Counter(lesson.answer for lesson in seen(made))
    # 1,200 answers, half of them in either language and half of them yes: 300 each.
    assert set(answers) == {"Yes", "No", "Ja", "Nein"} and all(240 < count < 360 for count in answers.values())


def test_what_is_read_is_of_all_tasks_and_languages_and_what_is_seen_of_those_that_are_named():
    codes, tasks = ("eng_Latn", "deu_Latn", "swh_Latn"), {"tasks": ["name-thing"], "read": ["clock-hour"]}
    made = lessons(400, *codes, **tasks, languages=["deu_Latn"])
    assert {lesson.question for lesson in seen(made)} == {BLOCKS["deu_Latn"]["what_is_it"]}
    asked = {BLOCKS[code][key] for code in codes for key in ("what_is_it", "which_hour")}
    assert {lesson.question for lesson in read(made)} == asked
    hours = {BLOCKS["swh_Latn"][f"hour_{hour}"] for hour in range(1, 13)}
    assert hours & {lesson.answer for lesson in read(made)} and not hours & {lesson.answer for lesson in seen(made)}


def test_the_seed_chooses_languages_and_no_pictures():
    one, same, other = (lessons(40, "eng_Latn", "swh_Latn", seed=seed) for seed in (1, 1, 2))
    assert one == same and [lesson.question for lesson in one] != [lesson.question for lesson in other]
    assert [lesson.picture for lesson in one] == [lesson.picture for lesson in other]


def test_a_name_that_cldr_lacks_is_passed_over():
    made = lessons(60, "yor_Latn", tasks=["flag-country"])
    assert len(made) == 60 and all(lesson.answer for lesson in made)
