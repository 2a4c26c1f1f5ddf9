"""What a kind of model rules out is refused while a study is planned, with file and key."""

import shutil

import pytest
import yaml
from project import ROOT
from studies import CONFIG

from maple.definitions.config import Config, GridPart
from maple.definitions.dataset import LoadedDataset, TaskDataset
from maple.definitions.errors import DefinitionError
from maple.definitions.generation import BeamSearch, GenerateBlock
from maple.definitions.local_model import BuiltModel, HubModel, PackageModel
from maple.definitions.method import PeftMethod
from maple.definitions.model import EndpointModel, Model
from maple.definitions.reading import parse, read_yaml
from maple.definitions.task import Task
from maple.definitions.training import TrainingSettings
from maple.models.kind import KINDS
from maple.study.checks import check_endpoint
from maple.study.grid import expand_grid
from maple.study.kinds import check_kinds, check_labels, settings_of_kind
from maple.study.reading import read_study

REVISION = {"hub": "a/b", "revision": "0" * 40}
MODELS = {"llama": HubModel(**REVISION), "bert": HubModel(**REVISION, kind="encoder")}
MIX = {"rows": None, "alpha": 1.0, "seed": 1, "held_out": 4}
DATASETS = {
    "labels": TaskDataset(recipe="task", task={"name": "xnli"}, curate={}, mix=MIX),
    "texts": LoadedDataset(recipe="load", load={}, curate={}, mix=MIX),
}
LORA = PeftMethod(peft="LORA", axes={"rank": [8], "bits": [16]}, alpha_over_rank=2, adapter={})
PART = {"models": ["bert"], "datasets": ["labels"], "methods": {"lora": None}, "seeds": [1]}
TRAINING = parse(TrainingSettings, CONFIG["finetune"], "config: finetune")


def expand(*parts, tasks=("xnli", "xquad"), training=TRAINING):
    return expand_grid([GridPart(**part) for part in parts], MODELS, DATASETS, {"lora": LORA}, training, list(tasks))


def test_an_encoder_has_no_baseline_and_is_asked_the_task_that_it_learns_alone():
    runs, _ = expand(PART, {**PART, "models": ["llama"]})
    assert [(run.path, run.tasks) for run in runs] == [
        ("llama/none/none/seed0", ("xnli", "xquad")),
        ("bert/labels/lora-r8-16bit/seed1", ("xnli",)),
        ("llama/labels/lora-r8-16bit/seed1", ("xnli", "xquad")),
    ]
    assert not any(run.is_baseline for run in expand(PART)[0])


REFUSED = [
    (
        {"datasets": ["texts"]},
        {},
        r"config/datasets/texts.yaml: recipe: load: bert is of the kind encoder, which learns",
    ),
    ({"tasks": ["xquad"]}, {}, r"config: grid: tasks: xquad: bert .* from labels xnli, and can be asked no other"),
    ({}, {"tasks": ["xquad"]}, r"config: tasks: lacks xnli, and bert .* from labels this one; add it"),
    ({"datasets": [], "methods": {}, "seeds": []}, {}, r"config: grid: part 1: bert .* head is random before it is"),
]


@pytest.mark.parametrize(("part", "study", "says"), REFUSED, ids=["dataset", "tasks", "config", "untouched"])
def test_what_an_encoder_cannot_learn_or_be_asked_is_refused(part, study, says):
    with pytest.raises(DefinitionError, match=says):
        expand(PART | part, **study)


def test_a_task_without_labels_teaches_an_encoder_nothing():
    tasks = {"xnli": parse(Task, read_yaml(ROOT / "config/tasks/xquad.yaml"), "xquad")}
    runs, variants = expand(PART)
    with pytest.raises(
        DefinitionError, match=r"config/tasks/xnli\.yaml: choices: has 0 labels, and bert is of the kind"
    ):
        check_labels(runs, variants, MODELS, tasks)


def test_weights_of_labels_are_refused_for_a_model_that_learns_text():
    runs, variants = expand({**PART, "models": ["llama"]}, training=TRAINING.changed(class_weights="balanced"))
    finetuned = [run for run in runs if not run.is_baseline]
    with pytest.raises(
        DefinitionError, match=r"finetune\.class_weights: llama is of the kind causal, which learns text"
    ):
        check_labels(finetuned, variants, MODELS, {})


def test_a_kind_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(DefinitionError, match=r"config/models/m\.yaml: kind: 'decoder' is not one of causal, encoder"):
        check_kinds({"m": HubModel(**REVISION, kind="decoder")})
    assert HubModel(**REVISION).kind == "causal"


def test_a_built_model_and_a_format_say_their_kind():
    bert = yaml.safe_load((ROOT / "config/models/tiny-bert.yaml").read_text())
    assert BuiltModel(**bert).kind == "encoder"
    with pytest.raises(ValueError, match="model_type: modernbert is of the kind encoder; write kind: encoder"):
        BuiltModel(**{**bert, "kind": "causal"})
    e5 = yaml.safe_load((ROOT / "config/models/multilingual-e5-small.yaml").read_text())
    with pytest.raises(ValueError, match="e5 holds a model of the kind encoder; write kind: encoder"):
        PackageModel(**{**e5, "kind": "causal"})


def test_the_encoders_that_are_shipped_are_read():
    files = {path.stem: parse(Model, read_yaml(path), path) for path in (ROOT / "config/models").glob("*.yaml")}
    encoders = {name for name, model in files.items() if model.kind == "encoder"}
    shipped = {
        "tiny-bert",
        "multilingual-e5-small",
        "bert-base-multilingual-cased",
        "xlm-roberta-base",
        "modernbert-base",
    }
    assert encoders == shipped and {model.kind for model in files.values()} == set(KINDS)


def test_a_teacher_must_write_text(tmp_path):
    folder = shutil.copytree(ROOT / "config", tmp_path / "config")
    dataset = yaml.safe_load((folder / "datasets/generated.yaml").read_text())
    dataset |= {"teacher": "transformers", "transformers": {"model": "tiny-bert"}}
    (folder / "datasets/generated.yaml").write_text(yaml.safe_dump(dataset))
    with pytest.raises(
        DefinitionError, match=r"transformers\.model names 'tiny-bert', .* kind encoder, which writes no"
    ):
        read_study(CONFIG, folder)


def block(**changes):
    return parse(GenerateBlock, CONFIG["generate"] | changes, "config: generate")


def asked(kind, attached=False, **changes):
    of_config = block(**changes)
    return settings_of_kind(of_config.settings, of_config, kind, attached=attached)


def test_a_translator_is_asked_with_every_value_of_its_search_and_no_other_model_is():
    settings = asked("seq2seq", beam_search={"beams": 4})
    assert settings.params()["beam_search"] == BeamSearch(beams=4).stated
    assert len(BeamSearch().stated) == len(BeamSearch.model_fields)
    for kind in ("causal", "encoder"):
        assert asked(kind, beam_search={"beams": 4}).params() == block().settings.params()


@pytest.mark.parametrize("engine", ["auto", "vllm", "transformers"])
def test_a_translator_answers_by_transformers_whatever_engine_prompts_have(engine):
    assert asked("seq2seq", engine=engine).engine == "transformers"


def test_ctranslate2_translates_with_whole_models_and_serves_no_others():
    assert asked("seq2seq", engine="ctranslate2").engine == "ctranslate2"
    with_adapter, causal = asked("seq2seq", attached=True, engine="ctranslate2"), asked("causal", engine="ctranslate2")
    assert (with_adapter.engine, with_adapter.engine_reason) == ("transformers", "ctranslate2 attaches no adapters")
    assert (causal.engine, causal.engine_reason) == ("auto", "ctranslate2 serves no causal models")


@pytest.mark.parametrize(
    ("search", "says"),
    [
        ({"early_stopping": False}, "early_stopping: CTranslate2 ends with as many finished"),
        ({"length_penalty": 0}, "length_penalty: with 0 CTranslate2 ends earlier"),
        ({"no_repeat_ngram": 3}, "no_repeat_ngram: CTranslate2 computes other probabilities"),
        ({"repetition_penalty": 1.2}, "repetition_penalty: CTranslate2 computes other probabilities"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_search_that_ctranslate2_does_otherwise_is_refused(search, says):
    generate = CONFIG["generate"] | {"engine": "ctranslate2", "beam_search": search}
    with pytest.raises(DefinitionError, match=rf"config: generate\.beam_search\.{says}"):
        read_study(CONFIG | {"generate": generate}, ROOT / "config")


def test_an_endpoint_is_no_translator():
    gpt = EndpointModel.model_validate(
        {"kind": "seq2seq", "openai": {"model": "gpt", "base_url": "http://localhost/v1"}}
    )
    says = r"config/models/gpt\.yaml: kind: seq2seq: .* answers prompts; leave kind"
    with pytest.raises(DefinitionError, match=says):
        check_endpoint("gpt", gpt, False, parse(Config, CONFIG, "config"), {})
