import polars as pl
import pytest

from maple.scoring import SCORE_SCHEMA, parse_choice, score_items

LABELS = ["entailment", "neutral", "contradiction"]
SWAHILI = [["Kweli"], ["Haijulikani"], ["Uongo"]]
RUN = {"model": "m", "dataset": "d", "method": "lora-r8-4bit", "seed": 1}


@pytest.mark.parametrize(
    "said", ["Kweli", " kweli.", "«Kweli»", "KWELI\nUongo", "\n\nKweli, kwa sababu ...", "\u200fKweli"]
)
def test_a_label_is_read_through_case_and_punctuation(said):
    assert parse_choice(said, LABELS, SWAHILI) == "entailment"


@pytest.mark.parametrize("said", ["", "   \n", "Labda", "Kwelikweli", "\U0001f600", "?"])
def test_what_names_no_label_is_unparsed(said):
    assert parse_choice(said, LABELS, SWAHILI) is None


def test_the_longest_form_wins():
    assert parse_choice("not sure", ["no", "unsure"], [["not"], ["not sure"]]) == "unsure"


def test_two_equal_claims_are_none():
    assert parse_choice("yes", ["a", "b"], [["yes"], ["Yes."]]) is None


@pytest.mark.parametrize("said", ["2", "2.", "２", "2. Kesho ni Jumanne.", "Kesho ni Jumanne."])
def test_a_choice_is_its_number_or_its_text(said):
    assert parse_choice(said, ["1", "2"], [["1", "Jana"], ["2", "Kesho ni Jumanne."]]) == "2"


def test_labels_without_spaces_are_read():
    assert parse_choice("不确定。", LABELS, [["正确"], ["不确定"], ["错误"]]) == "neutral"


def generations(*rows):
    common = {"language": "swh_Latn", "finish_reason": "stop", "prompt_tokens": 9, "token_ids": [1, 2]}
    return pl.DataFrame([common | row for row in rows])


def choice(item, completion):
    forms = {"labels": LABELS, "verbalizers": SWAHILI, "targets": ["entailment"]}
    return {"task": "xnli", "item": item, "completion": completion} | forms


def test_right_wrong_and_unparsed_are_told_apart():
    frame = generations(choice("1", "Kweli"), choice("2", "Uongo"), choice("3", "ah"))
    scores = score_items(frame, {"xnli": ["accuracy"]}, RUN)
    assert scores.select("item", "value", "parsed", "prediction").rows() == [
        ("1", 1.0, True, "entailment"),
        ("2", 0.0, True, "contradiction"),
        ("3", 0.0, False, "ah"),
    ]
    assert scores.schema == SCORE_SCHEMA


def test_every_metric_of_a_task_has_a_row():
    row = {"task": "xquad", "item": "1", "completion": " Nairobi.\nmore", "targets": ["Nairobi"]}
    scores = score_items(generations(row | {"labels": [], "verbalizers": []}), {"xquad": ["f1", "exact_match"]}, RUN)
    assert scores.select("metric", "value", "prediction").rows() == [
        ("f1", 1.0, "Nairobi."),
        ("exact_match", 1.0, "Nairobi."),
    ]
    assert scores["completion_tokens"].to_list() == [2, 2]


def test_an_empty_answer_is_unparsed():
    row = {"task": "xquad", "item": "1", "completion": " \n", "targets": ["Nairobi"], "labels": [], "verbalizers": []}
    scores = score_items(generations(row), {"xquad": ["f1"]}, RUN)
    assert scores.select("value", "parsed").rows() == [(0.0, False)]
