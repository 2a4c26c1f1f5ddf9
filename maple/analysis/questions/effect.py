"""Effects: what a contrast of runs estimates, with its interval."""

from maple.analysis.training_noise import Scope
from maple.definitions.record import Record


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
