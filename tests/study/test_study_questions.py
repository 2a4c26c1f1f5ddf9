"""The questions of a study: one file each, with every name in it looked up."""

import shutil

import pytest
import yaml
from project import ROOT
from studies import CONFIG, study
from toy_questions import CELLS, LANGUAGES, SETTINGS, base, scores_of, tuned

from maple.analysis.questions.answer import answer_questions
from maple.definitions.errors import DefinitionError
from maple.definitions.question import Question, questions_of
from maple.definitions.reading import read_definitions
from maple.report.sections.questions import answer_views
from maple.study.reading import read_study

FIVE = ["rank", "bits", "english", "exchange", "data"]
ASKED = {"asks": "Do rows help?", "unit": "points", "shape": "slope", "axis": "rank"}


@pytest.fixture
def with_question(tmp_path):
    """Read a study of the five questions and of one more, which is one file."""
    shutil.copytree(ROOT / "config", tmp_path / "config")

    def made(without=(), **keys):
        content = {key: value for key, value in (ASKED | keys).items() if key not in without}
        (tmp_path / "config/questions/mine.yaml").write_text(yaml.safe_dump(content))
        return read_study(CONFIG | {"questions": [*FIVE, "mine"]}, tmp_path / "config").questions

    return made


def test_a_study_that_names_no_question_asks_the_five():
    assert "questions" not in CONFIG and list(study().questions) == FIVE


def test_questions_stand_in_the_order_of_the_config():
    assert list(study(questions=["data", "rank"]).questions) == ["data", "rank"]


def test_one_file_is_one_question_more_on_the_page(with_question):
    questions = with_question()
    scores = scores_of([base(), tuned(2), tuned(8)], CELLS, lambda run, *_: 0.5 + 0.01 * (run.axis("rank") or 0))
    answers = answer_questions(scores, LANGUAGES, SETTINGS, questions, {})
    assert [view.answer.question for view in answer_views(answers)] == [*FIVE, "mine"]
    assert answer_views(answers)[-1].answer.asks == "Do rows help?"


def test_a_question_crosses_params_unchanged(with_question):
    questions = with_question(runs={"models": ["tiny-llama"]}, cells={"languages": ["swh_Latn"]})
    assert questions_of({name: question.params() for name, question in questions.items()}) == questions


def test_a_kind_of_model_becomes_the_names_of_its_models(with_question):
    selected = with_question(runs={"kinds": ["causal"]})["mine"].runs
    assert selected.kinds is None and {"tiny-llama", "mistral-7b"} <= set(selected.models)


SLIPS = [
    ({"runs": {"models": ["llama-9"]}}, "mine.yaml: runs.models names 'llama-9', which config/models/ lacks"),
    ({"runs": {"methods": ["lore"]}}, "mine.yaml: runs.methods names 'lore', which config/methods/ lacks"),
    ({"runs": {"kinds": ["encoders"]}}, "mine.yaml: runs.kinds names 'encoders'"),
    (
        {"runs": {"axes": {"ranks": 8}}},
        "mine.yaml: runs.axes names 'ranks', which config/methods/ and",
    ),
    ({"cells": {"tasks": ["xnly"]}}, "mine.yaml: cells.tasks names 'xnly', which config/tasks/ lacks"),
    ({"cells": {"languages": ["swh"]}}, "mine.yaml: cells.languages names 'swh', which config/languages.tsv lacks"),
    ({"shape": "slop"}, "shape: 'slop' is not one of"),
    ({"per": "decade"}, "mine.yaml: per: 'decade' is not one of"),
    ({"baseline": "untouched"}, "unknown key 'baseline'"),
]


@pytest.mark.parametrize(("keys", "message"), SLIPS)
def test_a_slip_in_a_question_is_named(with_question, keys, message):
    with pytest.raises(DefinitionError) as error:
        with_question(**keys)
    assert message in str(error.value)


def test_what_is_ranked_is_an_axis_or_one_of_four_labels(with_question):
    assert with_question(without=["axis"], shape="ranking", of="bits")["mine"].of == "bits"
    with pytest.raises(DefinitionError, match=r"mine\.yaml: of names 'methods', which model, dataset, method, family"):
        with_question(without=["axis"], shape="ranking", of="methods")


def test_a_question_without_a_file_is_named():
    with pytest.raises(DefinitionError, match="questions names 'ranks', which config/questions/ lacks"):
        study(questions=["ranks"])


def test_losses_are_named_of_english_alone(with_question):
    with pytest.raises(DefinitionError, match=r"write cells: \{languages"):
        with_question(without=["axis"], shape="change", baseline="untouched", names_losses=True)


def test_every_file_of_a_question_can_be_read():
    files = read_definitions(ROOT / "config/questions", Question)
    assert set(FIVE) < set(files)
    assert {question.shape for question in files.values()} == {
        "slope", "change", "group_difference", "factor", "difference", "margin", "ranking", "spread", "cost"
    }  # fmt: skip
