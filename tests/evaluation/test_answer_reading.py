"""Where an answer stands in a completion, and what is read of it."""

import polars as pl
import pytest
from pydantic import ValidationError

from maple.definitions.language import LanguageIdentity
from maple.definitions.run import RunKey
from maple.definitions.task import AnswerSpec
from maple.evaluation.answer_reading import read_answer
from maple.evaluation.scoring import score_items

FORMS = [["A", "Nairobi"], ["B", "Mombasa"]]
THOUGHT = "A. is the capital.\nThe sea is elsewhere.\n**Answer: B**\n"


def read(text, labels=(), code="eng_Latn", **spec):
    return read_answer(text, AnswerSpec(**spec), labels, FORMS if labels else [], code)


def test_the_first_line_is_read_where_nothing_else_is_said():
    assert read("\nNairobi\nMombasa") == (True, "Nairobi")
    assert read(THOUGHT, "AB") == (True, "A")
    assert read(" \n") == (False, "")


def test_a_label_is_read_in_the_last_line():
    assert read(THOUGHT, "AB", read="label") == (True, "B")
    assert read(THOUGHT + "I am not sure.", "AB", read="label") == (False, "I am not sure.")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The answer is 14 eggs.", " 14 eggs."),
        ("the answer is: 3.\nNo, the Answer is 14", "14"),
        ("১৮ − ৪ = ১৪। উত্তর: ১৪", "১৪"),
    ],
)
def test_what_stands_behind_the_last_cue_is_the_answer(text, answer):
    assert read(text, after=["The answer is", "উত্তর"]) == (True, answer.strip())


def test_a_text_without_its_cue_has_no_answer():
    assert read("14", after=["The answer is"]) == (False, "14")
    assert read("The answer is A or B", "AB", after=["The answer is"]) == (False, "A or B")
    assert read("So the answer is Mombasa.", "AB", after=["answer is"]) == (True, "B")


@pytest.mark.parametrize(
    ("text", "code", "number"),
    [
        ("He has 18 - 4 = 14 eggs.", "eng_Latn", "14"),
        ("उत्तर ७०,००० रुपये है।", "hin_Deva", "७०,०००"),
        ("Es sind 70.000 km", "deu_Latn", "70.000"),
        ("It is -18.", "eng_Latn", "-18"),
    ],
)
def test_the_last_number_is_read_as_it_is_written(text, code, number):
    assert read(text, code=code, read="number") == (True, number)


def test_a_text_without_a_number_has_no_answer():
    assert read("fourteen\n", read="number") == (False, "fourteen")
    assert read("1990. The answer is many.", read="number", after=["The answer is"]) == (False, "many.")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('{"answer": "Nairobi"}', (True, "Nairobi")),
        ('Here: ```json\n{"why": {"a": 1}, "answer": 14}\n``` {', (True, "14")),
        ('{"answer": "x"} {"answer": "Nairobi"} {"other": 1}', (True, "Nairobi")),
        ('{"answer": null}', (False, '{"answer": null}')),
        ('{"answer": "Nai', (False, '{"answer": "Nai')),
    ],
)
def test_a_key_of_the_last_json_object_that_has_it_is_read(text, answer):
    assert read(text, json="answer") == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('["Nairobi", "Kenya"]', (True, "Nairobi\nKenya")),
        ("Nairobi; Kenya", (True, "Nairobi\nKenya")),
        ("内罗毕、肯尼亚", (True, "内罗毕\n肯尼亚")),
        ("نيروبي، كينيا", (True, "نيروبي\nكينيا")),
        ("[]", (True, "")),
        ("\n", (False, "")),
    ],
)
def test_a_list_is_read_as_its_texts(text, answer):
    assert read(text, read="spans") == answer
    if text.startswith("["):
        assert read(f'{{"places": {text}}}', read="spans", json="places") == answer


def test_a_text_that_stops_is_no_part_of_the_answer():
    assert read("14\n\nQuestion: 15", read="number", stop=["\n\n", "Q"]) == (True, "14")


def test_an_answer_stands_in_one_place():
    with pytest.raises(ValidationError, match="keep one"):
        AnswerSpec(after=["x"], json="y")


def test_scores_are_of_the_answer_that_is_read():
    row = {
        "task": "toy", "language": "hin_Deva", "item": "1", "completion": "१० + ४ = १४\nउत्तर: १४ अंडे", "targets": ["14"],
        "words": 1, "answer": "generate", "finish_reason": "stop", "prompt_tokens": 9, "item_tokens": 6, "shots": 0,
        "shots_dropped": 0, "completion_tokens": 2, "log_likelihoods": [], "labels": [], "verbalizers": [],
    }  # fmt: skip
    language = LanguageIdentity("hin_Deva", "Hindi", "hi", "Deva")
    frame, run = pl.DataFrame([row]), RunKey("m", "d", "lora", 1)
    assert score_items(frame, {"toy": ["number"]}, run, language)["value"].to_list() == [0.0]  # of the first line
    spec = AnswerSpec(read="number", after=["उत्तर"])
    scores = score_items(frame, {"toy": ["number"]}, run, language, readings={"toy": spec})
    assert scores.select("value", "prediction").rows() == [(1.0, "१४")]
