import polars as pl

from maple.definitions.task import TaskMetrics
from maple.evaluation.tokenizer_ceiling import CEILING_SCHEMA
from maple.report.sections.corpus_scores import CeilingRow, SignatureRow, ceiling_rows, signature_rows

NAMES = {"tha_Thai": "Thai", "deu_Latn": "German"}
BLEU = "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"


def task(direction):
    codes = ["deu_Latn", "tha_Thai"]
    return TaskMetrics(
        metrics=["corpus_bleu"], headline="corpus_bleu", chance=None, languages=codes, direction=direction
    )


def summary():
    rows = [
        {"task": "news", "metric": "corpus_bleu", "language": code, "signature": BLEU}
        for code in ("all", "deu_Latn", "tha_Thai")
    ]
    return pl.DataFrame(rows)


def test_a_signature_names_its_languages_and_those_in_which_words_are_no_words():
    expected = SignatureRow("news", "corpus_bleu", BLEU, ["German", "Thai"], ["Thai"])
    assert signature_rows(summary(), {"news": task("eng_Latn-own")}, NAMES) == [expected]


def test_translations_into_one_language_have_its_words_whatever_they_are_translated_from():
    (row,) = signature_rows(summary(), {"news": task("own-deu_Latn")}, NAMES)
    assert row.clauses == []


def test_a_study_without_corpus_scores_has_no_signatures():
    assert signature_rows(summary().drop("signature"), {}, NAMES) == []


def ceilings(changed):
    rows = [
        ("m", "news", "tha_Thai", "tha_Thai", 10, changed, metric, ceiling, BLEU)
        for metric, ceiling in (("corpus_bleu", 0.765), ("corpus_chrf++", 0.932))
    ]
    return pl.DataFrame(rows, CEILING_SCHEMA, orient="row")


def test_a_ceiling_is_shown_where_a_reference_is_lost():
    assert ceiling_rows(ceilings(0.5), NAMES) == [CeilingRow("m", "news", "Thai", 10, 0.5, [0.765, 0.932])]
    assert ceiling_rows(ceilings(0.0), NAMES) == []
