"""What an effect is tested against, and an effect told once more: by task, and on scores without the format."""

from typing import Literal

from maple.analysis.training_noise import Scope
from maple.definitions.record import Number, Record

Verdict = Literal["supported", "contradicted", "no difference that matters", "undetermined"]


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
