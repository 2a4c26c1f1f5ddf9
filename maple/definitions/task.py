"""A benchmark: prompt, gold answers, metrics and sources of its rows. One file of config/tasks/."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self, TypeVar

from pydantic import ConfigDict, Field

from maple.definitions.layout import Layout
from maple.definitions.record import Commit, Count, CountOrZero, Record, Share
from maple.definitions.rows import HubOfLanguage, LocalOfLanguage, RowSelection

OfferedLanguages = Annotated[
    Literal["all"] | Annotated[list[str], Field(min_length=1)] | Annotated[dict[str, str], Field(min_length=1)],
    Field(description="all, a list of codes, or {code: the set's own name of the language}, used as {key} in paths"),
]
# Words of prompts in one language, by column of the language table; `english` stands for those of English where the
# table has none.
TaskWords = Annotated[
    Literal["english"] | Annotated[dict[str, Annotated[str, Field(min_length=1)]], Field(min_length=1)],
    Field(description="words by name as in {true: Kweli}, or english: those of English where the table has none"),
]
# In the place of a code under `words`: all languages that have no entry of their own.
ALL_LANGUAGES = "all"
Choices = dict[str, Annotated[list[str], Field(min_length=1)]]
# In a pair of languages: the language of the rows.
OWN = "own"
AnswerMode = Literal["generate", "rank", "classify", "blind"]
# The answer modes of a text that is generated; of `blind`, each picture of the prompt is a grey one of the same size.
GENERATED: frozenset[str] = frozenset({"generate", "blind"})
# The answer modes of a run, by task that it is asked.
AnswersByTask = Mapping[str, Sequence[AnswerMode]]


class Splits(Record):
    """The set's own names of its splits."""

    test: str
    """Split of the test rows."""
    dev: str = ""
    """Split from which demonstrations are sampled; empty if there is none."""
    train: str = ""
    """Split of the rows that datasets of the recipes `task`, `parallel` and `pictures` consist of; empty if there is
    none."""


class EmbeddedRows(Record):
    """Rows of the embedded world, made when they are read."""

    languages: OfferedLanguages


_Published = TypeVar("_Published", "LocalRows", "HubRows")


def _of_language(source: _Published, code: str) -> _Published:
    if code not in source.by_language:
        return source
    return source.changed(**source.by_language[code].params(), by_language={})


class LocalRows(RowSelection):
    """A file of rows on disk; docs/extending.md says in which forms."""

    path: str
    """Path; may contain {data}, {split}, {key}, and {code}, {name}, {iso639_1}, {script} of a language."""
    target_path: str = ""
    """Of a translation in two files of plain text: the path of the target texts, while `path` is that of the source
    texts; a line of one is the translation of the same line of the other. Left out: `path` has rows with both."""
    languages: OfferedLanguages
    splits: Splits = Splits(test="test", dev="dev")
    without_dev: list[str] = []
    """Codes of languages without rows for demonstrations: their prompts have none, whatever `shots` asks."""
    by_language: dict[str, LocalOfLanguage] = {}
    """By code: what is different in a language, as its file or its columns."""
    pictures: str = ""
    """Of a task with pictures: the folder in which rows name them by paths; may contain what `path` may. Left out: the
    rows are Parquet that has the pictures in a column."""

    def model_post_init(self, _: object) -> None:
        """Refuse names of columns for files of plain text."""
        if self.target_path and self.columns:
            raise ValueError("the lines of two files of plain text have no `columns`; leave them out, or target_path")

    def in_language(self, code: str) -> Self:
        """Return the source of one language."""
        return _of_language(self, code)


class HubRows(RowSelection):
    """Files of rows in a dataset repository of the Hub."""

    dataset: str
    """The Hub's id."""
    revision: Commit
    files: str
    """A glob in the repository; may contain {split}, {key}, and {code}, {name}, {iso639_1}, {script} of a language."""
    splits: Splits
    without_dev: list[str] = []
    """Codes of languages without rows for demonstrations: their prompts have none, whatever `shots` asks."""
    languages: OfferedLanguages
    by_language: dict[str, HubOfLanguage] = {}
    """By code: what is different in a language, as its repository or its columns."""

    def in_language(self, code: str) -> Self:
        """Return the source of one language."""
        return _of_language(self, code)


class TaskSources(Record):
    """Sources of the rows; the config's task_source chooses one."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    embedded: EmbeddedRows | None = None
    local: LocalRows | None = None
    hub: HubRows | None = None

    def model_post_init(self, _: object) -> None:
        """Refuse a task without any source."""
        if not self.model_fields_set:
            raise ValueError("write at least one of embedded, local and hub")


class Repair(Record):
    """A field that is wrong in some languages, repaired from languages in which it is right."""

    field: str
    """The field to repair."""
    by: str
    """The field that is the same for parallel items of all languages."""
    from_: Annotated[list[str], Field(min_length=1, alias="from", description="codes of the languages that vote")]


class TaskSize(Record):
    """Number of test rows and size of a prompt, for the forecast only."""

    items: Annotated[
        Count | Annotated[dict[str, Count], Field(min_length=1)],
        Field(description="a number, or one by language as in {eng_Latn: 500}"),
    ]
    bytes: Count
    """Mean bytes of a prompt without demonstrations, in UTF-8."""


class Pair(Record):
    """The two languages of a translation: that of the rows, and another one, the same for all rows."""

    source: str
    """Language to translate from: `own`, that of the rows, or a code, as eng_Latn."""
    target: str
    """Language to translate into: `own`, that of the rows, or a code, as eng_Latn."""

    def model_post_init(self, _: object) -> None:
        """Refuse a pair in which not exactly one language is that of the rows."""
        if (self.source == OWN) == (self.target == OWN):
            raise ValueError(f"one of source and target is `{OWN}`, the language of the rows, and the other a code")

    @property
    def direction(self) -> str:
        """The name of the direction, as eng_Latn-own; a value of the axis `direction`."""
        return f"{self.source}-{self.target}"

    def languages(self, code: str) -> tuple[str, str]:
        """Return the codes of the source and the target language of rows in a language."""
        return code if self.source == OWN else self.source, code if self.target == OWN else self.target


EntityType = Annotated[str, Field(pattern=r"^\w+$", description="a word, as PER")]
# The column of prompts with the texts that end a completion; prompts of tasks without such texts lack it.
STOP = "stop"
Written = Annotated[str, Field(min_length=1)]


class AnswerSpec(Record):
    """How a task's answers are written and read; what is left out is as for tasks without this block."""

    read: Literal["line", "label", "number", "spans"] = "line"
    """What is read of the text: its first line, which of a task with choices must be a label, or with `multi` a list of
    labels; of a task with choices, the label in its last line, behind a chain of thought; its last number; or a list of
    named entities, as in `PER: Amina Mohammed; LOC: Lagos`, whose gold answers are all of them."""
    types: list[EntityType] = []
    """Of named entities: their types, as [PER, ORG, LOC, DATE]; case does not matter in an answer."""
    none: list[Written] = []
    """Of lists: forms of an answer that names nothing, beside a dash, which is one in every language, as [none, keine];
    the first one is shown in demonstrations."""
    after: list[Written] = []
    """Cues, as [The answer is, উত্তর]: what stands behind the last of them is read alone, and a text without any has no
    answer. Left out: the whole text is read."""
    json_key: Annotated[str, Field(alias="json", min_length=1)] = ""
    """A key, as answer: its value in the last JSON object of the text that has it is read alone."""
    stop: list[Written] = []
    """Texts that end a completion, as ["\\n\\n", "Question:"]; what begins with one is no part of the answer. Endpoints
    take at most four."""
    demonstration: str = ""
    """Jinja template over a row, as that of the prompt: the answer of a demonstration, and of a training example, with
    its chain of thought. Left out: the gold label's first form, or the first gold answer."""

    def model_post_init(self, _: object) -> None:
        """Refuse two places of an answer."""
        if self.after and self.json_key:
            raise ValueError("`after` and `json` both say where the answer stands; keep one")
        if (self.read == "spans") != bool(self.types):
            raise ValueError("`read: spans` and `types` go together: write both, or neither")

    @property
    def asked(self) -> dict:
        """The part of `params` that decides prompts and completions; the rest is of scores alone."""
        keys = ("stop", "demonstration", "none", *(("read", "types") if self.types else ()))
        return {key: value for key, value in self.params().items() if key in keys}

    @property
    def reading(self) -> dict:
        """The part of `params` that decides how a completion is read."""
        return {key: value for key, value in self.params().items() if key != "demonstration"}


class Reading(AnswerSpec):
    """How a completion is read."""

    multi: bool = False
    """True if it names a set of labels."""


class PromptSpec(Record):
    """The part of a task that decides its prompts and gold answers: a change of metrics renders nothing again."""

    item: str
    """Expression over a row: the item's id, the same in all languages of a parallel set."""
    parallel: bool = True
    """False if equal ids do not make items of two languages translations of each other, as in a set whose languages
    were collected each by itself: then samples, demonstrations and clusters are drawn by language, and the code of the
    language stands before the id."""
    prompt: str
    """Jinja template over a row and the words of a language."""
    targets: str
    """Expression over a row: the gold answer, or a list of them."""
    choices: Choices = {}
    """Labels, and the forms in which each may be written. Their order is that of the log-likelihoods of an answer."""
    choice_prompts: dict[str, str] = {}
    """Of a task whose choices differ in what stands before one and the same text: for each of `choices` a Jinja
    template, as that of the prompt, after which the choice's first form is ranked. `prompt` is then shown on pages and
    asked nowhere."""
    layout: Layout | None = None
    """How prompts are laid out. Left out: in the frame of the model."""
    multi: bool = False
    """True if a row may have several gold labels, or none: `targets` is their list, and an answer names a set of them.
    Such a task is generated, neither ranked nor classified."""
    texts: Annotated[list[str], Field(max_length=2)] = []
    """Jinja templates over a row, one or two: the texts that an encoder reads, which needs no instructions."""
    pair: Pair | None = None
    """The languages of a translation; left out: the task is none. `texts` then has the source alone."""
    pictures: Annotated[list[str], Field(max_length=2)] = []
    """Expressions over a row, one or two: its pictures, as the field that has a path in the source's folder of
    pictures, or the column of Parquet that has the picture. Only models that see are asked such a task."""
    fields: Annotated[list[str], Field(min_length=1)]
    """Fields that every row must have."""
    repair: Repair | None = None
    """A field that is wrong in some languages, repaired from languages in which it is right."""
    max_faulty: Share = 0.1
    """Largest share of rows that may become no prompt, as one without a gold answer; more fail the task."""
    max_new_tokens: Count
    """New tokens that an answer may have; more, if the longest label takes more of the model's tokens."""
    answer: AnswerSpec = AnswerSpec()
    """How answers are written and read."""


class TaskSettings(Record):
    """A study's settings of a task."""

    shots: CountOrZero
    """Few-shot demonstrations before each prompt."""
    items: Count | None = None
    """Items per language; None: all."""
    cluster: str = ""
    """Expression over a row: what several items share, which are sampled together. "" if each is sampled by itself."""
    share: Share = 1.0
    """The share of these items that is asked at the present look."""


class TaskMetrics(Record):
    """The metrics of a task in a study."""

    metrics: list[str]
    """Names of maple/metrics/registry.py."""
    headline: str
    """The metric of leaderboards and questions."""
    chance: float | None
    """The score of random guessing; None for tasks without choices."""
    languages: list[str]
    """Codes of the study's languages that the task offers."""
    lower_is_better: list[str] = []
    """Those of its metrics that are better when lower, as an error of calibration; never the headline."""
    domain: str = ""
    """The task's domain; empty if it states none."""
    direction: str = ""
    """The direction of a translation, as eng_Latn-own; empty if the task is none."""

    def model_post_init(self, _: object) -> None:
        """Refuse a headline that is better when lower: in means over tasks and in the questions more is better."""
        if self.headline in self.lower_is_better:
            raise ValueError(f"headline {self.headline!r} is better when lower; write a metric of which more is better")


class Clustering(Record):
    """How items that share a text are found."""

    item: str
    """Expression over a row: the item's id."""
    cluster: str
    """Expression over a row: what items share."""
    parallel: bool = True
    """As in PromptSpec."""


class Task(PromptSpec):
    """A benchmark."""

    model_config = ConfigDict(title="a benchmark")

    domain: str = ""
    """Name of what its test rows are about or where they are from, as news; the axis `domain` of datasets has the same
    names."""
    answer_language: str = ""
    """Code of the language in which all rows are answered, as eng_Latn where questions of all languages have English
    answers: its rules score the answers. Left out: the language of the rows, or the target of `pair`."""
    passage: str = ""
    """A field whose text no dataset may contain."""
    size: TaskSize | None = None
    """Size of the benchmark, for the forecast only."""
    cluster: str = ""
    """Expression over a row: what several items share, so that their errors are not independent. A field, as the
    passage `context` or the article `title`, or the article where rows have one: `title | default(context)`."""
    metrics: Annotated[list[str], Field(min_length=1)]
    """Names of maple/metrics/registry.py."""
    headline: str
    """The metric of leaderboards and questions, one of `metrics`."""
    chance: Share | None = None
    """The score of random guessing."""
    words: dict[str, TaskWords] = {}
    """Words of the task's own by language, in the place of those of config/languages.tsv or beside them, as in
    {swh_Latn: {positive: Chanya}}; under `all` for languages that have no entry, as {all: english}."""
    sources: TaskSources

    def model_post_init(self, _: object) -> None:
        """Refuse an answer that is read as what the task does not have."""
        read = self.answer.read
        if self.multi and (not self.choices or self.choice_prompts or read == "label"):
            raise ValueError("`multi` is for a task with `choices`, whose labels stand in one line: answer.read: line")
        if self.answer.none and not (self.multi or read == "spans"):
            raise ValueError("answer.none is for a list of labels (`multi`) or of entities (answer.read: spans)")
        if read == "label" and not self.choices:
            raise ValueError("answer.read: label is for a task with `choices`; write line, number or spans")
        if read in ("number", "spans") and self.choices:
            raise ValueError(f"answer.read: {read} is for a task without `choices`; write line or label")
        self._check_layout()

    def _check_layout(self) -> None:
        if self.choice_prompts and list(self.choice_prompts) != list(self.choices):
            raise ValueError(
                f"choice_prompts: write one for each of `choices`, in their order: {', '.join(self.choices)}"
            )
        if self.choice_prompts and not self.layout:
            raise ValueError(
                "choice_prompts: a choice goes on where its prompt ends, and the frame of a model would part them; "
                "write `layout: {frame: none}`"
            )
        if self.layout and self.pictures:
            raise ValueError("layout: a picture has its place in the frame of a model; leave out layout, or pictures")

    def prompt_spec(self, max_new_tokens: int | None = None) -> PromptSpec:
        """Return the part that decides prompts and gold answers; `max_new_tokens` replaces the task's limit."""
        spec = {key: value for key, value in self.params().items() if key in PromptSpec.model_fields}
        spec.pop("answer", None)
        if asked := self.answer.asked:
            spec["answer"] = asked
        return PromptSpec.model_validate(spec | {"max_new_tokens": max_new_tokens or self.max_new_tokens})

    @property
    def gold(self) -> Literal["alternatives", "labels", "entities"]:
        """What the gold answers of a row are (maple.metrics.metric.Gold)."""
        return "labels" if self.multi else "entities" if self.answer.types else "alternatives"

    @property
    def one_label(self) -> bool:
        """True if each row has one gold label."""
        return bool(self.choices) and not self.multi

    @property
    def reading(self) -> dict:
        """The params of its Reading; empty if its completions are read as those of most tasks."""
        return self.answer.reading | ({"multi": True} if self.multi else {})

    @property
    def clustering(self) -> Clustering | None:
        """How items that share a text are found; None if no items share a text."""
        if not self.cluster:
            return None
        stated = {} if self.parallel else {"parallel": False}
        return Clustering(item=self.item, cluster=self.cluster, **stated)
