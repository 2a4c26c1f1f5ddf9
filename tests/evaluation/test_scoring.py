import math

import polars as pl
import pytest

from maple.definitions.language import LanguageIdentity, LanguagePair, Writing
from maple.definitions.run import RunKey
from maple.evaluation import scoring
from maple.evaluation.answer_parsing import parse_choice
from maple.evaluation.scoring import SCORE_SCHEMA, ScoringError, rank_metrics, score_items
from maple.evaluation.text_issues import Translation
from maple.metrics.metric import ItemMetric
from maple.metrics.registry import is_of_items, is_of_texts, metric_of

LABELS = ["entailment", "neutral", "contradiction"]
SWAHILI = [["Kweli"], ["Haijulikani"], ["Uongo"]]
IDENTITY = LanguageIdentity("swh_Latn", "Swahili", "sw", "Latn")
RUN = RunKey("m", "d", "lora-r8-4bit", 1)
KNOWN = Writing(negations=("si", "not"), particles=("-是对的", "-입니다", "-ครับ"), option_words=("번",))


@pytest.mark.parametrize(
    "completion", ["Kweli", " kweli.", "«Kweli»", "KWELI\nUongo", "\n\nKweli, kwa sababu ...", "\u200fKweli"]
)
def test_a_label_is_read_through_case_and_punctuation(completion):
    assert parse_choice(completion, LABELS, SWAHILI, KNOWN) == "entailment"


@pytest.mark.parametrize("completion", ["", "   \n", "Labda", "Kwelikweli", "\U0001f600", "?"])
def test_a_completion_without_a_label_is_unparsed(completion):
    assert parse_choice(completion, LABELS, SWAHILI) is None


def test_the_longest_form_wins():
    assert parse_choice("not sure", ["no", "unsure"], [["not"], ["not sure"]]) == "unsure"


def test_letters_that_change_their_length_with_their_case_hide_no_second_label():
    assert parse_choice("Spaßßß, B", ["1", "2"], [["Spaßßß"], ["B"]]) is None
    assert parse_choice("SPASS!", ["1", "2"], [["Spaß"], ["B"]]) == "1"


def test_one_form_of_two_labels_is_unparsed():
    assert parse_choice("yes", ["a", "b"], [["yes"], ["Yes."]]) is None


@pytest.mark.parametrize(
    "completion", ["2", "2.", "２", "٢", "२।", "๒", "(2)", "2. Kesho ni Jumanne.", "Kesho ni Jumanne."]
)
def test_a_choice_is_its_number_or_its_text(completion):
    assert parse_choice(completion, ["1", "2"], [["1", "Jana"], ["2", "Kesho ni Jumanne."]]) == "2"


def test_labels_without_spaces_are_read():
    assert parse_choice("不确定。", LABELS, [["正确"], ["不确定"], ["错误"]]) == "neutral"


LETTERS = [["A", "A. A large storm", "A large storm"], ["B", "B. A small one", "A small one"]]


@pytest.mark.parametrize(
    ("completion", "label"),
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
def test_a_letter_is_distinguished_from_a_word_of_one_letter(completion, label):
    assert parse_choice(completion, ["A", "B"], LETTERS, KNOWN) == label


@pytest.mark.parametrize(
    ("completion", "label"), [("1. He bought 2 apples", "1"), ("1번", "1"), ("12", None), ("1 or 2", None)]
)
def test_a_number_is_distinguished_from_a_quantity(completion, label):
    assert parse_choice(completion, ["1", "2"], [["1"], ["2"]], KNOWN) == label


@pytest.mark.parametrize(
    ("completion", "forms"),
    [
        ("true or false", ["True", "Neither", "False"]),
        ("True, not FALSE", ["True", "Neither", "False"]),
        ("正しいとは言えない", ["正しい", "不明", "誤り"]),
        ("正确还是错误", ["正确", "不确定", "错误"]),
        ("\U0001e4f0", ["1", "2", "3"]),
    ],
)
def test_an_ambiguous_completion_is_unparsed(completion, forms):
    assert parse_choice(completion, LABELS, [[form] for form in forms]) is None


def test_a_mark_makes_another_letter():
    assert parse_choice("วันนี้", ["x", "y"], [["ว"], ["จริง"]]) is None
    assert parse_choice("จริง ครับ", ["x", "y"], [["เท็จ"], ["จริง"]], KNOWN) == "y"


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


def test_right_wrong_and_unparsed_answers_differ():
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
    for completion in ("Yolg\u02bbon", "yolg\u2018on", "Yolg'on."):
        assert parse_choice(completion, ["contradiction"], [["Yolg\u02bbon"]]) == "contradiction"


def ranked(log_likelihoods, verbalizers):
    labels = LABELS[: len(verbalizers)]
    row = {"task": "xnli", "item": "1", "completion": "", "finish_reason": "rank", "answer": "rank"}
    forms = {"labels": labels, "verbalizers": verbalizers, "targets": ["entailment"]}
    return generations(row | forms | {"log_likelihoods": log_likelihoods})


def test_a_ranking_is_scored_in_all_and_per_byte():
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


def scored_answer(completion, target, language=IDENTITY):
    row = {"task": "xlsum", "item": "1", "completion": completion, "targets": [target]}
    return scored(generations(row | {"language": language.code}), {"xlsum": ["rougeL"]}, language).row(0, named=True)


def test_an_answer_in_another_language_or_script_is_counted():
    swahili = "Watoto wote walikwenda shuleni asubuhi na mapema leo."
    english = "All of the children went to school early in the morning today."
    russian = "Все дети пошли сегодня рано утром в школу."
    assert [
        (row["wrong_language"], row["wrong_script"]) for row in (scored_answer(a, swahili) for a in (swahili, english))
    ] == [
        (False, False),
        (True, False),
    ]
    assert (scored_answer(russian, swahili)["wrong_language"], scored_answer(russian, swahili)["wrong_script"]) == (
        True,
        True,
    )


def test_the_language_of_a_short_answer_or_a_name_is_unknown():
    assert scored_answer("Nairobi", "Nairobi")["wrong_language"] is None
    hindi = LanguageIdentity("hin_Deva", "Hindi", "hi", "Deva")
    assert scored_answer("NFL", "NFL", hindi)["wrong_script"] is None  # the right answer is Latin itself
    assert scored_answer("NFL", "एनएफएल", hindi)["wrong_script"] is True
    assert scored_answer("", "एनएफएल", hindi)["wrong_script"] is None


def test_the_language_is_unknown_if_the_right_answer_seems_foreign():
    assert scored_answer("Robert Lane and Benjamin Vail", "Robert Lane and Benjamin Vail")["wrong_language"] is None


def test_tokens_are_counted_per_word():
    assert scored_answer("a", "b")["tokens_per_word"] == 3.0  # six tokens of a prompt of two words


@pytest.mark.parametrize(
    "completion", ["", "\u200f\u200d\u200b", "a" * 10_000, "字" * 10_000, "\x00\ud7ff", "١" * 50, "\n\n\n"]
)
def test_any_completion_can_be_scored(completion):
    for code, iso, script in (("swh_Latn", "sw", "Latn"), ("zho_Hans", "zh", "Hans"), ("tha_Thai", "th", "Thai")):
        identity = LanguageIdentity(code, code, iso, script)
        open_row = {"task": "xlsum", "item": "1", "completion": completion, "targets": ["Jua."], "language": code}
        metrics = {"xlsum": ["f1", "rougeL", "rougeLsum", "rouge_ascii", "chrf++", "bleu"], "xnli": ["accuracy"]}
        frame = generations(open_row, choice("2", completion) | {"language": code})
        scores = scored(frame, metrics, identity)
        assert scores.height == 7
        assert scores["value"].is_between(0, 1).all()


@pytest.mark.parametrize("numbers", [[float("nan"), -1.0, -2.0], [-1.0, float("-inf"), -2.0], [-1.0, -2.0, None]])
def test_a_likelihood_that_is_no_number_chooses_no_label(numbers):
    frame = generations(choice("7", "") | {"answer": "rank", "log_likelihoods": numbers})
    with pytest.raises(ScoringError, match=r"m/d/lora-r8-4bit/seed1/.*: xnli, item 7: a log-likelihood is"):
        scored(frame, {"xnli": ["accuracy"]})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_metric_that_gives_no_number_stops_with_run_and_item(monkeypatch, value):
    monkeypatch.setitem(scoring.METRICS, "odd", ItemMetric(lambda *_: value))
    with pytest.raises(ScoringError, match=rf"m/d/lora-r8-4bit/seed1/.*: xnli, item 2: odd is {value}"):
        scored(generations(choice("2", "Kweli")), {"xnli": ["odd"]})


def classified(item, gold, log_likelihoods, **changes):
    """An answer of a classifier: its log-probabilities of the labels."""
    row = choice(item, "") | {"answer": "classify", "targets": [gold], "log_likelihoods": log_likelihoods}
    return row | changes


HALF, QUARTER = math.log(0.5), math.log(0.25)
FOUR = [
    classified("1", "entailment", [HALF, QUARTER, QUARTER]),
    classified("2", "entailment", [HALF, QUARTER, QUARTER]),
    classified("3", "neutral", [HALF, QUARTER, QUARTER]),
    classified("4", "neutral", [QUARTER, HALF, QUARTER]),
]


def means(scores):
    return {name: value for name, value in scores.group_by("metric").agg(pl.mean("value")).rows()}


def test_a_classifier_s_answer_is_its_likeliest_label_and_has_every_metric_of_the_task():
    scores = scored(generations(*FOUR), {"xnli": ["accuracy", "macro_f1", "mcc", "ece", "brier", "nll"]})
    assert scores.filter(metric="accuracy").select("value", "parsed", "prediction", "thinking").rows() == [
        (1.0, True, "entailment", None),
        (1.0, True, "entailment", None),
        (0.0, True, "entailment", None),
        (1.0, True, "neutral", None),
    ]
    # F1 of entailment: 2 x 2 / 5, of neutral 2 / 3. Confidence is a half, accuracy three quarters.
    expected = {"accuracy": 0.75, "macro_f1": (4 / 5 + 2 / 3) / 2, "ece": 0.25}
    expected |= {"nll": (3 * math.log(2) + math.log(4)) / 4, "brier": (3 * 0.375 + 0.875) / 4}
    assert {name: means(scores)[name] for name in expected} == pytest.approx(expected)
    assert scores.group_by("metric").len()["len"].to_list() == [4] * 6


def test_a_generated_answer_without_a_label_is_an_error_of_its_class_alone():
    frame = generations(choice("1", "Kweli"), choice("2", "ah"), choice("3", "Uongo") | {"targets": ["contradiction"]})
    scores = scored(frame, {"xnli": ["macro_f1"]})
    assert means(scores) == {"macro_f1": pytest.approx((2 / 3 + 1) / 2)}
    assert scores.select("item", "parsed", "prediction").rows()[1] == ("2", False, "ah")


def test_a_ranked_choice_has_metrics_of_sets_and_of_probabilities_under_names_of_their_own():
    rows = [row | {"answer": "rank", "log_likelihoods": [x - 7 for x in row["log_likelihoods"]]} for row in FOUR]
    metrics = ["accuracy", "macro_f1", "nll"]
    of_both = scored(generations(*rows), {"xnli": metrics})
    # The likelihoods of the three labels become probabilities that add up to one: the seven they share is gone.
    assert means(of_both)["rank_nll"] == pytest.approx((3 * math.log(2) + math.log(4)) / 4)
    assert means(of_both)["rank_macro_f1"] == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert rank_metrics(metrics) == of_both["metric"].unique(maintain_order=True).to_list()
    alone = scored(generations(*rows), {"xnli": ["accuracy"]})
    assert alone.equals(of_both.filter(pl.col("metric").is_in(rank_metrics(["accuracy"]))))


def test_a_blind_answer_has_all_metrics_of_the_task_under_names_of_their_own():
    metrics = ["accuracy", "macro_f1"]
    rows = [choice("1", "Kweli"), choice("2", "Kweli") | {"targets": ["contradiction"]}]
    blind = [row | {"answer": "blind", "completion": said} for row, said in zip(rows, ("Uongo", ""), strict=True)]
    scores = scored(generations(*rows, *blind), {"xnli": metrics})
    # With its picture one of two is right, without it none; the classes are counted apart.
    expected = {"accuracy": 0.5, "macro_f1": (2 / 3 + 0) / 2, "blind_accuracy": 0.0, "blind_macro_f1": 0.0}
    assert means(scores) == pytest.approx(expected)
    assert means(scored(generations(*rows), {"xnli": metrics})) == pytest.approx(
        {name: expected[name] for name in metrics}
    )
    # It is a completion: it may have no answer, and it has no thinking rather than none that is known.
    assert scores.filter(metric="blind_accuracy").select("parsed", "prediction", "thinking").rows() == [
        (True, "contradiction", False),
        (False, "", False),
    ]


def test_a_blind_caption_is_a_text_of_a_set_of_its_own():
    gold = {"1": "duara nyekundu", "2": "mraba bluu"}
    rows = [
        {"task": "captions", "item": item, "completion": said, "targets": [gold[item]], "answer": answer}
        for answer in ("generate", "blind")
        for item, said in (("1", "duara nyekundu"), ("2", "mraba bluu" if answer == "generate" else "duara nyekundu"))
    ]
    scores = scored(generations(*rows), {"captions": ["cider", "f1"]})
    assert means(scores) == pytest.approx({"cider": 5.0, "f1": 1.0, "blind_cider": 2.5, "blind_f1": 0.5})
    assert metric_of("blind_cider") is metric_of("cider") and is_of_texts("blind_cider") and is_of_items("blind_f1")


def test_a_caption_has_its_own_cider_by_the_references_of_all_items_and_an_empty_one_has_nothing():
    captions = {"1": ("duara nyekundu", "duara nyekundu"), "2": ("", "mraba bluu"), "3": ("Moyo!", "moyo kijani")}
    rows = [
        {"task": "captions", "item": item, "completion": said, "targets": [gold]}
        for item, (said, gold) in captions.items()
    ]
    scores = scored(generations(*rows), {"captions": ["cider"]})
    # Two words of two; none; one of two, and one word pair less.
    expected = [5, 0, 10 / 4 * math.sqrt(1 / 2) * math.exp(-1 / 72)]
    assert scores["value"].to_list() == pytest.approx(expected)
    assert scores["parsed"].to_list() == [True, False, True] and scores["counts"].null_count() == 3
    assert scores["signature"].unique().to_list() == [scores["signature"][0]]
    assert scores["signature"][0].startswith("n:4|sigma:6|items:3|idf:")


def test_an_answer_that_is_neither_yes_nor_no_is_no_yes():
    forms = {"task": "pope", "labels": ["yes", "no"], "verbalizers": [["Ndiyo"], ["Hapana"]]}
    said = [("Ndiyo.", "yes"), ("Hapana", "yes"), ("Ndiyo", "no"), ("Labda", "no")]
    rows = [forms | {"item": str(at), "completion": text, "targets": [gold]} for at, (text, gold) in enumerate(said)]
    metrics = ["accuracy", "yes_precision", "yes_recall", "yes_f1", "yes_rate"]
    expected = dict(zip(metrics, (1 / 4, 1 / 2, 1 / 2, 1 / 2, 2 / 4), strict=True))
    assert means(scored(generations(*rows), {"pope": metrics})) == pytest.approx(expected)


def test_a_prompt_that_was_too_long_is_an_even_guess_that_is_wrong():
    frame = generations(classified("1", "neutral", [], finish_reason="too_long"))
    frame = frame.with_columns(pl.col("log_likelihoods").cast(pl.List(pl.Float64)))
    scores = scored(frame, {"xnli": ["accuracy", "macro_f1", "ece", "brier", "nll"]})
    expected = {"accuracy": 0, "macro_f1": 0, "ece": 1 / 3, "brier": 2 / 3, "nll": math.log(3)}
    assert means(scores) == pytest.approx(expected)
    assert not scores["parsed"].any()


@pytest.mark.parametrize("metric", ["ece", "brier", "nll"])
def test_generated_answers_cannot_have_a_metric_of_probabilities(metric):
    with pytest.raises(
        ScoringError, match=rf"task 'xnli': {metric} needs the probabilities .*`answers: {{xnli: \[rank"
    ):
        scored(generations(choice("1", "Kweli")), {"xnli": ["accuracy", metric]})


@pytest.mark.parametrize("targets", [["entailment", "neutral"], ["perhaps"]])
def test_a_metric_of_classes_needs_one_gold_label(targets):
    with pytest.raises(ScoringError, match=r"xnli, item 1: the gold answer .* must be one label"):
        scored(generations(choice("1", "Kweli") | {"targets": targets}), {"xnli": ["macro_f1"]})


def test_a_task_without_choices_has_no_metric_of_classes():
    row = {"task": "xquad", "item": "1", "completion": "Nairobi", "targets": ["Nairobi"]}
    with pytest.raises(ScoringError, match="the task has no choices"):
        scored(generations(row), {"xquad": ["macro_f1"]})


ENGLISH = LanguageIdentity("eng_Latn", "English", "en", "Latn")


def translated(completion, target, pair, source="Leo ni Jumatatu, na watoto wote wako shuleni."):
    frame = generations({"task": "news", "item": "1", "completion": completion, "targets": [target]})
    return score_items(
        frame, {"news": ["corpus_bleu", "bleu"]}, RUN, IDENTITY, {"news": Translation(pair, {"1": source})}
    )


def test_a_translation_is_judged_in_the_language_of_its_target_and_not_in_that_of_its_rows():
    english = "Today is Monday, and all of the children are at school."
    scores = translated(english, english, LanguagePair(IDENTITY, ENGLISH))
    assert dict(scores.select("metric", "value").iter_rows()) == {"corpus_bleu": 1.0, "bleu": 1.0}
    assert scores["wrong_language"].to_list() == [False, False] and scores["off_target"].to_list() == [False, False]


def test_only_a_metric_of_texts_has_counts_and_a_signature():
    scores = translated("a b c d", "a b c e", LanguagePair(IDENTITY, ENGLISH))
    by_metric = {row["metric"]: row for row in scores.iter_rows(named=True)}
    assert by_metric["corpus_bleu"]["counts"] == [4, 4, 3, 2, 1, 0, 4, 3, 2, 1]
    assert by_metric["corpus_bleu"]["signature"].startswith("nrefs:1|")
    assert by_metric["bleu"]["counts"] is None and by_metric["bleu"]["signature"] is None


def test_scoring_by_spbleu_names_the_file_that_is_not_there(monkeypatch, tmp_path):
    monkeypatch.setenv("SACREBLEU", str(tmp_path))
    frame = generations({"task": "news", "item": "1", "completion": "a", "targets": ["a"]})
    with pytest.raises(ScoringError, match=r"flores200sacrebleuspm: spbleu needs this sentencepiece model"):
        scored(frame, {"news": ["spbleu"]})
