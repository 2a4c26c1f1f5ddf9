"""Where an answer stands in a completion, and what is read of it."""

import polars as pl
import pytest
from pydantic import ValidationError

from maple.definitions.language import LanguageIdentity, Writing
from maple.definitions.run import RunKey
from maple.definitions.task import Reading
from maple.evaluation.answer_reading import read_answer
from maple.evaluation.scoring import score_items

FORMS = [["A", "Nairobi"], ["B", "Mombasa"]]
ENGLISH = Writing(negations=("no", "not"))
EMOTIONS = ("anger", "joy", "fear")
THOUGHT = "A. is the capital.\nThe sea is elsewhere.\n**Answer: B**\n"


def read(text, labels=(), code="eng_Latn", **spec):
    return read_answer(text, Reading(**spec), labels, FORMS if labels else [], code)


def test_the_first_line_is_read_where_nothing_else_is_said():
    assert read("\nNairobi\nMombasa") == (True, "Nairobi")
    assert read(THOUGHT, "AB") == (True, "A")
    assert read(" \n") == (False, "")


def test_a_label_is_read_in_the_last_line():
    assert read(THOUGHT, "AB", read="label") == (True, "B")
    assert read(THOUGHT + "I am not sure.", "AB", read="label") == (False, "I am not sure.")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The answer is 14 eggs.", " 14 eggs."),
        ("the answer is: 3.\nNo, the Answer is 14", "14"),
        ("১৮ − ৪ = ১৪। উত্তর: ১৪", "১৪"),
    ],
)
def test_what_stands_behind_the_last_cue_is_the_answer(text, answer):
    assert read(text, after=["The answer is", "উত্তর"]) == (True, answer.strip())


def test_a_text_without_its_cue_has_no_answer():
    assert read("14", after=["The answer is"]) == (False, "14")
    assert read("The answer is A or B", "AB", after=["The answer is"]) == (False, "A or B")
    assert read("So the answer is Mombasa.", "AB", after=["answer is"]) == (True, "B")


@pytest.mark.parametrize(
    ("text", "code", "number"),
    [
        ("He has 18 - 4 = 14 eggs.", "eng_Latn", "14"),
        ("उत्तर ७०,००० रुपये है।", "hin_Deva", "७०,०००"),
        ("Es sind 70.000 km", "deu_Latn", "70.000"),
        ("It is -18.", "eng_Latn", "-18"),
    ],
)
def test_the_last_number_is_read_as_it_is_written(text, code, number):
    assert read(text, code=code, read="number") == (True, number)


def test_a_text_without_a_number_has_no_answer():
    assert read("fourteen\n", read="number") == (False, "fourteen")
    assert read("1990. The answer is many.", read="number", after=["The answer is"]) == (False, "many.")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('{"answer": "Nairobi"}', (True, "Nairobi")),
        ('Here: ```json\n{"why": {"a": 1}, "answer": 14}\n``` {', (True, "14")),
        ('{"answer": "x"} {"answer": "Nairobi"} {"other": 1}', (True, "Nairobi")),
        ('{"answer": null}', (False, '{"answer": null}')),
        ('{"answer": "Nai', (False, '{"answer": "Nai')),
    ],
)
def test_a_key_of_the_last_json_object_that_has_it_is_read(text, answer):
    assert read(text, json="answer") == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("PER: Amina Mohammed; LOC: Lagos", "PER: Amina Mohammed\nLOC: Lagos"),
        ("per: Amina, loc: Lagos", "PER: Amina\nLOC: Lagos"),
        ("LOC: Lagos; Abuja", "LOC: Lagos\nLOC: Abuja"),
        ("LOC: Washington, D.C.", "LOC: Washington, D.C."),
        ("PER：安娜；LOC：北京", "PER: 安娜\nLOC: 北京"),
        ("PER: آمنة؛ LOC: لاغوس", "PER: آمنة\nLOC: لاغوس"),
        ("- **PER:** Amina\n- **LOC:** Lagos\n\nText: DATE: 1960", "PER: Amina\nLOC: Lagos"),
        ('["PER: Amina", "LOC: Lagos"]', "PER: Amina\nLOC: Lagos"),
    ],
)
def test_entities_are_read_with_their_types(text, answer):
    assert read(text, read="spans", types=["PER", "LOC", "DATE"]) == (True, answer)
    if text.startswith("["):
        assert read(f'{{"names": {text}}}', read="spans", types=["PER", "LOC"], json="names") == (True, answer)


@pytest.mark.parametrize("text", ["-", " – ", "[]", "None.", "hakuna"])
def test_an_answer_that_names_nothing_is_read_as_a_dash(text):
    assert read(text, read="spans", types=["PER"], none=["none", "hakuna"]) == (True, "-")
    assert read_set(text, none=["none", "hakuna"]) == (True, "-")


@pytest.mark.parametrize("text", ["", "Amina", "No PER: Amina", "MISC: Amina", "PER:", "none"])
def test_what_begins_with_no_type_is_no_list_of_entities(text):
    assert not read(text, read="spans", types=["PER", "LOC"]).parsed


def read_set(text, code="eng_Latn", forms=EMOTIONS, **spec):
    return read_answer(text, Reading(multi=True, **spec), list(forms), [[form] for form in forms], code, ENGLISH)


@pytest.mark.parametrize(
    ("text", "code", "forms"),
    [
        ("anger, joy", "eng_Latn", EMOTIONS),
        ("Joy and anger.", "eng_Latn", EMOTIONS),
        ("Answer: anger; joy", "eng_Latn", EMOTIONS),
        ('["anger", "joy"]', "eng_Latn", EMOTIONS),
        ("joy, anger, and joy", "eng_Latn", EMOTIONS),
        ("غضب، فرح", "arb_Arab", ("غضب", "فرح", "خوف")),
        ("غضب وفرح", "arb_Arab", ("غضب", "فرح", "خوف")),
        ("愤怒、喜悦。", "zho_Hans", ("愤怒", "喜悦", "恐惧")),
        ("愤怒和喜悦", "zho_Hans", ("愤怒", "喜悦", "恐惧")),
        ("怒り、喜び", "jpn_Jpan", ("怒り", "喜び", "恐れ")),
        ("हसी, गुस्सा", "hin_Deva", ("गुस्सा", "हसी", "डर")),
        ("गुस्सा और हसी", "hin_Deva", ("गुस्सा", "हसी", "डर")),
        ("ቁጣ፣ ደስታ", "amh_Ethi", ("ቁጣ", "ደስታ", "ፍርሃት")),
        ("hasira na furaha", "swh_Latn", ("hasira", "furaha", "hofu")),
        ("science, technology; sports", "eng_Latn", ("science, technology", "sports", "politics")),
    ],
)
def test_a_set_of_labels_is_read_in_the_separators_of_its_language(text, code, forms):
    assert read_set(text, code, forms) == (True, "\n".join(forms[:2]))


@pytest.mark.parametrize(
    "text",
    ["anger, not joy", "not anger, joy", "anger, no", "anger joy", "anger and more", "anger, -", "anger? No"],
)
def test_a_set_with_an_entry_in_doubt_is_none(text):
    assert not read_set(text).parsed


def test_a_reason_may_stand_behind_the_last_label():
    assert read_set("anger, joy, because he shouts, and sings") == (True, "anger\njoy")
    assert not read_set("anger, because there is no joy").parsed


def test_a_text_that_stops_is_no_part_of_the_answer():
    assert read("14\n\nQuestion: 15", read="number", stop=["\n\n", "Q"]) == (True, "14")


def test_an_answer_stands_in_one_place():
    with pytest.raises(ValidationError, match="keep one"):
        Reading(after=["x"], json="y")


def test_scores_are_of_the_answer_that_is_read():
    row = {
        "task": "toy", "language": "hin_Deva", "item": "1", "completion": "१० + ४ = १४\nउत्तर: १४ अंडे", "targets": ["14"],
        "words": 1, "answer": "generate", "finish_reason": "stop", "prompt_tokens": 9, "item_tokens": 6, "shots": 0,
        "shots_dropped": 0, "completion_tokens": 2, "log_likelihoods": [], "labels": [], "verbalizers": [],
    }  # fmt: skip
    language = LanguageIdentity("hin_Deva", "Hindi", "hi", "Deva")
    frame, run = pl.DataFrame([row]), RunKey("m", "d", "lora", 1)
    assert score_items(frame, {"toy": ["number"]}, run, language)["value"].to_list() == [0.0]  # of the first line
    spec = Reading(read="number", after=["उत्तर"])
    scores = score_items(frame, {"toy": ["number"]}, run, language, readings={"toy": spec})
    assert scores.select("value", "prediction").rows() == [(1.0, "१४")]
