import pytest
from project import ROOT

from maple.definitions.tables import read_languages
from maple.metrics.registry import METRICS

LANGUAGES = read_languages(ROOT / "config/languages.tsv")
OPEN = ("exact_match", "f1", "rouge1", "rouge2", "rougeL")


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("metric", OPEN)
def test_a_perfect_answer_scores_one_in_every_language(code, metric):
    said = LANGUAGES[code]["qa_instruction"]
    assert METRICS[metric](said, [said], code) == pytest.approx(1.0)


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("mark", [".", "。", "।", "،", "።", "؟", "…", "\u200f"])
def test_punctuation_of_any_script_costs_nothing(code, mark):
    said = LANGUAGES[code]["passage"]
    for metric in ("exact_match", "f1", "rouge1", "rougeL"):
        assert METRICS[metric](said + mark, [said], code) == pytest.approx(1.0)


@pytest.mark.parametrize("metric", OPEN)
def test_sentences_that_share_a_year_alone_are_not_alike(metric):
    assert METRICS[metric]("वर्षा 2024 में हुई", ["चुनाव 2024 था"], "hin_Deva") < 0.5


@pytest.mark.parametrize(
    ("said", "gold", "code", "f1"),
    [
        ("the cat", "cat", "eng_Latn", 1.0),
        ("a cat sat", "cat", "eng_Latn", 2 / 3),
        ("il a dit", "il dit", "fra_Latn", 0.8),
        ("der Hund", "Hund", "deu_Latn", 1.0),
        ("الكتاب", "كتاب", "arb_Arab", 1.0),
        ("北京市", "北京", "zho_Hans", 0.8),
        ("cat cat", "cat", "eng_Latn", 2 / 3),
        ("", "cat", "eng_Latn", 0.0),
        ("A", "A", "eng_Latn", 1.0),
        ("cat", "A", "eng_Latn", 0.0),
    ],
)
def test_f1_follows_mlqa_s_rules(said, gold, code, f1):
    assert METRICS["f1"](said, [gold], code) == pytest.approx(f1)


def test_the_best_gold_answer_counts():
    assert METRICS["exact_match"]("two", ["one", "two"], "eng_Latn") == 1.0
    assert METRICS["f1"]("two", ["one", "two"], "eng_Latn") == 1.0
    assert METRICS["rougeL"]("two", ["one", "two"], "eng_Latn") == 1.0


def test_a_label_is_right_or_wrong():
    assert METRICS["accuracy"]("A", ["A"], "eng_Latn") == 1.0
    assert METRICS["accuracy"]("B", ["A"], "eng_Latn") == 0.0
