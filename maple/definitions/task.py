"""A benchmark: prompt, gold answers, metrics and where its rows come from. One file of config/tasks/."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from maple.definitions.record import Commit, Count, CountOrZero, Record, Share

OfferedLanguages = Annotated[
    Literal["all"] | Annotated[list[str], Field(min_length=1)] | Annotated[dict[str, str], Field(min_length=1)],
    Field(description="the codes that the set offers, or all; or each code with the set's own name for it, {key}"),
]
Choices = dict[str, Annotated[list[str], Field(min_length=1)]]
AnswerMode = Literal["generate", "rank"]


class Splits(Record):
    """The set's own names of the rows to test on and of those to draw demonstrations from."""

    test: str
    dev: str = ""


class EmbeddedRows(Record):
    """Rows of the embedded world, made on the spot."""

    languages: OfferedLanguages


class LocalRows(Record):
    """JSON lines or Parquet on disk."""

    path: str
    """May name {data}, {split}, {key}, and code, name, iso639_1 and script of the language."""
    languages: OfferedLanguages
    splits: Splits = Splits(test="test", dev="dev")
    columns: dict[str, str] = {}
    """Names of fields, and the columns (or ways of keys) that hold them."""


class HubRows(Record):
    """Parquet or JSON lines in a dataset repository of the Hub."""

    dataset: str
    """The Hub's id."""
    revision: Commit
    files: str
    """A glob in the repository; may name what LocalRows.path may, but {data}."""
    splits: Splits
    languages: OfferedLanguages
    columns: dict[str, str] = {}
    """Names of fields, and the columns (or ways of keys) that hold them."""


class TaskSources(Record):
    """Where the rows come from; the config's task_source chooses one."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    embedded: EmbeddedRows | None = None
    local: LocalRows | None = None
    hub: HubRows | None = None

    def model_post_init(self, _: object) -> None:
        """Refuse a task without any source."""
        if not self.model_fields_set:
            raise ValueError("write at least one of embedded, local and hub")


class Repair(Record):
    """A field that is wrong in some languages, mended from languages that have it right."""

    field: str
    by: str
    """The field over which items are parallel."""
    from_: Annotated[list[str], Field(min_length=1, alias="from", description="codes of the languages that vote")]


class TaskSize(Record):
    """What a prompt without demonstrations has, and test rows per language, for the forecast alone."""

    items: Annotated[
        Count | Annotated[dict[str, Count], Field(min_length=1)],
        Field(description="a number, or one by language as in {eng_Latn: 500}"),
    ]
    bytes: Count
    """UTF-8."""


class PromptSpec(Record):
    """What decides a task's prompts and gold answers; its metrics do not."""

    item: str
    """Expression over a row: the item's id, the same in all languages of a parallel set."""
    prompt: str
    """Jinja template over a row and the words of a language."""
    targets: str
    """Expression over a row: the gold answer, or a list of them."""
    choices: Choices = {}
    """Labels, and the ways in which each may be written."""
    fields: Annotated[list[str], Field(min_length=1)]
    """Fields that every row must have."""
    repair: Repair | None = None
    max_new_tokens: Count
    """New tokens that an answer may have."""


class TaskSettings(Record):
    """How a task is asked in a study."""

    shots: CountOrZero
    """Demonstrations before each prompt."""
    answers: list[AnswerMode]
    """generate (the completion is parsed), rank (the likeliest choice counts), or both."""


class TaskMetrics(Record):
    """What is measured of a task."""

    metrics: list[str]
    headline: str
    """The metric of leaderboards and questions."""
    chance: float | None
    """The score of guessing; None where there is no such."""
    languages: list[str]
    """Codes of the study's languages that the task offers."""


class Clustering(Record):
    """What tells which items stand on the same text."""

    item: str
    cluster: str


class Task(Record):
    """A benchmark."""

    model_config = ConfigDict(title="a benchmark")

    item: str
    """Expression over a row: the item's id, the same in all languages of a parallel set."""
    prompt: str
    """Jinja template over a row and the words of a language."""
    targets: str
    """Expression over a row: the gold answer, or a list of them."""
    choices: Choices = {}
    """Labels, and the ways in which each may be written."""
    fields: Annotated[list[str], Field(min_length=1)]
    """Fields that every row must have."""
    repair: Repair | None = None
    """A field that is wrong in some languages, mended from languages that have it right."""
    passage: str = ""
    """A field whose text no dataset may hold."""
    size: TaskSize | None = None
    """For the forecast alone."""
    cluster: str = ""
    """A field whose text several items share, so that their errors are not independent."""
    metrics: Annotated[list[str], Field(min_length=1)]
    """Names of maple/metrics/registry.py."""
    headline: str
    """The one of them that leaderboards and questions take."""
    chance: Share | None = None
    """The score of guessing."""
    max_new_tokens: Count
    """New tokens that an answer may have."""
    sources: TaskSources

    def prompt_spec(self, max_new_tokens: int | None = None) -> PromptSpec:
        """Return what decides prompts and gold answers, with the study's own limit of new tokens if it has one."""
        spec = {key: value for key, value in self.params().items() if key in PromptSpec.model_fields}
        return PromptSpec.model_validate(spec | {"max_new_tokens": max_new_tokens or self.max_new_tokens})

    @property
    def clustering(self) -> Clustering | None:
        """What tells which items stand on the same text; None where each stands on its own."""
        return Clustering(item=self.item, cluster=self.cluster) if self.cluster else None
