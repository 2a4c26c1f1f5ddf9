"""A study: the keys of config/config.yaml and its overlays."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from maple.definitions.dataset import DatasetAxes
from maple.definitions.generation import GenerateBlock
from maple.definitions.looks import Looks, Shares, Spending
from maple.definitions.method import GridAxes
from maple.definitions.record import Count, CountOrZero, Distinct, Names, Number, Positive, Record, Seed, Share
from maple.definitions.report import ReportSettings
from maple.definitions.task import AnswerMode
from maple.definitions.training import MergeBlock, TrackingSettings, TrainingSettings

AnswerModes = Annotated[list[AnswerMode], Field(min_length=1, json_schema_extra={"uniqueItems": True}), Distinct]


class GridPart(Record):
    """Runs: all combinations of the lists. Each model's untouched base is run as well, as its baseline."""

    models: Annotated[list[str], Field(min_length=1)]
    """Files of config/models/."""
    datasets: list[str] | dict[str, DatasetAxes | None]
    """Files of config/datasets/, or each with other values of its axes, as {mahasent: {rows: [250, null]}}; null: the
    file's own values. For a baseline alone, leave datasets, methods and seeds empty."""
    methods: dict[str, GridAxes | None]
    """Files of config/methods/, each with other values of its axes; null: the file's own values."""
    seeds: list[Seed]
    """Seeds of the finetuning."""
    tasks: Names | None = None
    """Of the config's tasks, those that these runs are asked; left out: all."""


class ForecastSettings(Record):
    """What `snakemake forecast` and `snakemake plan` calculate with; it changes no result."""

    hardware: str
    """A row of config/hardware.tsv."""
    devices: Count
    """Number of devices that compute at once."""
    noise: Annotated[Number, Field(ge=0)] = 1.0
    """Standard deviation between the scores of seeds, in points, that is assumed before there are scores; half of its
    variance is taken as common to all runs of a model, dataset and seed."""
    effect: Positive | None = None
    """Points that `snakemake plan` looks for a design to detect, in the unit of each question; left out: twice the
    smallest_effect of `report`."""


class PublishSettings(Record):
    """What `snakemake publish` uploads to the Hugging Face Hub; it changes no result."""

    repository: Annotated[str, Field(min_length=1)]
    """The Hub's repository of each run, owner/name, with {model}, {dataset}, {method} and {seed} of the run."""
    what: Literal["adapter", "merged"]
    """adapter: the adapter; merged: the 16-bit model that it was folded into."""
    private: bool
    """True: repositories that are created are private. Those that exist stay as they are."""


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
    """The source that rows of all tasks come from; each task's file must have it."""
    items: Count | None
    """Items per task and language, sampled by their ids, which parallel sets share; null: all that the source has."""
    looks: Shares | None = None
    """Ascending shares of these items, to 1.0, at each of which the questions are asked; null: once, of all items."""
    look: Count | None = None
    """Which of the looks it is now, from 1; null: the last one."""
    spending: Spending = "obrien-fleming"
    """How the level of the questions is spent over the looks: obrien-fleming keeps nearly all for the last one, pocock
    spends it about evenly."""
    futility: Share | None = None
    """At a look, a question is ended if the chance that the remaining items give it a verdict is below this; null: none
    is ended before the last look."""
    data: str | None
    """The folder that local sources name as {data}; null: there is none."""
    prompt_language: Literal["own", "english"]
    """Language of the instructions in prompts: own is the language of the text."""
    shots: dict[str, CountOrZero]
    """Few-shot demonstrations before each prompt, by task; 0 for a task that is not named."""
    shots_seed: Seed
    """Seed with which demonstrations are sampled; they are the same for every run."""
    max_new_tokens: dict[str, Count]
    """Limit of new tokens per completion, by task; a task that is not named keeps the limit of its file."""
    answers: dict[str, AnswerModes]
    """Answer modes by task, of which each kind of model takes those that it has: generate and rank of causal models,
    classify of encoders, blind of models that see: the same prompts again, each picture grey. A task that is not named
    has [generate, rank, classify] if it has choices and no pictures, [generate, classify] if it has no choices, and
    [generate, classify, blind] if it has pictures."""
    grid: Annotated[list[GridPart], Field(min_length=1)]
    finetune: TrainingSettings
    checkpoint_steps: Count
    """Steps between two checkpoints; a change of this number retrains nothing."""
    tracking: TrackingSettings | None = None
    """Curves of the training, for TensorBoard or Weights & Biases; a change of this block retrains nothing."""
    merge: MergeBlock
    generate: GenerateBlock
    questions: Names = ["rank", "bits", "english", "exchange", "data"]
    """Files of config/questions/, in the order of the page; left out: rank, bits, english, exchange and data."""
    report: ReportSettings
    forecast: ForecastSettings
    publish: PublishSettings | None = None
    """null: `snakemake publish` has nothing to upload."""

    @property
    def all_looks(self) -> Looks:
        """The looks at the study, and the present one; raises DefinitionError."""
        return Looks.of(self.looks, self.look, self.spending, self.futility)
