"""The VQA score, and the exact match of xGQA."""

import json

import pytest
from project import ROOT

from maple.metrics.registry import METRICS
from maple.metrics.spans import english_exact_match, exact_match, vqa_score

XGQA = ROOT.parent / "shared/data/images/xgqa"


def votes(answer, given, *, of=10):
    """The answers of some people, of whom `given` say the same."""
    return [answer] * given + [f"other {number}" for number in range(of - given)]


@pytest.mark.parametrize(("given", "score"), [(0, 0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1), (10, 1)])
def test_of_ten_people_who_say_the_same_one_is_worth_three_tenths_and_four_are_enough(given, score):
    # One: in nine of the ten sets of nine the match is left, a third each. Three: one in ten sets lacks each of them.
    assert vqa_score("red", votes("red", given), "eng_Latn") == pytest.approx(score)


@pytest.mark.parametrize(("people", "score"), [(1, 1), (2, 1 / 3), (3, 2 / 3), (4, 1)])
def test_a_few_people_who_all_agree_are_treated_alike_and_one_is_an_exact_match(people, score):
    assert vqa_score("red", votes("red", people, of=people), "eng_Latn") == pytest.approx(score)
    assert vqa_score("blue", votes("red", people, of=people), "eng_Latn") == 0


@pytest.mark.parametrize(
    ("answer", "gold", "language", "equal"),
    [
        ("two", "2", "eng_Latn", True), ("None", "0", "eng_Latn", True), ("Ten.", "10", "eng_Latn", True),
        ("the red car", "red car", "eng_Latn", True), ("dont walk", "don't walk", "eng_Latn", True),
        ("couldn'tve", "couldnt've", "eng_Latn", True), ("1,000", "1000", "eng_Latn", True),
        ("eleven", "11", "eng_Latn", False), ("zwei", "2", "deu_Latn", False), ("two", "2", "deu_Latn", False),
        ("das rote Auto", "Rotes Auto", "deu_Latn", False), ("das Auto", "Auto", "deu_Latn", True),
        ("a casa", "casa", "por_Latn", False), ("गाय।", "गाय", "hin_Deva", True), ("红色。", "红色", "zho_Hans", True),
    ],
)  # fmt: skip
def test_answers_are_equal_by_the_rules_of_their_language_and_in_english_by_their_numbers(
    answer, gold, language, equal
):
    assert vqa_score(answer, votes(gold, 10), language) == equal


def test_an_english_answer_is_as_right_in_every_language_of_the_question():
    for code in ("eng_Latn", "deu_Latn", "zho_Hans", "ben_Beng"):
        assert english_exact_match("A Chair.", ["chair"], code) == 1
        assert english_exact_match("chairs", ["chair"], code) == 0
    # By the rules of German another answer would be right than in English.
    assert exact_match("die", [""], "deu_Latn") == 1 and english_exact_match("die", [""], "deu_Latn") == 0


@pytest.mark.skipif(not XGQA.is_dir(), reason="the questions of xGQA are not on this machine")
def test_of_the_answers_of_xgqa_no_two_become_equal_and_each_is_right():
    rows = [json.loads(line) for line in (XGQA / "de.jsonl").read_text(encoding="utf-8").splitlines()]
    answers = {row["answer"] for row in rows}
    for gold in answers:
        right = [answer for answer in answers if english_exact_match(answer, [gold], "deu_Latn")]
        assert right == [gold] and english_exact_match(f" {gold.upper()} ", [gold], "deu_Latn") == 1


def test_both_are_metrics_of_an_item_from_zero_to_one():
    for name in ("vqa_score", "english_exact_match"):
        assert METRICS[name].value("yes", ["yes"], "eng_Latn") == 1 == METRICS[name].scale.high
