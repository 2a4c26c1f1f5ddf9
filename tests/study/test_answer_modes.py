"""By which answer modes causal models, encoders and models behind endpoints are asked the tasks of one study."""

import pytest
from studies import CONFIG, study

from maple.definitions.config import Config
from maple.definitions.errors import DefinitionError
from maple.definitions.local_model import PathModel
from maple.definitions.model import EndpointModel
from maple.definitions.reading import parse
from maple.definitions.run import Run
from maple.definitions.task import Task
from maple.study.answer_modes import answer_modes, check_answers, models_asked

MODELS = {
    "decoder": PathModel(path="d"),
    "encoder": PathModel(path="e", kind="encoder"),
    "seeing": PathModel(path="s", kind="vision"),
    "remote": EndpointModel.model_validate({"openai": {"model": "far", "base_url": "http://localhost:1/v1"}}),
}
LABELLED = {
    "item": "id",
    "prompt": "{{ text }} Good or bad?",
    "targets": "label",
    "fields": ["text", "label"],
    "max_new_tokens": 4,
    "metrics": ["accuracy"],
    "headline": "accuracy",
    "sources": {"embedded": {"languages": "all"}},
    "choices": {"good": ["good"], "bad": ["bad"]},
    "texts": ["{{ text }}"],
}


def task(*without):
    return Task(**{key: value for key, value in LABELLED.items() if key not in without})


CALIBRATED = Task(**LABELLED | {"metrics": ["accuracy", "ece"]})
PICTURED = Task(**LABELLED | {"pictures": ["picture"]})
LAID_OUT = Task(**LABELLED | {"layout": {"frame": "none"}})
BLANK = Task(**LABELLED | {"layout": {"frame": "none"}, "choice_prompts": {"good": "It is", "bad": "It is not"}})
TASKS = {
    "labelled": task(),
    "calibrated": CALIBRATED,
    "open": task("texts", "choices"),
    "untexted": task("texts"),
    "pictured": PICTURED,
    "laid-out": LAID_OUT,
    "blank": BLANK,
    "sets": Task(**LABELLED | {"multi": True, "metrics": ["samples_f1"], "headline": "samples_f1"}),
}


def checked(*asked, answers=None):
    """Check runs (model, task) of a study whose config has these `answers`."""
    runs = [Run.baseline(model, tuple(name for one, name in asked if one == model)) for model, _ in asked]
    named = {name: TASKS[name] for name in dict.fromkeys(name for _, name in asked)}
    check_answers(runs, named, MODELS, config(answers or {}))


def config(answers):
    return parse(Config, CONFIG | {"answers": answers}, "config")


@pytest.mark.parametrize(
    ("answers", "of_decoder", "of_encoder"),
    [
        ({}, ["generate", "rank"], ["classify"]),
        ({"labelled": ["generate", "classify"]}, ["generate"], ["classify"]),
        ({"labelled": ["classify", "generate"]}, ["generate"], ["classify"]),
        ({"labelled": ["rank"]}, ["rank"], []),
    ],
)
def test_a_model_is_asked_by_the_modes_that_its_kind_has(answers, of_decoder, of_encoder):
    assert answer_modes("labelled", TASKS["labelled"], MODELS["decoder"], config(answers)) == of_decoder
    assert answer_modes("labelled", TASKS["labelled"], MODELS["encoder"], config(answers)) == of_encoder


def test_choices_are_ranked_by_default_and_nothing_else_is():
    assert answer_modes("open", TASKS["open"], MODELS["decoder"], config({})) == ["generate"]
    assert answer_modes("labelled", TASKS["labelled"], MODELS["remote"], config({})) == ["generate"]
    assert answer_modes("labelled", TASKS["labelled"], MODELS["seeing"], config({})) == ["generate", "rank"]
    assert answer_modes("pictured", PICTURED, MODELS["seeing"], config({})) == ["generate", "blind"]


@pytest.mark.parametrize(
    ("answers", "modes"),
    [
        ({}, ["generate", "blind"]),
        ({"pictured": ["generate"]}, ["generate"]),
        ({"pictured": ["rank", "generate", "blind"]}, ["rank", "generate", "blind"]),
    ],
)
def test_a_task_with_pictures_is_asked_blindly_as_well_unless_the_config_says_how(answers, modes):
    assert answer_modes("pictured", PICTURED, MODELS["seeing"], config(answers)) == modes
    checked(("seeing", "pictured"), answers=answers)


@pytest.mark.parametrize("stated", [["blind"], ["rank", "blind"]])
def test_blind_answers_alone_are_refused_with_what_to_write(stated):
    says = rf"answers\.pictured: blind answers are compared .* write \[generate, {', '.join(stated)}\]"
    with pytest.raises(DefinitionError, match=says):
        checked(("seeing", "pictured"), answers={"pictured": stated})


def test_what_has_no_picture_cannot_be_asked_without():
    with pytest.raises(DefinitionError, match=r"answers\.xnli: config/tasks/xnli\.yaml has no pictures to hide; leave"):
        study(answers={"xnli": ["generate", "blind"]})


def test_one_task_is_generated_by_a_decoder_and_classified_by_an_encoder():
    checked(("decoder", "labelled"), ("encoder", "labelled"))
    checked(("decoder", "open"), ("encoder", "labelled"))
    every = {"labelled": ["generate", "rank", "classify"]}
    checked(("decoder", "labelled"), ("encoder", "labelled"), answers=every)


def test_a_task_without_a_mode_for_a_model_of_the_grid_is_refused_with_what_to_write():
    says = (
        r"config: answers\.labelled: \[generate, rank\] is no way in which encoder answers, of the kind encoder "
        r"\(config/models/encoder\.yaml\); write \[generate, rank, classify\], or name other tasks under `tasks`"
    )
    with pytest.raises(DefinitionError, match=says):
        checked(("encoder", "labelled"), answers={"labelled": ["generate", "rank"]})
    with pytest.raises(
        DefinitionError, match=r"\[classify\] is no way in which decoder answers.*\[classify, generate, "
    ):
        checked(("decoder", "labelled"), answers={"labelled": ["classify"]})


@pytest.mark.parametrize(("name", "lacks"), [("open", "no texts and no choices"), ("untexted", "no texts")])
def test_a_prompt_to_generate_from_that_an_encoder_is_asked_is_refused_by_name(name, lacks):
    says = (
        f"config: grid: encoder is of the kind encoder, which classifies texts, and config/tasks/{name}.yaml has a "
        f"prompt to generate from and {lacks}; write them there"
    )
    with pytest.raises(DefinitionError, match=says):
        checked(("decoder", name), ("encoder", name))
    checked(("decoder", name), ("encoder", "labelled"))


def test_choices_with_a_prompt_each_are_ranked_and_nothing_is_generated():
    for model in ("decoder", "seeing"):
        assert answer_modes("blank", BLANK, MODELS[model], config({})) == ["rank"]
    checked(("decoder", "blank"))


def test_a_layout_is_refused_for_a_model_that_reads_no_prompts():
    checked(("decoder", "laid-out"))
    says = (
        r"config/tasks/laid-out\.yaml: layout: encoder is of the kind encoder and reads no prompts .*; leave layout out"
    )
    with pytest.raises(DefinitionError, match=says):
        checked(("decoder", "laid-out"), ("encoder", "laid-out"))


def test_choices_with_a_prompt_each_cannot_be_generated():
    with pytest.raises(DefinitionError, match=r"answers\.xwinograd: .* a prompt for each choice.*; write \[rank\]"):
        study(tasks=["xwinograd"], task_source="local", answers={"xwinograd": ["generate", "rank"]})


def test_answers_that_no_metric_compares_are_refused():
    says = r"answers\.labelled: causal models would only rank and others not at all.*write \[generate, rank, classify\]"
    with pytest.raises(DefinitionError, match=says):
        checked(("decoder", "labelled"), ("encoder", "labelled"), answers={"labelled": ["rank", "classify"]})
    checked(("decoder", "labelled"), answers={"labelled": ["rank", "classify"]})


def test_a_metric_of_probabilities_is_refused_where_answers_are_generated():
    says = (
        r"config/tasks/calibrated\.yaml: metrics: ece need the probabilities of the labels, which the answers that "
        r"decoder generates do not have; write `answers: \{calibrated: \[rank\]\}`"
    )
    with pytest.raises(DefinitionError, match=says):
        checked(("decoder", "calibrated"), ("encoder", "calibrated"))
    checked(("encoder", "calibrated"))
    checked(("decoder", "calibrated"), answers={"calibrated": ["rank"]})


def test_the_models_that_are_asked_a_task_are_known():
    runs = [Run.baseline("decoder", ("labelled", "open")), Run.baseline("encoder", ("labelled",))]
    assert list(models_asked("labelled", runs, MODELS)) == ["decoder", "encoder"]
    assert list(models_asked("open", runs, MODELS)) == ["decoder"]


def test_what_is_classified_needs_texts_and_choices_whoever_is_asked():
    with pytest.raises(DefinitionError, match=r"answers\.xnli: config/tasks/xnli\.yaml has no texts to classify"):
        study(answers={"xnli": ["generate", "classify"]})


def test_a_run_s_answers_are_those_of_its_own_model_whatever_other_models_are_asked():
    toy = study(answers={"xcopa": ["rank"], "belebele": ["generate"]})
    modes = toy.answers(toy.runs[0])
    assert modes == {
        "xnli": ["generate", "rank"], "xcopa": ["rank"], "belebele": ["generate"],
        "xquad": ["generate"], "mlqa": ["generate"], "xlsum": ["generate"],
    }  # fmt: skip
    assert "answers" not in toy.tasks["xcopa"].settings.params()  # prompts are rendered once for models of every kind


def test_a_classified_task_has_its_own_metrics_and_headline():
    toy = study()
    asked = {"causal": ["generate", "rank"], "encoder": ["classify"]}
    for answers, metrics in (
        ({"encoder": ["classify"]}, ["accuracy"]),
        (asked, ["accuracy", "rank_accuracy", "rank_accuracy_per_byte"]),
        ({"vision": ["generate", "blind"]}, ["accuracy", "blind_accuracy"]),
    ):
        fields = {**vars(toy.tasks["xnli"]), "answers": answers}
        measured = type(toy.tasks["xnli"])(**fields).metrics
        assert (measured.metrics, measured.headline) == (metrics, "accuracy")


def test_sets_of_labels_are_generated_alone_and_refused_for_an_encoder():
    assert answer_modes("sets", TASKS["sets"], MODELS["decoder"], config({})) == ["generate"]
    checked(("decoder", "sets"))
    with pytest.raises(DefinitionError, match=r"a row \(`multi`\), and a head has one; name other tasks"):
        checked(("encoder", "sets"))
