"""What a forecast reads of a study, as plain values that cross Snakemake's params."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pydantic import ConfigDict, Field

from maple.definitions.config import Config, GridPart
from maple.definitions.dataset import (
    LoadedDataset,
    ParallelDataset,
    PicturesDataset,
    SelfInstructDataset,
    TaughtDataset,
    TranslateRespondDataset,
)
from maple.definitions.generation import BeamSearch
from maple.definitions.language import Language
from maple.definitions.local_model import BuiltModel, PathModel, PretrainingSettings
from maple.definitions.method import Trained, WeightsVariant
from maple.definitions.model import EndpointModel, Model
from maple.definitions.question import Question
from maple.definitions.record import Record
from maple.definitions.report import ReportSettings
from maple.definitions.run import NONE, Run
from maple.definitions.task import AnswerMode
from maple.definitions.training import TrainingSettings
from maple.models.kind import KINDS
from maple.study.architectures import known_architecture
from maple.study.datasets import StudyDataset
from maple.study.pictures import parts_of_pictures
from maple.study.repositories import repository_of
from maple.study.study import Study
from maple.study.tasks import StudyTask

# UTF-8 bytes of an example and of a prompt if none are declared: those of the default study's embedded ones.
EXAMPLE_BYTES, PROMPT_BYTES = 280, 370
ITEMS = 1000  # test rows, or examples, per language if none are declared: assumed


class PlannedModel(Record):
    """A model, of the grid or of a dataset."""

    endpoint: bool
    """True if it answers behind an endpoint."""
    hub: str | None
    """The id of the repository or package that it is fetched from; None if it is not fetched."""
    auto_class: str = KINDS["causal"].auto_class
    """transformers' class of its kind of model."""
    search: BeamSearch | None = None
    """How a translator answers, which reads the text alone, without a prompt around it; None for another model."""
    architecture: dict[str, Any] = Field(default_factory=dict)
    """Keys of its config.json; empty if they are unknown until it is fetched."""
    trust_remote_code: bool = False
    """True if its network is the repository's own code."""
    pretraining: PretrainingSettings | None = None
    """None unless it is built here."""
    thinking_tokens: int = 0
    """Tokens of a completion beside the answer's that are left to thinking."""
    answers: dict[str, list[AnswerMode]] = Field(default_factory=dict)
    """Its answer modes by task; empty for a model that only makes a dataset."""

    def generates(self, tasks: Iterable[str]) -> bool:
        """Return True if it generates answers to one of the tasks."""
        return any("generate" in self.answers[task] for task in tasks)


class PlannedMethod(Record):
    """A method variant, or the baseline."""

    training: TrainingSettings | None
    """None for the baseline."""
    trains: Trained | None = None
    """Which of the model's own weights are trained; None for an adapter and for the baseline."""
    attached: bool
    """True if it generates with its adapter attached, unmerged."""
    merged: bool
    """True if what was trained is folded into the base."""
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
    recipe: str
    """Its recipe, as task; other recipes than task, parallel and pictures are synthesized."""
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
    choices: int
    """Its labels; 0 for an open question."""
    max_new_tokens: int
    metrics: int
    """How many there are."""
    clustered: bool
    """True if items share texts."""
    pictured: bool
    """True if it asks about pictures."""
    domain: str
    """Empty if it states none, as the direction."""
    direction: str
    """The direction of a translation."""
    hub: str | None
    """The Hub's id of the source that is read; None if it is another source."""


class Plan(Record):
    """A study as the forecast needs it."""

    model_config = ConfigDict(strict=False)  # a run is rebuilt from its fields

    models: dict[str, PlannedModel]
    methods: dict[str, PlannedMethod]
    datasets: dict[str, PlannedDataset]
    mixtures: dict[str, str]
    """The dataset that each dataset of the runs is a size of."""
    tasks: dict[str, PlannedTask]
    runs: list[Run]
    """The grid, baselines first."""
    on_one_engine: list[str]
    """The paths of the runs whose adapters one engine of their model attaches in turn."""
    heads: list[str]
    """The model of each head that is drawn."""
    pictures: int
    """Jobs that draw the pictures of a task, or open them."""
    languages: list[str]
    """Codes of the grid."""
    language_rows: list[Language]
    """Their rows of config/languages.tsv, without words of prompts."""
    questions: dict[str, Question]
    """The study's questions, by name."""
    report: ReportSettings
    """What counts as an effect, and which languages are low-resource."""
    noise: float
    """The assumed standard deviation between the scores of seeds, in points."""
    effect: float | None
    """The points that a design is to detect; None: twice the smallest effect of interest."""
    grid: list[GridPart]
    """The grid as the config has it."""
    scripts: dict[str, str]
    """The script of each language of the grid and of the datasets."""
    repositories: dict[str, str]
    """The Hub's ids of what is fetched, by folder."""
    decontaminated: bool
    """True if examples are compared with test rows."""
    items: int | None
    """The most test rows per language; None: no such limit."""
    share: float | None
    """The share of them that is asked at the present look; None: there is one look alone."""
    max_length: int
    """Tokens of prompt and completion."""
    merge_rows: int
    """Held-out rows per language on which merges are compared."""
    gpu_memory_utilization: float | None
    """Share of a device's memory for weights and cache; None: vLLM's own."""
    keep_merged: bool
    """False: merged weights are removed once their run's completions are there."""
    compare_attached: bool
    """True if merged runs are compared with their attached adapter."""
    hardware: str
    """The row of config/hardware.tsv."""
    devices: int
    """How many compute at once."""

    def dataset(self, run: Run) -> PlannedDataset:
        """Return the dataset that a run is finetuned on."""
        return self.datasets[self.mixtures[run.dataset]]


def plan_of(study: Study) -> Plan:
    """Return what a forecast reads of a study."""
    config, table = study.config, study.languages.table
    datasets = {name: _dataset(dataset) for name, dataset in study.datasets.items()}
    codes = [*study.languages.codes, *(code for dataset in datasets.values() for code in dataset.languages)]
    return Plan(
        models={
            name: _model(name, model).changed(answers=_answers(study, name), **_search(study, model))
            for name, model in study.models.items()
        },
        methods={name: _method(study, name) for name in (NONE, *study.methods)},
        datasets=datasets,
        mixtures={name: mixture.dataset for name, mixture in study.mixtures.items()},
        tasks={name: _task(config, task) for name, task in study.tasks.items()},
        runs=study.runs,
        on_one_engine=[run.path for model in study.models for run in study.runs_on_one_engine(model)],
        heads=_heads(study),
        pictures=len(parts_of_pictures(study)),
        languages=study.languages.codes,
        language_rows=[replace(row, words={}) for row in study.languages.rows],
        questions=study.questions,
        report=config.report,
        noise=config.forecast.noise,
        effect=config.forecast.effect,
        grid=config.grid,
        scripts={code: table[code].script for code in dict.fromkeys(codes)},
        repositories={folder: repository.id for folder, repository in study.repositories.items()},
        decontaminated=bool(study.tests),
        items=config.items,
        share=config.all_looks.share if config.looks else None,
        max_length=config.generate.max_length,
        merge_rows=config.merge.rows,
        gpu_memory_utilization=config.generate.gpu_memory_utilization,
        keep_merged=config.merge.keep,
        compare_attached=bool(config.generate.compare_attached),
        hardware=config.forecast.hardware,
        devices=config.forecast.devices,
    )


def _heads(study: Study) -> list[str]:
    drawn = {(run.model, task, run.seed) for run in study.finetuned if (task := study.head_task(run))}
    return sorted(model for model, _, _ in drawn)


def _search(study: Study, model: Model) -> dict[str, Any]:
    return {"search": study.config.generate.beam_search.stated} if KINDS[model.kind].translates else {}


def _answers(study: Study, model: str) -> dict[str, list[AnswerMode]]:
    return {name: task.answers[model] for name, task in study.tasks.items() if model in task.answers}


def _model(name: str, model: Model) -> PlannedModel:
    if isinstance(model, BuiltModel):
        architecture = {**model.build.architecture, "vocab_size": model.build.vocabulary}
        return PlannedModel(
            endpoint=False,
            hub=None,
            auto_class=KINDS[model.kind].auto_class,
            architecture=architecture,
            pretraining=model.build.training,
        )
    repository = repository_of(model)
    return PlannedModel(
        endpoint=isinstance(model, EndpointModel),
        hub=repository.id if repository else None,
        architecture=known_architecture(name, model) if isinstance(model, PathModel) else model.architecture,
        auto_class=KINDS[model.kind].auto_class,
        trust_remote_code=model.trust_remote_code,
        thinking_tokens=0 if isinstance(model, EndpointModel) else model.thinking_tokens,
    )


def _method(study: Study, name: str) -> PlannedMethod:
    method = study.methods.get(name)
    settings = method.settings if method else study.config.generate.settings
    return PlannedMethod(
        training=method.variant.training if method else None,
        trains=method.variant.trains if method and isinstance(method.variant, WeightsVariant) else None,
        attached=method is not None and method.attached,
        merged=method is not None and method.merged,
        comparable=method is not None and method.comparable,
        engine=settings.engine,
        batch=settings.batch,
    )


def _dataset(dataset: StudyDataset) -> PlannedDataset:
    definition, size = dataset.definition, dataset.definition.size
    if isinstance(definition, SelfInstructDataset):
        rows = definition.self_instruct.max_rows
    elif isinstance(definition, TranslateRespondDataset):
        rows = definition.translate_respond.max_rows
    elif isinstance(definition, LoadedDataset):
        rows = definition.load.max_rows
    else:
        several = isinstance(definition, ParallelDataset | PicturesDataset)
        rows = definition.most_rows if several else dataset.max_rows
    return PlannedDataset(
        languages=dataset.languages,
        rows=rows or (size.rows if size else ITEMS),
        bytes=size.bytes if size else EXAMPLE_BYTES,
        held_out=definition.mix.held_out,
        recipe=definition.recipe,
        local_models=bool(dataset.makers),
        endpoint=isinstance(definition, TaughtDataset) and definition.teacher == "openai",
    )


def _task(config: Config, task: StudyTask) -> PlannedTask:
    size, hub = task.definition.size, task.definition.sources.hub
    if task.embedded:
        size = None
    return PlannedTask(
        languages=task.languages,
        items=size.items if size else config.items or ITEMS,
        bytes=size.bytes if size else PROMPT_BYTES,
        declared=size is not None,
        shots=task.settings.shots,
        choices=len(task.definition.choices),
        max_new_tokens=task.prompt_spec.max_new_tokens,
        metrics=len(task.metrics.metrics),
        clustered=task.clustering is not None,
        pictured=bool(task.definition.pictures),
        domain=task.metrics.domain,
        direction=task.metrics.direction,
        hub=hub.dataset if hub else None,
    )
