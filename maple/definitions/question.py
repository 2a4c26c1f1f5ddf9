"""A question to a study. One file of config/questions/; docs/questions.md has the formula of each shape."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from maple.definitions.language import ENGLISH
from maple.definitions.record import Distinct, Names, Positive, Record

Words = Annotated[str, Field(min_length=1)]
AxisSetting = int | float | str
Label = Literal["model", "dataset", "method", "family"]
Factor = Literal["model", "dataset", "method"]
Claim = Literal["above", "below"]
Resource = Literal["low-resource", "high-resource"]
Learnt = Literal["learnt", "unlearnt"]
Relation = Literal["same", "other"]
Cost = Literal[
    "step_seconds",
    "job_seconds",
    "gpu_hours",
    "peak_memory_gib",
    "trainable_parameters",
    "saved_bytes",
    "energy_joules",
]
Labels = Annotated[list[Label], Field(min_length=1, json_schema_extra={"uniqueItems": True}), Distinct]
Factors = Annotated[list[Factor], Field(min_length=2, max_length=2, json_schema_extra={"uniqueItems": True}), Distinct]


class RunSelection(Record):
    """Runs of the grid: those that fit all keys. A key that is left out fits every run."""

    kinds: Names | None = None
    """Kinds of the model, as `encoder`."""
    models: Names | None = None
    """Files of config/models/."""
    datasets: Names | None = None
    """Files of config/datasets/."""
    methods: Names | None = None
    """Files of config/methods/."""
    axes: dict[str, AxisSetting] = {}
    """Values of axes that the runs have, as {connector: tuned}."""


class CellSelection(Record):
    """Cells, task by language, of which the headline metric is compared. A key that is left out fits every cell.

    `domain` and `direction` hold a task against the dataset of each run, and learnt and unlearnt a language, so that
    runs on different datasets are compared on different cells. An untouched model is compared on the cells of the run
    that it is the baseline of. A run whose dataset has no such axis, and a task that states none, have no cells.
    """

    languages: Literal["all"] | Resource | Learnt | Names = "all"
    """all; low-resource or high-resource, as the config's `report:` divides them; learnt or unlearnt: those that the
    dataset of each run has, or lacks; or codes of languages."""
    tasks: Names | None = None
    """Files of config/tasks/."""
    domain: Relation | None = None
    """same: tasks in the domain that the run was finetuned in, its axis `domain`; other: tasks in other domains."""
    direction: Relation | None = None
    """same: tasks of the direction that the run was finetuned on, its axis `direction`; other: of other directions."""


class Reference(Record):
    """The runs of a method that runs of other methods are compared with: same model and dataset."""

    method: str
    """A file of config/methods/."""
    axes: dict[str, AxisSetting] = {}
    """Values of the method's axes. Left out: where the method has several variants, the one with the run's values."""


Baseline = Literal["untouched", "blind"] | Reference


class QuestionBase(Record):
    """The keys that all questions have."""

    parts_claim: ClassVar[bool] = True
    """Is each part of the answer a claim of its own?"""

    asks: Words
    """The question in words."""
    unit: Words
    """What an effect of 1 means."""
    runs: RunSelection = RunSelection()
    """The runs that are asked; left out: all."""
    cells: CellSelection = CellSelection()
    """The cells that are compared; left out: all."""


class ClaimingQuestion(QuestionBase):
    """The keys of questions that claim an effect above or below zero."""

    claim: Claim = "above"
    """The side of zero on which the question claims the effect to be."""


class SlopeQuestion(ClaimingQuestion):
    """How much does the score change over an axis of the grid?"""

    model_config = ConfigDict(title="shape: slope")

    shape: Literal["slope"]
    axis: str
    """An axis with numbers, as rank; runs that differ only in it are a curve."""
    per: Literal["doubling", "unit"] = "doubling"
    """doubling: the slope over the logarithm to base 2 of the axis; unit: over the axis itself."""
    by: Labels = ["model", "dataset"]
    """What the parts of the answer are divided by."""


class ChangeQuestion(ClaimingQuestion):
    """How much does the score change against a baseline?"""

    model_config = ConfigDict(title="shape: change")

    shape: Literal["change"]
    baseline: Baseline
    """untouched: the model that nothing was trained on; blind: the run itself, asked without the pictures; or a
    method."""
    by: Labels = ["model", "dataset"]
    """What the parts of the answer are divided by."""
    names_losses: bool = False
    """Are the runs named that lost more than the config's `report.english_bound`? For a question about English."""

    def model_post_init(self, _: object) -> None:
        """Refuse a bound on English in a question about other languages."""
        if self.names_losses and self.cells.languages != [ENGLISH]:
            raise ValueError(f"names_losses: the bound is one on English; write cells: {{languages: [{ENGLISH}]}}")


class GroupDifferenceQuestion(ClaimingQuestion):
    """How much more do low-resource languages change against a baseline than high-resource ones?"""

    model_config = ConfigDict(title="shape: group_difference")

    shape: Literal["group_difference"]
    baseline: Baseline
    """untouched: the model that nothing was trained on; blind: the run itself, asked without the pictures; or a
    method."""
    by: Labels = ["model", "dataset"]
    """What the parts of the answer are divided by."""


class FactorQuestion(ClaimingQuestion):
    """Which of two factors moves the score more?"""

    model_config = ConfigDict(title="shape: factor")
    parts_claim: ClassVar[bool] = False

    shape: Literal["factor"]
    factors: Factors
    """The two factors. The effect is the mean size of the differences in the first less that in the second."""


class DifferenceQuestion(ClaimingQuestion):
    """How much do two groups of runs differ, as those of monolingual and of multilingual models?"""

    model_config = ConfigDict(title="shape: difference")

    shape: Literal["difference"]
    first: RunSelection
    """The group whose mean score counts with plus."""
    second: RunSelection
    """The group whose mean score counts with minus."""
    same: Annotated[
        list[Label],
        Field(min_length=1, json_schema_extra={"uniqueItems": True}),
        Distinct,
    ] = ["dataset", "method"]
    """What the runs have in common that are compared; all else may differ between the groups. With family, the method
    without its axes, they have all axes in common but those that `first` and `second` select by."""


class MarginQuestion(QuestionBase):
    """Is the score not worse than a baseline's by more than a margin, or within it on both sides?"""

    model_config = ConfigDict(title="shape: margin")

    shape: Literal["margin"]
    baseline: Baseline
    """untouched: the model that nothing was trained on; blind: the run itself, asked without the pictures; or a
    method."""
    margin: Positive
    """The margin, in points."""
    test: Literal["non-inferiority", "equivalence"] = "non-inferiority"
    """non-inferiority: not worse by the margin or more; equivalence: nor better."""
    by: Labels = ["method"]
    """What the parts of the answer are divided by."""


class RankingQuestion(QuestionBase):
    """In which order do methods, models, datasets or values of an axis stand, and which cannot be told apart?"""

    model_config = ConfigDict(title="shape: ranking")

    shape: Literal["ranking"]
    of: Label | str
    """What is ranked: model, dataset, method, family, which is the method without its axes, or an axis, as location.
    Each is averaged over the settings that all have."""


class SpreadQuestion(QuestionBase):
    """How far do the scores of a method lie apart between seeds?"""

    model_config = ConfigDict(title="shape: spread")

    shape: Literal["spread"]
    of: Literal["method", "family"] = "method"
    """What has a spread each; family is the method without its axes."""
    baseline: Reference | None = None
    """The method that the others are compared with; left out: they are not compared."""


class CostQuestion(QuestionBase):
    """What does a method cost against another one, where the score is not worse by more than a margin?"""

    model_config = ConfigDict(title="shape: cost")

    shape: Literal["cost"]
    cost: Cost
    """A cost of the finetuning. step_seconds: seconds of the optimizer steps alone; job_seconds: of the whole job."""
    baseline: Reference
    """The method that the others are compared with."""
    margin: Positive
    """Points by which the score may be worse; beyond it a cost says nothing."""


Question = Annotated[
    SlopeQuestion
    | ChangeQuestion
    | GroupDifferenceQuestion
    | FactorQuestion
    | DifferenceQuestion
    | MarginQuestion
    | RankingQuestion
    | SpreadQuestion
    | CostQuestion,
    Field(discriminator="shape", title="a question to a study"),
]


def questions_of(params: Mapping[str, Mapping]) -> dict[str, Question]:
    """Return questions, by name, from the plain values in which they cross the params of a rule."""
    return TypeAdapter(dict[str, Question]).validate_python(params)
