"""Effects: what a contrast of runs estimates, with its interval; also by task, and on scores without the format."""

from collections.abc import Callable
from typing import Literal

from pydantic import Field

from maple.analysis.questions.repeats import Repeats
from maple.analysis.training_noise import Scope
from maple.definitions.record import Number, Record

Verdict = Literal["supported", "contradicted", "no difference that matters", "undetermined"]


class Change(Record):
    """The change of a group of languages, in points, with its interval."""

    effect: float
    """The change."""
    low: float | None
    """Lower bound of its interval; None with too few items, as the upper one."""
    high: float | None
    """Upper bound of its interval."""


class Side(Change):
    """The change of one of two groups of languages that are compared."""

    se: float | None
    """Standard error; None with too few items, as the two next fields."""
    se_trainings: float | None = None
    """As in Effect."""
    df: float | None
    """Degrees of freedom of the standard error."""


class Effect(Record):
    """An estimated effect, in the unit of its question."""

    effect: float
    """The effect."""
    low: float | None
    """Lower bound of its interval; None with too few items, as the five next fields."""
    high: float | None
    """Upper bound of its interval."""
    se: float | None
    """Standard error."""
    se_trainings: float | None = None
    """The part of it that is noise of training, 0 if the interval holds none; se squared less its square is what items
    make of it."""
    df: float | None
    """Degrees of freedom of the standard error."""
    p: float | None
    """Uncorrected p of an effect of at most the smallest of interest; with a margin, the one-sided p against that."""
    of: Scope = "items"
    """What the interval holds. items: other items; trainings: also other trainings, without what those of one seed
    share; seeds: also other seeds."""
    low_resource: Side | None = None
    """The change of low-resource languages; of the shape group_difference alone."""
    high_resource: Side | None = None
    """The change of high-resource languages; of the shape group_difference alone."""
    repeats: Callable[[], Repeats] | None = Field(default=None, exclude=True, repr=False)
    """Draws repeated studies, for the minimum detectable effect; it is no part of questions.json."""

    @property
    def change(self) -> Change:
        """The effect and its interval alone."""
        return Change(effect=self.effect, low=self.low, high=self.high)

    @property
    def side(self) -> Side:
        """The effect as the change of one of two groups."""
        return Side(
            effect=self.effect, low=self.low, high=self.high, se=self.se, se_trainings=self.se_trainings, df=self.df
        )


class Margin(Record):
    """The margin that an effect is tested against."""

    points: Number
    """The margin, in points."""
    test: Literal["non-inferiority", "equivalence"]
    """non-inferiority: the effect is above minus the margin; equivalence: it is also below the margin."""
    confidence: Number
    """Of the interval that belongs to one-sided tests at 1 - the study's confidence: 2 * that confidence - 1."""


class TaskEffect(Record):
    """The effect on the cells of one task alone, uncorrected."""

    task: str
    """The task."""
    cells: int
    """The number of its cells: languages."""
    effect: float
    """The effect."""
    low: float | None
    """Lower bound of its interval; None with too few items, as the three next fields."""
    high: float | None
    """Upper bound of its interval."""
    se: float | None
    """Standard error."""
    df: float | None
    """Degrees of freedom of the standard error."""
    of: Scope
    """As in Effect."""


class WithoutFormat(Record):
    """The same effect on scores that do not depend on how many answers can be parsed."""

    unparsed: dict[str, float]
    """Share of the compared answers that could not be parsed, by side: runs, baselines, or the two groups."""
    scores: Literal["ranked", "right if parsed", "both"] | None
    """ranked: of the choices that were ranked first; right if parsed: means of the parsed answers alone; both: the one
    in some tasks, the other in the rest. None if there are no such scores in any cell, as the six next fields."""
    effect: float | None = None
    """The effect, in the unit of the question."""
    low: float | None = None
    """Lower bound of its interval."""
    high: float | None = None
    """Upper bound of its interval."""
    p_holm: float | None = None
    """p corrected by Holm over all answers on such scores, which are a family of their own."""
    of: Scope | None = None
    """As in Effect."""
    verdict: Verdict | None = None
    """The verdict by the same rule."""
    left_out: dict[str, list[str]]
    """Cells that are compared but have no such score in every run, as where a base parsed hardly anything: the
    languages, by task."""
