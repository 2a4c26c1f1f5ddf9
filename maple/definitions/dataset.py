"""A dataset: the instruction set that is finetuned on, by a recipe. One file of config/datasets/."""

from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from maple.definitions.record import Commit, Count, CountOrZero, Names, Number, Record, Share
from maple.definitions.teacher import EndpointSettings, LocalTeacherSettings, TranslatorSettings

Teacher = Literal["embedded", "openai", "vllm", "transformers"]
WordRange = Annotated[list[CountOrZero], Field(min_length=2, max_length=2)]
ShareByLanguage = Annotated[
    Share | dict[str, Share] | None,
    Field(description="null, a number from 0 to 1, or one by language as in {default: 0.5, kor_Hang: 0.3}"),
]
StatedLanguages = Annotated[
    Literal["all"] | Annotated[list[str], Field(min_length=1)],
    Field(description="all, or a list of codes as in [eng_Latn, swh_Latn]"),
]


class Novelty(Record):
    """An example must differ from every one that is kept before it."""

    fields: Annotated[list[Literal["instruction", "input", "output"]], Field(min_length=1)]
    """Compared together."""
    below: Share
    """ROUGE-L with each of them."""


class Decontamination(Record):
    """Test rows that no example may overlap with."""

    tasks: Names
    """Files of config/tasks/."""
    words: Annotated[int, Field(ge=8)]
    """Length of the n-gram that counts as contamination (GPT-3: 13)."""


class CurationLimits(Record):
    """What an example must be like to be kept; null, or left out: no such limit."""

    compression_ratio: Annotated[Number, Field(gt=1)] | None = None
    """Most bytes of a text per byte of its zlib compression."""
    instruction_words: WordRange | None = None
    """[fewest, most]; characters in scripts without spaces."""
    script_share: Share | None = None
    """Least share of letters that are of the language's script."""
    language: bool | None = None
    """True drops text that another language's model finds likelier."""
    instruction_input_rouge_l: ShareByLanguage = None
    """Most ROUGE-L between instruction and input."""
    echo_rouge_l: Share | None = None
    """Most ROUGE-L between instruction and output."""
    refusals: bool | None = None
    """True drops outputs that begin as config/refusals.yaml says."""
    unservable: bool | None = None
    """True drops instructions with words of config/unservable.yaml."""
    decontaminate: Decontamination | None = None
    """Drop examples that share an n-gram with a test row."""
    novelty: Novelty | None = None

    def model_post_init(self, _: object) -> None:
        """Refuse limits by language without a default."""
        if isinstance(self.instruction_input_rouge_l, dict) and "default" not in self.instruction_input_rouge_l:
            raise ValueError("instruction_input_rouge_l: write a default beside the languages")

    @property
    def limits(self) -> dict:
        """The limits of single languages.

        What names test sets is none of them: recipes curate between their rounds, and a new test set must make no
        round anew.
        """
        return {key: value for key, value in self.params().items() if key != "decontaminate"}


class MixSettings(Record):
    """How a dataset's languages are mixed."""

    rows: Count | None
    """Rows of the mixture; null: all."""
    alpha: Share
    """Exponent of sampling: 1 as many as there are, 0 as many of every language."""
    seed: int
    """Of the sampling."""
    held_out: CountOrZero
    """Rows per language that are not learnt from, at most a tenth of it."""


class DatasetSize(Record):
    """What is read per language, for the forecast alone."""

    rows: Count
    bytes: Count
    """UTF-8, per row."""


class DatasetSeeds(Record):
    """The examples of another dataset as seed tasks."""

    dataset: str
    """The dataset whose examples in the language are the demonstrations."""


class Demonstrations(Record):
    """Tasks that stand in each request of self_instruct."""

    seed: CountOrZero
    """From the seed tasks."""
    pool: CountOrZero
    """From what was generated before; while that is empty, seed tasks take its place."""


class SelfInstructSettings(Record):
    """Self-instruct as MultiAlpaca was made: PolyLM's numbers (arXiv 2307.06018, appendix) are the defaults."""

    rounds: Count = 10
    first_round_requests: Count = 10
    requests_per_round: Count = 100
    tasks_per_request: Count = 20
    """The demonstrations count."""
    demonstrations: Demonstrations = Demonstrations(seed=2, pool=1)
    instruction_sentences: Count = 2
    """At most."""
    input_words: Count = 100
    """At most."""
    output_words: Count = 200
    """Fewer than."""
    max_rows: Count | None = None
    """Our addition: as many kept rows end the rounds."""


class TranslateRespondSettings(Record):
    """Translate, then respond, as Bactrian-X was made (arXiv 2305.15011)."""

    instructions: str
    """The dataset whose English examples are translated."""
    max_rows: Count | None = None
    """The first ones; left out: all."""


class LocalFile(Record):
    """JSON lines or Parquet on disk."""

    path: str
    """May name {data}, and code, name, iso639_1 and script of the language."""
    columns: dict[str, str] = {}
    """Names of fields, and the columns that hold them."""


class HubFiles(Record):
    """Parquet or JSON lines in a dataset repository of the Hub."""

    dataset: str
    """The Hub's id."""
    revision: Commit
    files: str
    """A glob in the repository; may name code, name, iso639_1 and script of the language."""
    columns: dict[str, str] = {}
    """Names of fields, and the columns that hold them."""


class LoadSettings(Record):
    """An existing instruction set."""

    max_rows: Count | None = None
    """The first ones; left out: all."""
    leave_out: Names = []
    """Ids of rows that are not wanted."""
    local: LocalFile | None = None
    hub: HubFiles | None = None


class DatasetBase(Record):
    """What all datasets' files may say."""

    size: DatasetSize | None = None
    """For the forecast alone."""
    languages: StatedLanguages = "all"
    """Those that the dataset is made in; all: the study's."""
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


class TaughtDataset(DatasetBase):
    """A dataset that a teacher writes."""

    BLOCKS: ClassVar[tuple[str, ...]] = ("openai", "vllm", "transformers")

    teacher: Teacher
    """Who writes; each but `embedded` has a block of its name."""
    openai: EndpointSettings | None = None
    vllm: LocalTeacherSettings | None = None
    transformers: LocalTeacherSettings | None = None
    seed: int
    """Of requests and sampling."""

    def model_post_init(self, _: object) -> None:
        """Refuse a teacher without its block."""
        if self.teacher in self.BLOCKS and getattr(self, self.teacher) is None:
            raise ValueError(f"'{self.teacher}' is a required property of teacher: {self.teacher}")


class SelfInstructDataset(TaughtDataset):
    """A teacher continues lists of tasks in each language."""

    model_config = ConfigDict(title="recipe: self_instruct", json_schema_extra=_block_of_teacher)

    recipe: Literal["self_instruct"]
    prompt_language: Literal["own", "english"] = "own"
    """own is English where config/self_instruct.yaml has no prompt in the language."""
    seed_tasks: Annotated[
        str | DatasetSeeds,
        Field(
            description="embedded, a path template over the language row to JSON lines, or {dataset: NAME}",
        ),
    ]
    self_instruct: SelfInstructSettings


class TranslateRespondDataset(TaughtDataset):
    """English examples are translated, and answered in each language."""

    model_config = ConfigDict(title="recipe: translate_respond", json_schema_extra=_block_of_teacher)

    recipe: Literal["translate_respond"]
    translator: TranslatorSettings | None = None
    """Who translates in the teacher's place."""
    translate_respond: TranslateRespondSettings


class LoadedDataset(DatasetBase):
    """An existing set is read."""

    model_config = ConfigDict(title="recipe: load")

    recipe: Literal["load"]
    load: LoadSettings


Dataset = Annotated[
    SelfInstructDataset | TranslateRespondDataset | LoadedDataset,
    Field(discriminator="recipe", title="an instruction set to finetune on"),
]
