"""What a forecast reads of a study, as plain values that cross Snakemake's params."""

from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, Field

from maple.definitions.model import PretrainingSettings
from maple.definitions.record import Record
from maple.definitions.run import NONE, Run
from maple.definitions.task import AnswerMode
from maple.definitions.training import TrainingSettings
from maple.study.study import Study

# UTF-8 bytes of an example and of a prompt if none are declared: those of the default study's embedded ones.
EXAMPLE_BYTES, PROMPT_BYTES = 280, 370
ITEMS = 1000  # test rows, or examples, per language if none are declared: assumed


class PlannedModel(Record):
    """A model, of the grid or of a dataset."""

    endpoint: bool
    """True if it answers behind an endpoint."""
    hub: str | None
    """The Hub's id; None if it is not of the Hub."""
    architecture: dict[str, Any] = Field(default_factory=dict)
    """Keys of its config.json; empty if they are unknown until it is fetched."""
    pretraining: PretrainingSettings | None = None
    """None unless it is built here."""


class PlannedMethod(Record):
    """A method variant, or the baseline."""

    training: TrainingSettings | None
    """None for the baseline."""
    attached: bool
    """True if it generates with its adapter attached, unmerged."""
    shared_engine: bool
    """True if one engine serves all its runs of a model."""
    comparable: bool
    """True if it is merged and could be served attached."""
    engine: str
    batch: int
    """Sequences at once."""


class PlannedDataset(Record):
    """A dataset."""

    languages: list[str]
    rows: int
    """Per language, before curation: stated, declared or assumed."""
    bytes: int
    """UTF-8, per row: declared or assumed."""
    held_out: int
    """Rows per language that are not trained on."""
    local_models: bool
    """True if models on this machine generate it."""
    endpoint: bool
    """True if a model behind an endpoint generates it."""


class PlannedTask(Record):
    """A task."""

    languages: list[str]
    items: int | dict[str, int]
    """Test rows per language: declared or assumed."""
    bytes: int
    """UTF-8, per prompt without demonstrations: declared or assumed."""
    declared: bool
    """True if the task's file declares items and bytes of the source that is read."""
    shots: int
    answers: list[AnswerMode]
    choices: int
    """Choices that are ranked; 0 if none are."""
    max_new_tokens: int
    metrics: int
    """How many there are."""
    clustered: bool
    """True if items share texts."""
    hub: str | None
    """The Hub's id of the source that is read; None if it is another source."""


class Plan(Record):
    """A study as the forecast needs it."""

    model_config = ConfigDict(strict=False)  # a run is rebuilt from its fields

    models: dict[str, PlannedModel]
    methods: dict[str, PlannedMethod]
    datasets: dict[str, PlannedDataset]
    tasks: dict[str, PlannedTask]
    runs: list[Run]
    """The grid, baselines first."""
    languages: list[str]
    """Codes of the grid."""
    scripts: dict[str, str]
    """The script of each language of the grid and of the datasets."""
    repositories: dict[str, str]
    """The Hub's ids of what is fetched, by folder."""
    decontaminated: bool
    """True if examples are compared with test rows."""
    items: int | None
    """The most test rows per language; None: no such limit."""
    max_length: int
    """Tokens of prompt and completion."""
    merge_rows: int
    """Held-out rows per language on which merges are compared."""
    keep_merged: bool
    """False: merged weights are removed once their run's completions are there."""
    compare_attached: bool
    """True if merged runs are compared with their attached adapter."""
    hardware: str
    """The row of config/hardware.tsv."""
    devices: int
    """How many compute at once."""


def plan_of(study: Study, config: Mapping) -> Plan:
    """Return what a forecast reads of a study and its config."""
    datasets = {name: _dataset(study, name) for name in study.dataset_languages}
    tasks = {name: _task(study, config, name) for name in study.tasks}
    codes = dict.fromkeys(
        code for codes in (study.languages, *(dataset.languages for dataset in datasets.values())) for code in codes
    )
    return Plan(
        models={name: _model(study, name) for name in study.models},
        methods={name: _method(study, name) for name in study.settings},
        datasets=datasets,
        tasks=tasks,
        runs=[Run(**run) for run in study.runs],
        languages=list(study.languages),
        scripts={code: study.identities[code]["script"] for code in codes},
        repositories={folder: repository["id"] for folder, repository in study.repositories.items()},
        decontaminated=bool(study.tested),
        items=config["items"],
        max_length=config["generate"]["max_length"],
        merge_rows=config["merge"]["rows"],
        keep_merged=config["merge"].get("keep", True),
        compare_attached=bool(config["generate"]["compare_attached"]),
        hardware=config["forecast"]["hardware"],
        devices=config["forecast"]["devices"],
    )


def _model(study: Study, name: str) -> PlannedModel:
    definition = study.models[name]
    architecture, pretraining = study.architectures.get(name, {}), None
    if "build" in definition:
        build = definition["build"]
        architecture = {**build["architecture"], "vocab_size": build["vocabulary"]}
        pretraining = PretrainingSettings(**build["training"])
    return PlannedModel(
        endpoint="openai" in definition,
        hub=definition.get("hub"),
        architecture=architecture,
        pretraining=pretraining,
    )


def _method(study: Study, name: str) -> PlannedMethod:
    return PlannedMethod(
        training=None if name == NONE else TrainingSettings(**study.cells[name]["training"]),
        attached=name in study.attached,
        shared_engine=name in study.together,
        comparable=name in study.comparable,
        engine=study.settings[name]["engine"],
        batch=study.settings[name]["batch"],
    )


def _dataset(study: Study, name: str) -> PlannedDataset:
    recipe, size = study.recipes[name], study.declared_sets.get(name, {})
    return PlannedDataset(
        languages=study.dataset_languages[name],
        rows=recipe.get(recipe["recipe"], {}).get("max_rows") or size.get("rows", ITEMS),
        bytes=size.get("bytes", EXAMPLE_BYTES),
        held_out=study.mixes[name]["held_out"],
        local_models=bool(study.dataset_models[name]),
        endpoint="openai" in recipe,
    )


def _task(study: Study, config: Mapping, name: str) -> PlannedTask:
    task, settings = study.tasks[name], study.asked[name]
    declared = "size" in task and config["task_source"] != "embedded"
    size = task["size"] if declared else {"items": config["items"] or ITEMS, "bytes": PROMPT_BYTES}
    return PlannedTask(
        languages=study.task_languages[name],
        items=size["items"],
        bytes=size["bytes"],
        declared=declared,
        shots=settings["shots"],
        answers=settings["answers"],
        choices=len(task.get("choices", ())) if "rank" in settings["answers"] else 0,
        max_new_tokens=study.renderings[name]["max_new_tokens"],
        metrics=len(study.measures[name]["metrics"]),
        clustered=name in study.clusterings,
        hub=task["sources"].get("hub", {}).get("dataset"),
    )
