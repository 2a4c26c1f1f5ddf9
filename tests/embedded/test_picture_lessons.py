"""The questions about pictures on which a tiny vision-language model is pretrained."""

import io
from collections import Counter

import pytest
from PIL import Image
from project import ROOT

from maple.definitions.language import read_languages
from maple.definitions.reading import read_yaml
from maple.embedded.drawing import draw, png
from maple.embedded.picture_lessons import documents, learnt_tasks
from maple.embedded.pictures import PICTURES, item_pictures, words_of_task

LANGUAGES = read_languages(ROOT / "config/languages.tsv")
BLOCKS = read_yaml(ROOT / "config/pictures.yaml")
TASKS = ("name-thing", "object-presence-random")


def words(*codes, tasks=TASKS):
    known = {code: LANGUAGES[code].identity.params() | BLOCKS[code] for code in codes}
    return {
        code: {key: text for task in tasks for key, text in words_of_task(task, known[code]).items()} for code in known
    }


def test_a_task_is_learnt_whose_words_are_all_there_if_it_has_train_rows():
    for task in PICTURES:
        has_train_rows = "train" in PICTURES[task].splits
        # The three tasks of presence have the same words.
        learnt = "object-presence-random" if task.startswith("object-presence") else task
        expected = [learnt] if has_train_rows or learnt != task else []
        assert learnt_tasks(words("eng_Latn", tasks=[task])["eng_Latn"]) == expected, task
    assert learnt_tasks(words("eng_Latn")["eng_Latn"]) == list(TASKS)


def test_lessons_are_the_first_train_rows_of_the_tasks_in_turn():
    lessons = list(documents(words("eng_Latn"), 6, seed=1))
    drawings = [item_pictures(task, 3, "train").values() for task in TASKS]
    expected = [png(draw(picture)) for of_item in zip(*drawings, strict=True) for picture in of_item]
    assert [lesson.picture for lesson in lessons] == expected
    assert {lesson.question for lesson in lessons[::2]} == {BLOCKS["eng_Latn"]["what_is_it"]}
    assert [lesson.answer for lesson in lessons[1::2]] == ["Yes", "No", "Yes"]
    assert Image.open(io.BytesIO(lessons[0].picture)).size == (64, 64)


def test_no_lesson_shows_a_picture_of_a_test_row():
    shown = {lesson.picture for lesson in documents(words("eng_Latn"), 200, seed=1)}
    tested = {png(draw(picture)) for task in TASKS for picture in item_pictures(task, 100, "test").values()}
    assert len(shown) == 200 and not shown & tested


def test_languages_come_equally_often_and_tell_no_answer():
    of_both = list(documents(words("eng_Latn", "deu_Latn"), 800, seed=1))
    answers = Counter(lesson.answer for lesson in of_both[1::2])
    # Four hundred answers, half of them in either language and half of them yes: 100 each.
    assert set(answers) == {"Yes", "No", "Ja", "Nein"} and all(70 < count < 130 for count in answers.values())


def test_the_seed_chooses_the_languages_and_nothing_else():
    one, same, other = (list(documents(words("eng_Latn", "swh_Latn"), 40, seed)) for seed in (1, 1, 2))
    assert one == same and [lesson.question for lesson in one] != [lesson.question for lesson in other]
    assert [lesson.picture for lesson in one] == [lesson.picture for lesson in other]


def test_a_name_that_cldr_lacks_is_passed_over():
    lessons = list(documents(words("yor_Latn", tasks=["flag-country"]), 60, seed=1))
    assert len(lessons) == 60 and all(lesson.answer for lesson in lessons)


@pytest.mark.parametrize("task", ["name-pair", "object-presence-popular"])
def test_a_task_without_train_rows_teaches_nothing_of_its_own(task):
    assert task not in learnt_tasks(words("eng_Latn", tasks=PICTURES)["eng_Latn"])
