"""Numbers are compared by their value, however a language writes them."""

import pytest
from babel.numbers import format_decimal

from maple.metrics.registry import METRICS

NUMBER, EXACT, F1 = (METRICS[name].value for name in ("number", "exact_match", "f1"))


@pytest.mark.parametrize(
    ("text", "gold", "code"),
    [
        ("৭০,০০০", "70000", "ben_Beng"),
        ("70 000", "70000", "fra_Latn"),
        ("70\u202f000", "70000", "fra_Latn"),
        ("70.000", "70000", "deu_Latn"),
        ("70.000", "70000", "ind_Latn"),
        ("70’000", "70000", "deu_Latn"),
        ("70,000", "70000", "eng_Latn"),
        ("7,00,000", "700000", "hin_Deva"),
        ("18,00", "18", "deu_Latn"),
        ("18.00", "18", "eng_Latn"),
        ("18.5", "18,5", "deu_Latn"),
        ("१८", "18", "hin_Deva"),
        ("١٨٫٥", "18.5", "arb_Arab"),
        ("۷۰٬۰۰۰", "70000", "pes_Arab"),
        ("１８", "18", "jpn_Jpan"),
        ("₹18", "18", "hin_Deva"),
        ("Rs.18", "18", "eng_Latn"),
        ("KSh18", "18", "swh_Latn"),
        ("18元", "18", "zho_Hans"),
        ("约18公里", "18", "zho_Hans"),
        ("7万", "70000", "zho_Hans"),
        ("18 %", "18", "deu_Latn"),
        ("$1,234.50", "1234.5", "eng_Latn"),
        ("1.234,50 €", "1234,5", "spa_Latn"),
        ("−18", "-18", "eng_Latn"),
        ("-$18", "-18", "eng_Latn"),
        ("5½", "5.5", "eng_Latn"),
        ("1/8", "0.125", "eng_Latn"),
        ("18 kg of CO2", "18", "eng_Latn"),
        ("18 m²", "18", "eng_Latn"),
        ("1990-1995", "1990 – 1995", "eng_Latn"),
        ("၁၈", "18", "mya_Mymr"),
        ("፲፰ 18", "18", "amh_Ethi"),
        ("18.", "18", "eng_Latn"),
        ("0,5", "0.5", "rus_Cyrl"),
    ],
)
def test_two_ways_of_writing_a_number_are_one(text, gold, code):
    assert NUMBER(text, [gold], code) == NUMBER(gold, [text], code) == 1.0


@pytest.mark.parametrize(
    ("text", "gold", "code"),
    [
        ("1.8", "18", "eng_Latn"),
        ("1,8", "18", "deu_Latn"),
        ("1/8", "18", "eng_Latn"),
        ("-18", "18", "eng_Latn"),
        ("−18", "18", "eng_Latn"),
        ("1:8", "18", "eng_Latn"),
        ("1-8", "18", "eng_Latn"),
        ("70.000", "70000", "eng_Latn"),
        ("1.800", "18", "deu_Latn"),
        ("18", "18.5", "eng_Latn"),
        ("10²", "10", "eng_Latn"),
        ("eighteen", "18", "eng_Latn"),
        ("18 of 20", "18", "eng_Latn"),
        ("12.03.2020", "12032020", "deu_Latn"),
        ("", "18", "eng_Latn"),
    ],
)
def test_another_number_is_wrong(text, gold, code):
    assert NUMBER(text, [gold], code) == 0.0


@pytest.mark.parametrize(
    ("locale", "code"),
    [("de", "deu_Latn"), ("fr", "fra_Latn"), ("hi", "hin_Deva"), ("ru", "rus_Cyrl"), ("sw", "swh_Latn"),
     ("bn", "ben_Beng"), ("id", "ind_Latn"), ("tr", "tur_Latn"), ("vi", "vie_Latn"), ("am", "amh_Ethi")],
)  # fmt: skip
def test_a_number_is_read_as_cldr_writes_it(locale, code):
    for value in (18, 1234567.5, -70000, 0.25):
        written = format_decimal(value, format="#,##0.##", locale=locale)
        assert NUMBER(written, [str(value).removesuffix(".0").replace(".", "٫")], code) == 1.0, written


@pytest.mark.parametrize("answer", ["1.8", "1/8", "-18", "−18", "1:8", "1-8", "1–8"])
def test_a_mark_within_a_number_counts_for_exact_match(answer):
    for code in ("eng_Latn", "deu_Latn", "hin_Deva", "zho_Hans"):
        assert EXACT(answer, ["18"], code) == F1(answer, ["18"], code) == 0.0
        assert EXACT(answer, [answer + "."], code) == F1(answer, [answer], code) == 1.0


@pytest.mark.parametrize(
    ("answer", "gold", "code"),
    [
        ("1990-1995", "1990 – 1995", "eng_Latn"),
        ("1990—1995", "1990 - 1995", "rus_Cyrl"),
        ("70,000", "70000", "eng_Latn"),
        ("70.000", "70000", "deu_Latn"),
        ("$18", "18", "eng_Latn"),
        ("18%", "18", "eng_Latn"),
        ("+18", "18", "eng_Latn"),
        ("covid-19", "COVID19", "eng_Latn"),
    ],
)
def test_other_marks_do_not_count_for_exact_match(answer, gold, code):
    assert EXACT(answer, [gold], code) == F1(answer, [gold], code) == 1.0
