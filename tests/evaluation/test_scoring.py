import polars as pl
import pytest

from maple.evaluation.answer_parsing import parse_choice
from maple.evaluation.scoring import SCORE_SCHEMA, score_items

LABELS = ["entailment", "neutral", "contradiction"]
SWAHILI = [["Kweli"], ["Haijulikani"], ["Uongo"]]
IDENTITY = {"code": "swh_Latn", "iso639_1": "sw", "script": "Latn"}
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


def test_letters_that_change_their_length_with_their_case_hide_no_second_label():
    assert parse_choice("Spaßßß, B", ["1", "2"], [["Spaßßß"], ["B"]]) is None
    assert parse_choice("SPASS!", ["1", "2"], [["Spaß"], ["B"]]) == "1"


def test_two_equal_claims_are_none():
    assert parse_choice("yes", ["a", "b"], [["yes"], ["Yes."]]) is None


@pytest.mark.parametrize("said", ["2", "2.", "２", "٢", "२।", "๒", "(2)", "2. Kesho ni Jumanne.", "Kesho ni Jumanne."])
def test_a_choice_is_its_number_or_its_text(said):
    assert parse_choice(said, ["1", "2"], [["1", "Jana"], ["2", "Kesho ni Jumanne."]]) == "2"


def test_labels_without_spaces_are_read():
    assert parse_choice("不确定。", LABELS, [["正确"], ["不确定"], ["错误"]]) == "neutral"


LETTERS = [["A", "A. A large storm", "A large storm"], ["B", "B. A small one", "A small one"]]


@pytest.mark.parametrize(
    ("said", "label"),
    [
        ("A", "A"),
        ("a)", "A"),
        ("(B)", "B"),
        ("B. A small one", "B"),
        ("A large storm.", "A"),
        ("A small one", "B"),
        ("B. A storm", "B"),
        ("B: because it rained", "B"),
        ("A boy went to school", None),
        ("A or B", None),
        ("A/B", None),
        ("B, not A.", None),
        ("A是对的", "A"),
        ("A입니다", "A"),
        ("Ab", None),
        ("\u200f\n\u200d \nB", "B"),
    ],
)
def test_a_letter_is_told_from_the_word_of_one_letter(said, label):
    assert parse_choice(said, ["A", "B"], LETTERS) == label


@pytest.mark.parametrize(
    ("said", "label"), [("1. He bought 2 apples", "1"), ("1번", "1"), ("12", None), ("1 or 2", None)]
)
def test_a_number_is_told_from_a_quantity(said, label):
    assert parse_choice(said, ["1", "2"], [["1"], ["2"]]) == label


@pytest.mark.parametrize(
    ("said", "forms"),
    [
        ("true or false", ["True", "Neither", "False"]),
        ("True, not FALSE", ["True", "Neither", "False"]),
        ("正しいとは言えない", ["正しい", "不明", "誤り"]),
        ("正确还是错误", ["正确", "不确定", "错误"]),
        ("참입니다", ["참", "불확실", "거짓"]),
        ("\U0001e4f0", ["1", "2", "3"]),
    ],
)
def test_what_is_not_said_plainly_is_no_label(said, forms):
    assert parse_choice(said, LABELS, [[form] for form in forms]) is None


def test_a_mark_makes_another_letter():
    assert parse_choice("วันนี้", ["x", "y"], [["ว"], ["จริง"]]) is None
    assert parse_choice("จริง ครับ", ["x", "y"], [["เท็จ"], ["จริง"]]) == "y"


def generations(*rows):
    common = {
        "language": "swh_Latn",
        "words": 2,
        "answer": "generate",
        "finish_reason": "stop",
        "prompt_tokens": 9,
        "item_tokens": 6,
        "shots": 0,
        "shots_dropped": 0,
        "completion_tokens": 2,
        "log_likelihoods": [],
        "labels": [],
        "verbalizers": [],
    }
    return pl.DataFrame([common | row for row in rows])


def scored(frame, tasks, language=IDENTITY):
    return score_items(frame, tasks, RUN, language)


def choice(item, completion):
    forms = {"labels": LABELS, "verbalizers": SWAHILI, "targets": ["entailment"]}
    return {"task": "xnli", "item": item, "completion": completion} | forms


def test_right_wrong_and_unparsed_are_told_apart():
    frame = generations(choice("1", "Kweli"), choice("2", "Uongo"), choice("3", "ah"))
    scores = scored(frame, {"xnli": ["accuracy"]})
    assert scores.select("item", "value", "parsed", "prediction").rows() == [
        ("1", 1.0, True, "entailment"),
        ("2", 0.0, True, "contradiction"),
        ("3", 0.0, False, "ah"),
    ]
    assert scores.schema == SCORE_SCHEMA


def test_every_metric_of_a_task_has_a_row():
    row = {"task": "xquad", "item": "1", "completion": " Nairobi.\nmore", "targets": ["Nairobi"]}
    scores = scored(generations(row), {"xquad": ["f1", "exact_match"]})
    assert scores.select("metric", "value", "prediction").rows() == [
        ("f1", 1.0, "Nairobi."),
        ("exact_match", 1.0, "Nairobi."),
    ]
    assert scores["completion_tokens"].to_list() == [2, 2]


def test_an_empty_answer_is_unparsed():
    row = {"task": "xquad", "item": "1", "completion": " \n", "targets": ["Nairobi"]}
    scores = scored(generations(row), {"xquad": ["f1"]})
    assert scores.select("value", "parsed").rows() == [(0.0, False)]


def test_an_apostrophe_is_one_letter_however_it_is_typed():
    for said in ("Yolg\u02bbon", "yolg\u2018on", "Yolg'on."):
        assert parse_choice(said, ["contradiction"], [["Yolg\u02bbon"]]) == "contradiction"


def ranked(log_likelihoods, verbalizers):
    labels = LABELS[: len(verbalizers)]
    row = {"task": "xnli", "item": "1", "completion": "", "finish_reason": "rank", "answer": "rank"}
    forms = {"labels": labels, "verbalizers": verbalizers, "targets": ["entailment"]}
    return generations(row | forms | {"log_likelihoods": log_likelihoods})


def test_a_ranking_is_scored_raw_and_by_its_bytes():
    # Four bytes at -4 are -1 a byte, eight at -6 are less: the longer choice is likelier by its bytes alone.
    scores = scored(ranked([-6.0, -4.0], [["abcdefgh", "x"], ["wxyz"]]), {"xnli": ["accuracy"]})
    assert scores.select("metric", "value", "prediction", "parsed").rows() == [
        ("rank_accuracy", 0.0, "neutral", True),
        ("rank_accuracy_per_byte", 1.0, "entailment", True),
    ]


def test_a_prompt_that_was_too_long_to_rank_scores_nothing():
    scores = scored(ranked([], [["a"], ["b"]]), {"xnli": ["accuracy"]})
    assert scores.select("value", "parsed", "prediction").rows() == [(0.0, False, "")] * 2


def test_bytes_are_those_of_utf_8():
    scores = scored(ranked([-6.0, -4.0], [["ሰኞ"], ["wxyz"]]), {"xnli": ["accuracy"]})  # six bytes, four bytes
    # -6 over six bytes and -4 over four are equal: the first of equals is taken.
    assert scores["prediction"].to_list() == ["neutral", "entailment"]


def said(completion, target, language=IDENTITY):
    row = {"task": "xlsum", "item": "1", "completion": completion, "targets": [target]}
    return scored(generations(row | {"language": language["code"]}), {"xlsum": ["rougeL"]}, language).row(0, named=True)


def test_an_answer_in_another_language_or_script_is_counted():
    swahili = "Watoto wote walikwenda shuleni asubuhi na mapema leo."
    english = "All of the children went to school early in the morning today."
    russian = "Все дети пошли сегодня рано утром в школу."
    assert [(row["wrong_language"], row["wrong_script"]) for row in (said(a, swahili) for a in (swahili, english))] == [
        (False, False),
        (True, False),
    ]
    assert (said(russian, swahili)["wrong_language"], said(russian, swahili)["wrong_script"]) == (True, True)


def test_of_a_short_answer_or_a_name_no_language_is_told():
    assert said("Nairobi", "Nairobi")["wrong_language"] is None
    hindi = {"code": "hin_Deva", "iso639_1": "hi", "script": "Deva"}
    assert said("NFL", "NFL", hindi)["wrong_script"] is None  # the right answer is Latin itself
    assert said("NFL", "एनएफएल", hindi)["wrong_script"] is True
    assert said("", "एनएफएल", hindi)["wrong_script"] is None


def test_a_right_answer_that_looks_foreign_itself_blames_nobody():
    assert said("Robert Lane and Benjamin Vail", "Robert Lane and Benjamin Vail")["wrong_language"] is None


def test_tokens_are_counted_a_word():
    assert said("a", "b")["tokens_per_word"] == 3.0  # six tokens of a prompt of two words


@pytest.mark.parametrize(
    "completion", ["", "\u200f\u200d\u200b", "a" * 10_000, "字" * 10_000, "\x00\ud7ff", "١" * 50, "\n\n\n"]
)
def test_no_completion_is_too_odd_to_be_scored(completion):
    for code, iso, script in (("swh_Latn", "sw", "Latn"), ("zho_Hans", "zh", "Hans"), ("tha_Thai", "th", "Thai")):
        identity = {"code": code, "iso639_1": iso, "script": script}
        open_row = {"task": "xlsum", "item": "1", "completion": completion, "targets": ["Jua."], "language": code}
        metrics = {"xlsum": ["f1", "rougeL", "rougeLsum", "rouge_ascii", "chrf++", "bleu"], "xnli": ["accuracy"]}
        frame = generations(open_row, choice("2", completion) | {"language": code})
        scores = scored(frame, metrics, identity)
        assert scores.height == 7
        assert scores["value"].is_between(0, 1).all()
