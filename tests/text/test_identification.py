import pytest
from project import ROOT

from maple.text.identification import in_language, script_share

UDHR = ROOT.parent / "shared/data/corpus/udhr"

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
def test_the_language_of_a_few_letters_is_unknown(text):
    assert in_language(text, "sw") is None


def test_a_language_that_the_model_lacks_is_unknown():
    assert in_language(SENTENCES["sw"], "xx") is None


def test_digits_count_as_any_script():
    assert script_share("2024", "Deva") == 1.0


SIMPLIFIED = "今天早上，所有的孩子都去学校了。"
TRADITIONAL = "今天早上，所有的孩子都去學校了。"


def test_simplified_and_traditional_chinese_are_two_scripts():
    assert (script_share(SIMPLIFIED, "Hans"), script_share(SIMPLIFIED, "Hant")) == (1.0, 0.0)
    assert (script_share(TRADITIONAL, "Hans"), script_share(TRADITIONAL, "Hant")) == (0.0, 1.0)
    assert script_share("日月", "Hans") == script_share("日月", "Hant") == 1.0  # both write them alike
    assert script_share("学校 ab", "Hans") == 0.5
    assert script_share("学校と學校", "Jpan") == 1.0


@pytest.mark.skipif(not UDHR.is_dir(), reason=f"the Declaration of Human Rights is not there: {UDHR}")
@pytest.mark.parametrize(("name", "script", "other"), [("cmn_hans", "Hans", "Hant"), ("cmn_hant", "Hant", "Hans")])
def test_every_paragraph_of_the_declaration_is_in_its_own_script(name, script, other):
    paragraphs = (UDHR / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    long = [paragraph for paragraph in paragraphs if len(paragraph) >= 20]
    assert len(long) > 40
    for paragraph in long:
        assert script_share(paragraph, script) > 0.8 and script_share(paragraph, other) < 0.5
