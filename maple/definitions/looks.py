"""Looks: how often a study's questions are asked while its items grow, and which time it is."""

from typing import Annotated, Literal

from pydantic import Field

from maple.definitions.errors import DefinitionError
from maple.definitions.record import Count, Positive, Record, Share

Shares = Annotated[list[Annotated[Positive, Field(le=1)]], Field(min_length=1)]
Spending = Literal["obrien-fleming", "pocock"]


def items_asked(available: int, items: int | None, share: float) -> int:
    """Return how many of the available items of a task and language are asked: a share of the config's `items`.

    None: of all; at least one.
    """
    return max(1, round(share * min(available, items or available)))


def look_in_words(look: int, looks: int, share: float) -> str:
    """Return a look in words.

    >>> look_in_words(1, 3, 0.1)
    'look 1 of 3, 10 % of the items'
    """
    return f"look {look} of {looks}, {100 * share:.3g} % of the items"


class Looks(Record):
    """The looks at a study, and the present one."""

    shares: Shares = [1.0]
    """The share of the items that is asked up to each look, ascending to 1."""
    now: Count = 1
    """The present look, from 1."""
    spending: Spending = "obrien-fleming"
    """How the level is spent over the looks (maple.analysis.spending)."""
    futility: Share | None = None
    """The chance of a verdict below which a question is ended (maple.analysis.questions.futility); None: never."""

    @classmethod
    def of(
        cls, shares: list[float] | None, now: int | None, spending: Spending, futility: float | None = None
    ) -> "Looks":
        """Return the looks of a config, and the last one as the present one if it names none.

        Raises DefinitionError for shares that do not ascend to 1, for a look that is none of them, and for futility
        without several looks.
        """
        if futility is not None and len(shares or ()) < 2:
            raise DefinitionError(
                "config: futility: with one look alone no question is ended before; write `looks: [0.1, 0.3, 1.0]` in "
                "the config, or `futility: null`"
            )
        if shares is None:
            if now is None:
                return cls()
            raise DefinitionError(
                "config: look: there is one look alone; write `looks: [0.1, 0.3, 1.0]` in the config, or leave look out"
            )
        if shares != sorted(set(shares)) or shares[-1] != 1:
            raise DefinitionError(f"config: looks: {shares} must ascend to 1.0; write [0.1, 0.3, 1.0], or null for one")
        if now is not None and now > len(shares):
            raise DefinitionError(f"config: look: {now} is none of {len(shares)} looks; write 1 to {len(shares)}")
        return cls(shares=shares, now=now or len(shares), spending=spending, futility=futility)

    @property
    def share(self) -> float:
        """The share of the items that is asked up to now."""
        return self.shares[self.now - 1]

    @property
    def in_words(self) -> str:
        """The present look in words."""
        return look_in_words(self.now, len(self.shares), self.share)

    @property
    def are_several(self) -> bool:
        """True if there is more than one look."""
        return len(self.shares) > 1
