import pytest

from maple.text.identification import in_language, script_share

SENTENCES = {
    "sw": "Watoto wote walikwenda shuleni asubuhi na mapema leo.",
    "yo": "Gbogbo àwọn ọmọ ti lọ sí ilé ìwé ní òwúrọ̀ yìí.",
    "de": "Alle Kinder sind heute früh in die Schule gegangen.",
    "hi": "आज सुबह सभी बच्चे जल्दी विद्यालय चले गए।",
    "th": "วันนี้เด็กทุกคนไปโรงเรียนแต่เช้า",
    "id": "Semua anak pergi ke sekolah pagi-pagi sekali hari ini.",
}


@pytest.mark.parametrize("code", SENTENCES)
def test_a_sentence_is_in_its_language_and_in_no_other(code):
    assert in_language(SENTENCES[code], code) is True
    assert in_language(SENTENCES[code], "en") is False


def test_malay_and_indonesian_are_not_told_apart():
    assert in_language(SENTENCES["id"], "ms") is True


@pytest.mark.parametrize("text", ["", "Nairobi", "12345 67890 12345 67890 1234"])
def test_of_too_few_letters_nothing_is_said(text):
    assert in_language(text, "sw") is None


def test_of_a_language_that_the_model_does_not_know_nothing_is_said():
    assert in_language(SENTENCES["sw"], "xx") is None


def test_the_script_of_digits_is_any():
    assert script_share("2024", "Deva") == 1.0
