import pytest
from project import ROOT

from maple.definitions.language import read_languages
from maple.metrics.registry import METRICS

LANGUAGES = {
    code: row for code, row in read_languages(ROOT / "config/languages.tsv").items() if row.words["qa_instruction"]
}
OPEN = ("exact_match", "f1", "rouge1", "rouge2", "rougeL", "rougeLsum", "chrf++", "bleu")


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("metric", OPEN)
def test_a_perfect_answer_scores_one_in_every_language(code, metric):
    answer = LANGUAGES[code].words["qa_instruction"]
    assert METRICS[metric].value(answer, [answer], code) == pytest.approx(1.0)


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("answer", ["18", "1,234.5", "70.000", "-1/8", "1990 – 1995", "18 kg"])
def test_a_perfect_number_scores_one_in_every_language(code, answer):
    for metric in ("number", "exact_match", "f1", "vqa_score"):
        assert METRICS[metric].value(answer, [answer], code) == 1.0
        assert METRICS[metric].value(f"{answer}.", [answer], code) == 1.0


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("mark", [".", "。", "।", "،", "።", "؟", "…", "\u200f"])
def test_punctuation_of_any_script_does_not_lower_a_score(code, mark):
    answer = LANGUAGES[code].words["passage"]
    for metric in ("exact_match", "f1", "rouge1", "rougeL"):
        assert METRICS[metric].value(answer + mark, [answer], code) == pytest.approx(1.0)


@pytest.mark.parametrize("metric", OPEN)
def test_sentences_that_share_only_a_year_score_below_one_half(metric):
    assert METRICS[metric].value("वर्षा 2024 में हुई", ["चुनाव 2024 था"], "hin_Deva") < 0.5


@pytest.mark.parametrize(
    ("answer", "gold", "code", "f1"),
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
def test_f1_follows_mlqa_s_rules(answer, gold, code, f1):
    assert METRICS["f1"].value(answer, [gold], code) == pytest.approx(f1)


@pytest.mark.parametrize(
    ("answer", "gold", "code", "f1"),
    [
        ("ሰላም፡ለዓለም", "ሰላም ለዓለም", "amh_Ethi", 1.0),
        ("ሰላም፡ለዓለም", "ሰላም", "amh_Ethi", 2 / 3),
        ("བོད་སྐད", "བོད", "bod_Tibt", 2 / 3),
        ("दिल्ली।मुंबई", "मुंबई", "hin_Deva", 2 / 3),
        ("القاهرة،بغداد", "بغداد", "arb_Arab", 2 / 3),
        ("ABC，DEF", "DEF", "zho_Hans", 2 / 3),
        ("می‌خواهم", "خواهم", "pes_Arab", 0.0),  # a joiner cuts no word
        ("تهران‌", "تهران", "pes_Arab", 1.0),
        ("ශ්‍රී ලංකා", "ශ්‍රී", "sin_Sinh", 2 / 3),
        ("Donau­dampfer", "Donaudampfer", "deu_Latn", 1.0),
        ("well-known", "wellknown", "eng_Latn", 1.0),  # as SQuAD has it
    ],
)
def test_marks_that_part_words_part_them_and_joiners_do_not(answer, gold, code, f1):
    assert METRICS["f1"].value(answer, [gold], code) == pytest.approx(f1)
    assert METRICS["exact_match"].value(answer, [gold], code) == (f1 == 1)


def test_the_best_gold_answer_counts():
    assert METRICS["exact_match"].value("two", ["one", "two"], "eng_Latn") == 1.0
    assert METRICS["f1"].value("two", ["one", "two"], "eng_Latn") == 1.0
    assert METRICS["rougeL"].value("two", ["one", "two"], "eng_Latn") == 1.0


def test_a_label_is_right_or_wrong():
    assert METRICS["accuracy"].value("A", ["A"], "eng_Latn") == 1.0
    assert METRICS["accuracy"].value("B", ["A"], "eng_Latn") == 0.0
