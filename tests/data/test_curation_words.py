"""Curation with the words of config/: placeholders and refusals, in every language that has them."""

import json

import pytest
from project import ROOT
from toy_curation import ENGLISH, row

from maple.data.curation import LanguageLimits, curate, limits_in
from maple.data.examples import raw_rows
from maple.data.sources import RowFile
from maple.definitions.curation import CurationLimits
from maple.definitions.language import read_languages
from maple.definitions.placeholders import Placeholders
from maple.definitions.reading import parse, read_yaml
from maple.synthesis.published import load
from maple.synthesis.recipe import LoadedRows
from maple.text.segmentation import tokens

SHARED = ROOT.parent / "shared" / "data"
LANGUAGES = read_languages(ROOT / "config/languages.tsv")
PLACEHOLDERS = parse(dict[str, Placeholders], read_yaml(ROOT / "config/placeholders.yaml"), "placeholders.yaml")
REFUSALS = read_yaml(ROOT / "config/refusals.yaml")


def limits(code):
    return limits_in(CurationLimits(refusals=True), code, REFUSALS, {}, PLACEHOLDERS)


def curated(*rows, code="eng_Latn"):
    return curate(raw_rows(list(rows), language=code), LANGUAGES[code].identity, limits(code))


def inputs(code, *texts):
    rows = [row(f"Task {number}.", text, "An answer.") for number, text in enumerate(texts)]
    return curated(*rows, code=code)[0]["input"].to_list()


def reasons(*rows, code="eng_Latn"):
    return curated(*rows, code=code)[1]["reason"].to_list()


def test_every_language_of_the_table_has_placeholders():
    assert PLACEHOLDERS.keys() == LANGUAGES.keys()
    assert all(PLACEHOLDERS[code].none for code in LANGUAGES)


@pytest.mark.parametrize("code", LANGUAGES)
def test_an_input_that_is_a_placeholder_of_its_language_counts_as_none(code):
    words = PLACEHOLDERS[code]
    texts = [text for text in (*words.none, *words.missing, *words.input) if tokens(text)]
    shapes = ["{}", " {}. ", "({})", "[{}]", "<{}>", "「{}」", "（{}）", '"{}"', "{}!", "{}\n"]
    assert set(inputs(code, *(shape.format(text) for text in texts for shape in shapes))) == {""}
    assert set(inputs(code, *(text.upper() for text in texts), *(text.title() for text in words.none))) == {""}


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("por_Latn", "Nenhum."),
        ("por_Latn", "(nenhum)"),
        ("por_Latn", "NENHUMA ENTRADA NECESSÁRIA"),
        ("jpn_Jpan", "none"),
        ("jpn_Jpan", "NOINPUT"),
        ("jpn_Jpan", "［ＮＯＩＮＰＵＴ］"),
        ("jpn_Jpan", "入力：なし"),
        ("eng_Latn", "<No input>"),
        ("eng_Latn", "\\<noinput\\>"),
        ("eng_Latn", "no-input"),
        ("eng_Latn", "n/a"),
        ("eng_Latn", "—"),
        ("eng_Latn", "(-)"),
        ("tur_Latn", "HİÇBİRİ"),
        ("spa_Latn", "Ninguno (No input required)"),
        ("kor_Hang", "없음."),
        ("hin_Deva", "कोई नहीं।"),
        ("fra_Latn", "Pas d’entrée"),
        ("tha_Thai", "(ไม่มี)"),
        ("uzn_Latn", "Yo‘q"),
    ],
)
def test_case_width_marks_and_brackets_of_a_placeholder_do_not_matter(code, text):
    assert inputs(code, text) == [""]


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("eng_Latn", "None of the birds flew."),
        ("eng_Latn", "Nonetheless"),
        ("eng_Latn", "+"),
        ("por_Latn", "Nenhum homem é uma ilha."),
        ("por_Latn", "Na"),
        ("jpn_Jpan", "はなし"),
        ("zho_Hans", "无人机"),
        ("deu_Latn", "Null"),
    ],
)
def test_a_text_that_has_a_placeholder_in_it_stays(code, text):
    assert inputs(code, text) == [text]


@pytest.mark.parametrize(
    ("code", "output"),
    [
        ("eng_Latn", "None"),
        ("eng_Latn", "<nooutput>"),
        ("eng_Latn", "N/A"),
        ("eng_Latn", "<noinput>"),
        ("spa_Latn", "None."),
        ("spa_Latn", "(Ninguno)"),
        ("jpn_Jpan", "なし。"),
        ("zho_Hans", "无"),
        ("arb_Arab", "لا يوجد"),
    ],
)
def test_an_order_that_is_answered_by_a_placeholder_is_dropped(code, output):
    assert reasons(row("Write a poem.", output=output), code=code) == ["placeholder"]


def test_none_can_answer_a_question_and_a_task_that_offers_it():
    assert reasons(row("Which of these is a bird: cat, dog?", output="None.")) == []
    assert reasons(row("Answer with one, both or none.", "A cat, a dog.", "None")) == []
    assert reasons(row("次のうち、鳥はどれですか。", "猫、犬", "なし"), code="jpn_Jpan") == []
    assert reasons(row("Rate it, or write N/A.", "The film", "N/A")) == []
    assert reasons(row("What is the capital?", output="<nooutput>")) == ["placeholder"]
    assert reasons(row("Is it raining?", output="Нет"), code="rus_Cyrl") == []


def test_a_placeholder_and_no_input_are_the_same_row():
    assert reasons(row("Name it."), row("Name it.", "None")) == ["duplicate"]


@pytest.mark.parametrize(("name", "code"), [("pt", "por_Latn"), ("es", "spa_Latn"), ("ja", "jpn_Jpan")])
def test_no_placeholder_is_left_in_real_rows(name, code):
    path = SHARED / f"instruct/multialpaca/{name}.jsonl"
    if not path.is_file():
        pytest.skip(f"real rows are not there: {path}")
    kept, dropped = curated(*load(LoadedRows(local=RowFile(path=str(path))), LANGUAGES[code]).to_dicts(), code=code)
    empty = {"none", "nenhum", "ninguno", "noinput", "no input", "なし", "n/a"}
    assert not empty & {text.lower().strip("()[]<>. ") for column in ("input", "output") for text in kept[column]}
    with open(path, encoding="utf-8") as lines:
        taught = sum(json.loads(line)["output"] == "None" for line in lines)
    assert dropped.filter(dropped["reason"] == "placeholder").height == taught > 0


@pytest.mark.parametrize(
    ("code", "refusal", "answer"),
    [
        ("eng_Latn", "As an AI, I cannot say.", "As an airline pilot, I fly every day."),
        ("eng_Latn", "As an AI language model, I have no name.", "As an AI researcher, I train models."),
        ("eng_Latn", "I’m sorry, but I can’t assist with that.", "I'm sorry, but I can't come on Friday."),
        ("eng_Latn", "I'm just an AI.", "I'm an aide at the school."),
        ("deu_Latn", "Als KI kann ich das nicht sagen.", "Als Kind habe ich gern gelesen."),
        ("deu_Latn", "Als Sprachmodell habe ich keinen Namen.", "Als Sprachmodelle noch klein waren, war es anders."),
        ("fra_Latn", "En tant qu'IA, je ne peux pas le dire.", "En tant qu'ingénieur, je construis des ponts."),
        ("spa_Latn", "Como modelo de lenguaje, no puedo.", "Como modelo de lenguaje claro sirve esta carta."),
        ("por_Latn", "Como uma IA, não tenho nome.", "Como uma iara canta no rio?"),
        ("ita_Latn", "Come modello linguistico, non ho un nome.", "Come modello linguistico prendi il latino."),
        ("ind_Latn", "Sebagai AI, saya tidak punya nama.", "Sebagai air minum, teh itu sehat."),
        ("vie_Latn", "Là một AI, tôi không có tên.", "Là một mô hình ngôn ngữ do con người tạo ra."),
        ("rus_Cyrl", "Как ИИ, я не имею имени.", "Как языковая модель обучается на текстах?"),
        ("jpn_Jpan", "私はAIなので、名前がありません。", "私はAIを研究しています。"),
        ("jpn_Jpan", "申し訳ありませんが、私は人工知能です。", "申し訳ありませんが、私は明日行けません。"),
        ("zho_Hans", "作为人工智能，我没有名字。", "作为人工智能专家，我研究模型。"),
        ("kor_Hang", "저는 AI입니다.", "저는 AI 연구원입니다."),
        ("tha_Thai", "ฉันเป็นปัญญาประดิษฐ์", "ขออภัย ฉันไม่สามารถไปได้พรุ่งนี้"),
    ],
)
def test_an_output_refuses_if_it_speaks_as_a_model(code, refusal, answer):
    assert reasons(row("Write a line.", output=refusal), code=code) == ["refusal"]
    assert reasons(row("Write a line.", output=answer), code=code) == []


@pytest.mark.parametrize("code", REFUSALS)
def test_every_opening_matches_in_its_language_and_at_the_end_of_a_word_alone(code):
    openings = [opening.rstrip("*") for opening in REFUSALS[code]]
    assert reasons(*(row(f"Task {n}.", output=f"{text}, no.") for n, text in enumerate(openings)), code=code) == [
        "refusal"
    ] * len(openings)
    spaced = [text for text in REFUSALS[code] if text[-1].isalpha() and text[-1].isascii()]
    assert not reasons(*(row(f"Task {n}.", output=f"{text}xyz") for n, text in enumerate(spaced)), code=code)


def test_an_opening_of_english_counts_in_every_language():
    text = "As an AI language model, I cannot."
    assert reasons(row("Andika sentensi.", output=text), code="swh_Latn") == ["refusal"]


def test_without_the_limit_no_output_is_a_refusal():
    kept, _ = curate(raw_rows([row(output="As an AI, I cannot.")]), ENGLISH, LanguageLimits())
    assert kept.height == 1
