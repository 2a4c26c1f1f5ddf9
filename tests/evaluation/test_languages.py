"""Every language of the table with every task: the toy rows are digits, so that every letter of a prompt is a word of
the table or of the frame."""

import csv
import re
import unicodedata

import pytest
import regex
from project import ROOT

from maple.definitions.language import read_languages
from maple.definitions.reading import read_definitions
from maple.definitions.task import Task, TaskSettings
from maple.evaluation.answer_parsing import parse_choice
from maple.evaluation.prompt_words import task_words
from maple.evaluation.prompts import render
from maple.text.identification import script_share

LANGUAGES = read_languages(ROOT / "config/languages.tsv")
ENGLISH = LANGUAGES["eng_Latn"]
TASKS = read_definitions(ROOT / "config/tasks", Task)
ROW_OF = {code: language.params() for code, language in LANGUAGES.items()}
CLASSES = ROOT.parent / "shared" / "reference" / "joshi2020_classes.tsv"
# The classes are of macrolanguages (ISO 639-3), the codes of FLORES-200 mostly of one of their members.
MACROLANGUAGES = {
    "arb": "ara",
    "azj": "aze",
    "npi": "nep",
    "pes": "fas",
    "gaz": "orm",
    "quy": "que",
    "swh": "swa",
    "uzn": "uzb",
    "zho": "cmn",
    "zsm": "msa",
}
SENTENCES = [name for name in ENGLISH.words if name.endswith("_instruction") or name in ("cause", "effect")]

QA = [{"id": "1", "context": "701 702 703", "question": "704", "answers": {"text": ["702"]}}]
OPTIONS = {f"mc_answer{n}": f"71{n}" for n in range(1, 5)}
ROWS = {
    "belebele": [
        {"id": n, "flores_passage": "701", "question": "702", **OPTIONS, "correct_answer_num": str(n)}
        for n in range(1, 5)
    ],
    "mlqa": QA,
    "xquad": QA,
    "xcopa": [
        {"idx": n, "premise": "701", "choice1": "711", "choice2": "722", "question": ask, "label": label}
        for n, (ask, label) in enumerate([("cause", 0), ("cause", 1), ("effect", 0), ("effect", 1)])
    ],
    "xlsum": [{"id": "1", "text": "701 702", "summary": "701"}],
    "mgsm": [{"question": "701", "answer": "702"}],
    "xnli": [
        {"id": n, "premise": "701", "hypothesis": "702", "label": label}
        for n, label in enumerate(["entailment", "neutral", "contradiction"])
    ],
}
ROWS |= {"americasnli": ROWS["xnli"], "tydiqa-goldp": QA}
STORY = {f"input_sentence_{n}": f"70{n}" for n in range(1, 5)} | {"sentence_quiz1": "711", "sentence_quiz2": "722"}
ROWS["xstorycloze"] = [{"story_id": str(n), **STORY, "answer_right_ending": n} for n in (1, 2)]
# Tasks that ask in English in every language: the table has no words for their labels. The words of others are their
# own: tests/study/test_shipped_tasks.py asks these.
ENGLISH_ALONE = {"kind-of-name", "mahahate", "mahahate-binary", "mahanews", "masakhanews"}
ENGLISH_ALONE |= {"global-mmlu", "paws-x", "sib200", "kinds-in-text", "names-in-text", "masakhaner2"}
ENGLISH_ALONE |= {name for name, task in TASKS.items() if task.pair or task.pictures}
# Tasks that ask in words of their own, or without any.
ENGLISH_ALONE |= {name for name, task in TASKS.items() if task.layout}
LABELS = ("negative", "neutral", "positive")
SENTIMENT = {name for name, task in TASKS.items() if tuple(task.choices) == LABELS}
ROWS |= {name: [{"id": n, "text": "701", "label": label} for n, label in enumerate(LABELS)] for name in SENTIMENT}
INSTRUCTIONS = {name: f"{name}_instruction" for name in ROWS}
INSTRUCTIONS |= dict.fromkeys(("mlqa", "xquad", "tydiqa-goldp"), "qa_instruction")
INSTRUCTIONS |= {"americasnli": "xnli_instruction", "xstorycloze": "xcopa_instruction"}
INSTRUCTIONS |= dict.fromkeys(SENTIMENT, "sentiment_instruction")
# The languages that have words of XNLI and XCOPA.
WORDED = [code for code, row in ROW_OF.items() if row["true"] and row["cause"]]

each_worded = pytest.mark.parametrize("code", WORDED)
each_language = pytest.mark.parametrize("code", LANGUAGES)
each_prompt_language = pytest.mark.parametrize("prompt_language", ["own", "english"])


def prompts_of(task, code, prompt_language):
    words = task_words(TASKS[task], LANGUAGES[code], ENGLISH, prompt_language)
    settings = TaskSettings(shots=0)
    spec = TASKS[task].prompt_spec()
    return render(spec, settings, task=task, language=code, rows=ROWS[task], words=words).to_dicts()


def asked_in(code, prompt_language):
    """The tasks whose words the instructing language has in the table."""
    words = {name: task_words(TASKS[name].prompt_spec(), LANGUAGES[code], ENGLISH, prompt_language) for name in ROWS}
    return [name for name in ROWS if all(word for voice in words[name].values() for word in voice.values())]


def instructing(code, prompt_language):
    """The row of the table that a prompt's words are from."""
    return ROW_OF[code] if prompt_language == "own" else ROW_OF["eng_Latn"]


def foreign_letters(prompt, script):
    """The letters of other scripts, but for the frame and the letters of options, in Amharic glued to a word.

    Letters that Unicode gives to no script, Uzbek's ʻ for one, are foreign to none.
    """
    text = regex.sub(r"\bInput\b|\bOutput\b|(?<!\p{Latin})[A-D](?!\p{Latin})", "", prompt)
    letters = regex.findall(r"(?V1)[\p{L}--[\p{Script=Common}\p{Script=Inherited}]]", text)
    return {letter for letter in letters if script_share(letter, script) == 0}


def test_every_task_has_a_toy_row():
    assert set(ROWS) == set(TASKS) - ENGLISH_ALONE


def test_there_are_forty_languages_and_more():
    assert len(LANGUAGES) >= 40 and len(WORDED) >= 40


@each_language
@each_prompt_language
def test_every_row_becomes_a_prompt_with_nothing_left_open(code, prompt_language):
    for task in asked_in(code, prompt_language):
        prompts = prompts_of(task, code, prompt_language)
        assert [prompt["fault"] for prompt in prompts] == [None] * len(ROWS[task]), task
        for prompt in prompts:
            assert instructing(code, prompt_language)[INSTRUCTIONS[task]] in prompt["prompt"]
            assert not re.search(r"{{|}}|{%|%}|None|undefined", prompt["prompt"]), prompt["prompt"]


@each_language
@each_prompt_language
def test_a_prompt_is_written_in_the_script_of_its_language(code, prompt_language):
    script = instructing(code, prompt_language)["script"]
    for task in asked_in(code, prompt_language):
        for prompt in prompts_of(task, code, prompt_language):
            assert not foreign_letters(prompt["prompt"], script), prompt["prompt"]


@each_language
@each_prompt_language
def test_a_prompt_has_no_sentence_of_another_language(code, prompt_language):
    row = instructing(code, prompt_language)
    own = {row[name] for name in SENTENCES}
    others = {other[name] for other in ROW_OF.values() for name in SENTENCES} - own - {""}
    for task in asked_in(code, prompt_language):
        for prompt in prompts_of(task, code, prompt_language):
            assert not [sentence for sentence in others if sentence in prompt["prompt"]], prompt["prompt"]


@each_worded
@each_prompt_language
def test_xcopa_asks_for_the_cause_or_for_the_effect(code, prompt_language):
    row = instructing(code, prompt_language)
    for question, prompt in zip(ROWS["xcopa"], prompts_of("xcopa", code, prompt_language), strict=True):
        kinds = [kind for kind in ("cause", "effect") if row[kind] in prompt["prompt"]]
        assert kinds == [question["question"]]


@each_language
@each_prompt_language
def test_every_form_of_a_label_is_read_as_that_label(code, prompt_language):
    for task in asked_in(code, prompt_language):
        for prompt in prompts_of(task, code, prompt_language):
            for label, forms in zip(prompt["labels"], prompt["verbalizers"], strict=True):
                for form in forms:
                    assert parse_choice(form, prompt["labels"], prompt["verbalizers"]) == label, (task, form)


@each_worded
@each_prompt_language
def test_xnli_takes_the_answers_of_the_language_and_of_english(code, prompt_language):
    prompt = prompts_of("xnli", code, prompt_language)[0]
    for forms, word in zip(prompt["verbalizers"], ("true", "neither", "false"), strict=True):
        assert {ROW_OF[code][word], ROW_OF["eng_Latn"][word]} == set(forms)
        assert forms[0] == instructing(code, prompt_language)[word]


@each_worded
def test_the_xnli_instruction_names_its_three_answers(code):
    row = ROW_OF[code]
    answers = [row["true"], row["neither"], row["false"]]
    assert len(set(answers)) == 3
    assert [answer for answer in answers if answer in row["xnli_instruction"]] == answers


@each_language
def test_a_language_is_named_as_flores_names_it(code):
    row = ROW_OF[code]
    assert re.fullmatch(r"[a-z]{3}_[A-Z][a-z]{3}", code)
    assert re.fullmatch(r"[a-z]{2}", row["iso639_1"])
    assert row["script"] == code[-4:]


@each_language
def test_every_cell_is_composed_and_has_no_space_around_it(code):
    for name, cell in ROW_OF[code].items():
        assert unicodedata.is_normalized("NFC", cell), name
        assert cell == cell.strip(), name


@each_language
def test_a_language_is_offered_by_a_task_on_the_hub(code):
    assert [name for name, task in TASKS.items() if task.sources.hub and code in task.sources.hub.languages]


@pytest.mark.skipif(not CLASSES.is_file(), reason=f"the classes of Joshi et al. are not there: {CLASSES}")
@each_language
def test_the_class_is_that_of_joshi_et_al(code):
    with open(CLASSES, encoding="utf-8", newline="") as table:
        classes = {row["iso639_3"]: row["class"] for row in csv.DictReader(table, delimiter="\t")}
    assert LANGUAGES[code].joshi_class == classes[MACROLANGUAGES.get(code[:3], code[:3])]
