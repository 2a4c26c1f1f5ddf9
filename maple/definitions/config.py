"""A study: what config/config.yaml and its overlays say."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from maple.definitions.generation import GenerateBlock
from maple.definitions.method import GridAxes
from maple.definitions.record import Count, CountOrZero, Distinct, Names, Record
from maple.definitions.report import ReportSettings
from maple.definitions.task import AnswerMode
from maple.definitions.training import MergeBlock, TrainingSettings

AnswerModes = Annotated[list[AnswerMode], Field(min_length=1, json_schema_extra={"uniqueItems": True}), Distinct]


class GridPart(Record):
    """Runs: all combinations of its lists. Each model's baseline is run as well."""

    models: Annotated[list[str], Field(min_length=1)]
    """Files of config/models/."""
    datasets: list[str]
    """Files of config/datasets/; empty, as the next two, for the baselines alone."""
    methods: dict[str, GridAxes | None]
    """Files of config/methods/, each with other values for its axes, or null."""
    seeds: list[CountOrZero]
    """Seeds of the finetuning."""


class ForecastSettings(Record):
    """What `snakemake forecast` reckons with; it decides no result."""

    hardware: str
    """The row of config/hardware.tsv."""
    devices: Count
    """How many compute at once."""


class Config(Record):
    """A study."""

    model_config = ConfigDict(title="a study")

    note: str
    """The sentence that the report opens with."""
    languages: Names
    """Codes of config/languages.tsv."""
    tasks: Names
    """Files of config/tasks/."""
    task_source: Literal["embedded", "local", "hub"]
    """Which of their sources to read."""
    items: Count | None
    """Items per task and language; null: all that the source has."""
    data: str | None
    """The folder that local sources name as {data}; null: there is none."""
    prompt_language: Literal["own", "english"]
    """The language that prompts instruct in."""
    shots: dict[str, CountOrZero]
    """Demonstrations before each prompt, by task; none where a task is not named."""
    shots_seed: CountOrZero
    """Which demonstrations are sampled; the same for every run."""
    max_new_tokens: dict[str, Count]
    """New tokens that an answer may have, by task; the task's own limit where it is not named."""
    answers: dict[str, AnswerModes]
    """How a task is asked: generate, rank or both; [generate] where a task is not named."""
    grid: Annotated[list[GridPart], Field(min_length=1)]
    finetune: TrainingSettings
    checkpoint_steps: Count
    """Steps between two checkpoints; another number trains nothing anew."""
    merge: MergeBlock
    generate: GenerateBlock
    report: ReportSettings
    forecast: ForecastSettings
