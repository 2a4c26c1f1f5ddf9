"""What is dropped of a dataset: limits of instruction sets, and of the train rows of tasks."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from maple.definitions.record import CountOrZero, Names, Number, Record, Share

WordRange = Annotated[list[CountOrZero], Field(min_length=2, max_length=2)]
ShareByLanguage = Annotated[
    Share | dict[str, Share] | None,
    Field(description="null, a number from 0 to 1, or one by language as in {default: 0.5, kor_Hang: 0.3}"),
]


class Novelty(Record):
    """An example must differ from every example that was kept before it."""

    fields: Annotated[list[Literal["instruction", "input", "output"]], Field(min_length=1)]
    """The fields that are compared, joined to one text."""
    below: Share
    """ROUGE-L with each earlier example must be below this."""


class Decontamination(Record):
    """Test rows that no example may overlap with."""

    tasks: Names
    """Files of config/tasks/."""
    words: Annotated[int, Field(ge=8)]
    """Length of the n-gram that counts as contamination (GPT-3: 13)."""


class CurationLimits(Record):
    """Limits that an example must keep; an example beyond one of them is dropped. null, or left out: no such limit."""

    compression_ratio: Annotated[Number, Field(gt=1)] | None = None
    """Maximum bytes of a text per byte of its zlib compression; endless repetition has a high ratio."""
    instruction_words: WordRange | None = None
    """[minimum, maximum] of words, which are those of ROUGE."""
    script_share: Share | None = None
    """Minimum share of letters that belong to the language's script."""
    language: bool | None = None
    """True drops text whose prose is clearly in another language, or has a part in English, as far as the language
    identifier knows."""
    instruction_input_rouge_l: ShareByLanguage = None
    """Maximum ROUGE-L between instruction and input."""
    echo_rouge_l: Share | None = None
    """Maximum ROUGE-L between instruction and output; an echo of the instruction has a high one, but an output with a
    word of its own, or one that answers a question in a whole sentence, is none."""
    refusals: bool | None = None
    """True drops outputs that begin with a phrase of config/refusals.yaml."""
    unservable: bool | None = None
    """True drops instructions that contain words of config/unservable.yaml."""
    keep_thinking: bool | None = None
    """True leaves the thinking of reasoning models in outputs, to be learnt; otherwise it is cut, and an output that is
    nothing else is dropped. What a teacher thinks is never an output."""
    decontaminate: Decontamination | None = None
    """Drop examples that share an n-gram with a test row."""
    novelty: Novelty | None = None
    """Drop examples that are like an earlier one."""

    def model_post_init(self, _: object) -> None:
        """Refuse limits by language without a default."""
        if isinstance(self.instruction_input_rouge_l, dict) and "default" not in self.instruction_input_rouge_l:
            raise ValueError("instruction_input_rouge_l: write a default beside the languages")

    @property
    def limits(self) -> dict:
        """The limits without `decontaminate`.

        Recipes curate between their rounds with these limits alone, so that with another test set no round is
        synthesized again.
        """
        return {key: value for key, value in self.params().items() if key != "decontaminate"}


class LabelledCuration(Record):
    """Which labelled rows are dropped besides those that are a test row of the task, repeat a text or contradict it."""

    near: Annotated[Share, Field(gt=0)] | None = 0.8
    """ROUGE-L with a test row of the task from which a row counts as that test row, in texts of 8 words and more; null:
    only the same text does."""
    decontaminate: Decontamination | None = None
    """Drop rows that share an n-gram with a test row of other tasks, or are a sentence of it."""


class ParallelCuration(Record):
    """Which pairs are dropped besides those with an empty side, with the same text on both sides, and repeated ones."""

    length_ratio: Annotated[Number, Field(gt=1)] | None = None
    """Maximum characters of the longer side per character of the shorter one; null: no such limit."""
    script_share: Share | None = None
    """Minimum share of letters of each side that belong to its language's script; null: no such limit."""
    language: bool | None = None
    """True drops pairs of which a side is clearly in another language than its own, as far as the language identifier
    knows."""
    overlap: Literal["drop", "refuse"] = "drop"
    """Pairs of which a side is that of a test row, of any translation task of the study: drop and count them, or end
    with the number of them."""
    near: Annotated[Share, Field(gt=0)] | None = 0.8
    """ROUGE-L with a side of a test row from which a side counts as it, in texts of 8 words and more; null: only the
    same text does."""
    decontaminate: Decontamination | None = None
    """Drop pairs that share an n-gram with a test row of other tasks, or are a sentence of it, as those of Belebele's
    passages are."""


class PictureCuration(Record):
    """Which rows with pictures are dropped besides those with a picture of a test row, and repeated ones."""

    # The same question stands on many pictures, so that a text that a test row has, too, is no reason to drop a row.
    decontaminate: ClassVar[None] = None

    near: bool = True
    """True drops rows also if a picture of theirs looks like one of a test row; false: only if it is the same file.
    Drawings of the embedded world are alike, so of them only the same file counts."""
