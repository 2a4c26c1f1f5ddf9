"""A dataset: examples to finetune on, and the recipe that makes them. One file of config/datasets/."""

from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from maple.definitions.curation import CurationLimits, LabelledCuration, ParallelCuration, PictureCuration
from maple.definitions.record import Commit, Count, CountOrZero, Names, Record, Seed, Share
from maple.definitions.rows import RowSelection
from maple.definitions.teacher import BackTranslation, EndpointSettings, LocalTeacherSettings, TranslatorSettings

Teacher = Literal["embedded", "openai", "vllm", "transformers"]
StatedLanguages = Annotated[
    Literal["all"] | Annotated[list[str], Field(min_length=1)],
    Field(description="all, or a list of codes as in [eng_Latn, swh_Latn]"),
]


class MixSettings(Record):
    """How a dataset's languages are mixed into one training set."""

    rows: Count | None
    """Rows of the mixture, over all its languages; null: all."""
    alpha: Share
    """Exponent of language sampling: 1 samples in proportion to the rows, 0 every language equally often."""
    seed: Seed
    """Seed of the sampling."""
    held_out: CountOrZero
    """Held-out rows per language, at most a tenth of its rows."""


class DatasetSize(Record):
    """Size of a dataset that is read, for the forecast only."""

    rows: Count
    """Rows per language."""
    bytes: Count
    """Mean bytes per row, in UTF-8."""


class DatasetSeeds(Record):
    """The examples of another dataset as seed tasks."""

    dataset: str
    """The dataset whose examples, in the same language, are the seed tasks."""


class Demonstrations(Record):
    """Demonstrations in each request of self_instruct."""

    seed: CountOrZero
    """Number of demonstrations from the seed tasks."""
    pool: CountOrZero
    """Number of demonstrations from the tasks generated so far; before there are any, seed tasks take their place."""


class SelfInstructSettings(Record):
    """Self-instruct as for MultiAlpaca; the defaults are PolyLM's numbers (arXiv 2307.06018, appendix)."""

    rounds: Count = 10
    """Rounds of requests; kept tasks of a round can be demonstrations of the next ones."""
    first_round_requests: Count = 10
    """Requests in the first round."""
    requests_per_round: Count = 100
    """Requests in each later round."""
    tasks_per_request: Count = 20
    """Tasks in the list that the teacher completes, demonstrations included."""
    demonstrations: Demonstrations = Demonstrations(seed=2, pool=1)
    instruction_sentences: Count = 2
    """Sentences of an instruction, at most."""
    input_words: Count = 100
    """Words of an input, at most."""
    output_words: Count = 200
    """Words of an output, fewer than this."""
    max_rows: Count | None = None
    """Our addition: the rounds end once so many rows are kept; left out: never."""


class TranslateRespondSettings(Record):
    """Translate, then respond, as for Bactrian-X (arXiv 2305.15011)."""

    instructions: str
    """The dataset whose English examples are translated."""
    max_rows: Count | None = None
    """Number of examples to translate, sampled by their ids; left out: all."""


class LocalFile(RowSelection):
    """A file of rows on disk; docs/extending.md says in which forms."""

    path: str
    """Path; {data} stands for the config's `data`; {code}, {name}, {iso639_1} and {script} for the language's."""


class HubFiles(RowSelection):
    """Files of rows in a dataset repository of the Hub."""

    dataset: str
    """The Hub's id."""
    revision: Commit
    files: str
    """A glob in the repository; {code}, {name}, {iso639_1} and {script} stand for the language's."""


class LoadSettings(Record):
    """An existing instruction set."""

    max_rows: Count | None = None
    """Number of rows to keep, sampled by their ids, which parallel sets share; left out: all."""
    leave_out: Names = []
    """Ids of rows to leave out."""
    local: LocalFile | None = None
    hub: HubFiles | None = None


class TrainingRows(Record):
    """The task whose train rows are the dataset."""

    name: str
    """A file of config/tasks/; the config's task_source says from which of its sources."""
    max_rows: Count | None = None
    """Train rows to keep per language, sampled by their ids, which parallel sets share; null: all. Embedded rows
    have no end and need a number."""


class ParallelTasks(Record):
    """The translation tasks whose train rows are the dataset."""

    tasks: Names
    """Files of config/tasks/ with a `pair` and a `domain`, each with train and test rows in the dataset's languages."""
    max_rows: Count | None = None
    """Train rows to keep per task and language, sampled by their ids, which parallel sets share; null: all. Embedded
    rows need a number."""


class PictureTasks(Record):
    """The tasks with pictures whose train rows are the dataset."""

    tasks: Names
    """Files of config/tasks/ with `pictures`, each with train and test rows in the dataset's languages."""
    max_rows: Count | None = None
    """Train rows to keep per task and language, sampled by their ids, which parallel sets share; null: all. Embedded
    rows need a number."""
    shuffled: bool = False
    """True, a control: each train row gets the pictures of another one of its task and language, by the seed of `mix`,
    so that texts alone teach. Dev rows keep theirs, and the held-out loss shows what is seen."""


Sizes = Annotated[list[Count | None], Field(min_length=1)]
Parts = Annotated[list[str | None], Field(min_length=1)]


class DatasetAxes(Record):
    """Sizes and parts of a dataset; each is a dataset of its own in the grid, as mahasent-250rows."""

    rows: Sizes = [None]
    """Rows of the mixture, over all its languages, a smaller one within a larger one; null: all."""
    domain: Parts = [None]
    """Of recipe `parallel`: the domains of its tasks, as [news, government]; null: all of them together."""
    direction: Parts = [None]
    """Of recipe `parallel`: the directions of its tasks, as [eng_Latn-own]; null: all of them together."""

    def over(self, other: "DatasetAxes") -> "DatasetAxes":
        """Return other axes in which those that are written here replace theirs."""
        return other.changed(**{axis: getattr(self, axis) for axis in self.model_fields_set})


class DatasetBase(Record):
    """The keys that all datasets have."""

    size: DatasetSize | None = None
    """Size of the set, for the forecast only."""
    languages: StatedLanguages = "all"
    """Languages of the dataset; all: those of the study, of a task those that it offers."""


class InstructionDataset(DatasetBase):
    """The keys that all instruction sets have."""

    curate: CurationLimits
    mix: MixSettings


def _block_of_teacher(schema: dict) -> None:
    schema["required"].reverse()  # of several missing keys the message names the first: the recipe's own block
    schema["allOf"] = [
        {
            "if": {"properties": {"teacher": {"const": name}}, "required": ["teacher"]},
            "then": {"title": f"teacher: {name}", "required": [name]},
        }
        for name in ("openai", "vllm", "transformers")
    ]


class TaughtDataset(InstructionDataset):
    """A dataset that a teacher writes."""

    BLOCKS: ClassVar[tuple[str, ...]] = ("openai", "vllm", "transformers")

    teacher: Teacher
    """What writes the examples; openai, vllm and transformers need a block of the same name."""
    openai: EndpointSettings | None = None
    vllm: LocalTeacherSettings | None = None
    transformers: LocalTeacherSettings | None = None
    seed: Seed
    """Seed of the requests and of sampling."""

    def model_post_init(self, _: object) -> None:
        """Refuse a teacher without its block."""
        if self.teacher in self.BLOCKS and getattr(self, self.teacher) is None:
            raise ValueError(f"'{self.teacher}' is a required property of teacher: {self.teacher}")


class SelfInstructDataset(TaughtDataset):
    """A teacher continues lists of tasks in each language."""

    model_config = ConfigDict(title="recipe: self_instruct", json_schema_extra=_block_of_teacher)

    recipe: Literal["self_instruct"]
    prompt_language: Literal["own", "english"] = "own"
    """Language of the teacher's prompt; own is English if config/self_instruct.yaml has no prompt in the language."""
    seed_tasks: Annotated[
        str | DatasetSeeds,
        Field(
            description="embedded; a path of JSON or Parquet, with {code} or {iso639_1} in it; or {dataset: NAME}",
        ),
    ]
    self_instruct: SelfInstructSettings


class TranslateRespondDataset(TaughtDataset):
    """English instructions are translated, and a teacher answers them in each language."""

    model_config = ConfigDict(title="recipe: translate_respond", json_schema_extra=_block_of_teacher)

    recipe: Literal["translate_respond"]
    translator: TranslatorSettings | None = None
    """The model that translates; left out: the teacher does."""
    translate_respond: TranslateRespondSettings


class LoadedDataset(InstructionDataset):
    """An existing instruction set is read."""

    model_config = ConfigDict(title="recipe: load")

    recipe: Literal["load"]
    load: LoadSettings


_ROWS = "mix.rows: write null, since axes.rows says how many rows a mixture has"
_AXES = "axes: only datasets of recipe parallel have domains and directions; write rows alone"


class TaskDataset(DatasetBase):
    """The train rows of a task: its prompts and answers for causal models, its texts and labels for encoders."""

    model_config = ConfigDict(title="recipe: task")

    recipe: Literal["task"]
    task: TrainingRows
    curate: LabelledCuration = LabelledCuration()
    mix: MixSettings
    """Held-out rows are dev rows of the task if it has any, else at most a tenth of a language's train rows."""
    axes: DatasetAxes = DatasetAxes(rows=[None])
    """Sizes; the grid may name others."""

    def model_post_init(self, _: object) -> None:
        """Refuse two places for one number."""
        if self.mix.rows is not None and "axes" in self.model_fields_set:
            raise ValueError(_ROWS)
        if self.axes.model_fields_set - {"rows"}:
            raise ValueError(_AXES)


class ParallelDataset(DatasetBase):
    """The train rows of translation tasks: source and target texts, by domain and direction."""

    model_config = ConfigDict(title="recipe: parallel")

    recipe: Literal["parallel"]
    parallel: ParallelTasks
    back_translate: BackTranslation | None = None
    """Pairs with a real target and a translated source, besides those of `parallel`; null: none."""
    curate: ParallelCuration = ParallelCuration()
    mix: MixSettings
    """Held-out rows are dev rows of the tasks if they have any, else at most a tenth of a language's train rows; a
    back-translated row is never held out."""
    axes: DatasetAxes = DatasetAxes()
    """Sizes, domains and directions; the grid may name others."""

    def model_post_init(self, _: object) -> None:
        """Refuse two places for one number."""
        if self.mix.rows is not None:
            raise ValueError(_ROWS)

    @property
    def tasks(self) -> list[str]:
        """The tasks whose train rows it learns, each once: pairs first, then those that are translated back alone."""
        back = self.back_translate.tasks if self.back_translate else []
        return list(dict.fromkeys([*self.parallel.tasks, *back]))

    @property
    def most_rows(self) -> int | None:
        """The number of train rows per language that it has at most; None if no number limits them."""
        parts = [self.parallel, *([self.back_translate] if self.back_translate else [])]
        limits = [part.max_rows and part.max_rows * len(part.tasks) for part in parts]
        return None if None in limits else sum(filter(None, limits))


class PicturesDataset(DatasetBase):
    """The train rows of tasks with pictures: questions with their pictures, and answers."""

    model_config = ConfigDict(title="recipe: pictures")

    recipe: Literal["pictures"]
    pictures: PictureTasks
    curate: PictureCuration = PictureCuration()
    mix: MixSettings
    """Held-out rows are dev rows of the tasks if they have any, else at most a tenth of a language's train rows."""
    axes: DatasetAxes = DatasetAxes(rows=[None])
    """Sizes; the grid may name others."""

    def model_post_init(self, _: object) -> None:
        """Refuse two places for one number."""
        if self.mix.rows is not None:
            raise ValueError(_ROWS)
        if self.axes.model_fields_set - {"rows"}:
            raise ValueError(_AXES)

    @property
    def most_rows(self) -> int | None:
        """The number of train rows per language that it has at most; None if no number limits them."""
        return self.pictures.max_rows and self.pictures.max_rows * len(self.pictures.tasks)


# The datasets of train rows of tasks.
LearntDataset = TaskDataset | ParallelDataset | PicturesDataset

Dataset = Annotated[
    SelfInstructDataset | TranslateRespondDataset | LoadedDataset | TaskDataset | ParallelDataset | PicturesDataset,
    Field(discriminator="recipe", title="a dataset to finetune on"),
]
