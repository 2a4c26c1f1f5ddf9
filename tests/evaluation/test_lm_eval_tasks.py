"""XWinograd and MGSM, and five tasks in the form of lm-eval: what a row becomes, to the byte."""

import pytest
from project import ROOT

from maple.data.sources import RowFolders
from maple.definitions.language import ENGLISH, read_languages
from maple.definitions.reading import read_definitions
from maple.definitions.task import Task, TaskSettings
from maple.evaluation.benchmark_rows import read_task, row_places
from maple.evaluation.prompt_words import task_words
from maple.evaluation.prompts import render
from maple.metrics.numbers import number

TASKS = read_definitions(ROOT / "config/tasks", Task)
LANGUAGES = read_languages(ROOT / "config/languages.tsv")
PASSAGE = {f"mc_answer{number}": f"a{number}" for number in range(1, 5)}


def prompt_of(name, code, row):
    """Return the one prompt of a row."""
    task = TASKS[name]
    words = task_words(task, LANGUAGES[code], LANGUAGES[ENGLISH], "own")
    frame = render(
        task.prompt_spec(), TaskSettings(shots=0), task=name, language=code, rows=[{"id": 1, **row}], words=words
    )
    return frame.row(0, named=True)


@pytest.mark.parametrize(
    ("name", "code", "row", "prompt", "ranked"),
    [
        (
            "xnli-lm-eval",
            "deu_Latn",
            {"premise": "P.", "hypothesis": "H.", "label": 0},
            "",
            ["P., richtig? Ja, H.", "P., richtig? Auch, H.", "P., richtig? Nein, H."],
        ),
        (
            "xcopa-lm-eval",
            "swh_Latn",
            {"idx": 0, "premise": "Mvua. ", "choice1": "Alifa.", "choice2": "B.", "question": "cause", "label": 0},
            "Mvua kwa sababu",
            ["alifa.", "b."],
        ),
        (
            "belebele-lm-eval",
            "tha_Thai",
            {"flores_passage": "F", "question": " Q ", **PASSAGE, "correct_answer_num": "2"},
            "P: F\nQ: Q\nA: a1\nB: a2\nC: a3\nD: a4\nAnswer:",
            ["A", "B", "C", "D"],
        ),
        ("mgsm-lm-eval", "zho_Hans", {"question": "问?", "answer": "1,450"}, "问题： 问?\nAnswer:", []),
    ],
)
def test_a_prompt_is_that_of_lm_eval_to_the_byte(name, code, row, prompt, ranked):
    rendered = prompt_of(name, code, row)
    assert (rendered["prompt"], [forms[0] for forms in rendered["verbalizers"]]) == (prompt, ranked)


@pytest.mark.parametrize(("name", "rest"), [("xwinograd", "'s arm hurt."), ("xwinograd-lm-eval", "'s arm hurt.")])
def test_the_rest_of_a_sentence_follows_each_name(name, rest):
    row = {"sentence": "He helped as _'s arm hurt.", "option1": "Peter", "option2": "Maria", "answer": "2"}
    rendered = prompt_of(name, "eng_Latn", row)
    assert rendered["choice_prompts"] == ["He helped as Peter", "He helped as Maria"]
    assert rendered["verbalizers"] == [[rest], [rest]] and rendered["targets"] == ["2"]
    assert rendered["layout"]["delimiter"] == ("" if name == "xwinograd" else " ")  # lm-eval asks "Peter 's arm"


def test_a_chinese_name_and_the_rest_have_no_space_between_them():
    row = {"sentence": "杯子放不进盒子里，因为_太大了。", "option1": "杯子", "option2": "盒子", "answer": "1"}
    rendered = prompt_of("xwinograd", "zho_Hans", row)
    assert rendered["choice_prompts"][0] + rendered["verbalizers"][0][0] == "杯子放不进盒子里，因为杯子太大了。"


@pytest.mark.parametrize("code", TASKS["mgsm"].sources.local.languages)
def test_published_rows_of_mgsm_become_prompts_whose_gold_answers_are_right(code, tmp_path):
    task, iso639_1 = TASKS["mgsm"], LANGUAGES[code].iso639_1
    (tmp_path / "mgsm").mkdir()
    (tmp_path / f"mgsm/mgsm_{iso639_1}.tsv").write_text('Say "7".\t7\n50 x 29?\t1,450\n', encoding="utf-8")
    places = row_places(
        task.sources.local, LANGUAGES, code, RowFolders(data=str(tmp_path), fetched=""), repair=None, dev=False
    )
    rows = read_task("mgsm", places, repair=None, phrases=None, items=None).test
    prompts = [prompt_of("mgsm", code, row) for row in rows]
    assert [prompt["targets"] for prompt in prompts] == [["7"], ["1450"]]
    assert 'Say "7".' in prompts[0]["prompt"]
    assert number("1450", prompts[1]["targets"], code) == 1.0
