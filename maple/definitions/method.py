"""A method to adapt a model. One file of config/methods/."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from maple.definitions.record import Count, Distinct, Positive, Record
from maple.definitions.training import TrainingSettings

Ranks = Annotated[list[Count], Field(min_length=1, json_schema_extra={"uniqueItems": True}), Distinct]
Bits = Annotated[list[Literal[4, 8, 16]], Field(min_length=1, json_schema_extra={"uniqueItems": True}), Distinct]


class Axes(Record):
    """Values of a method's axes."""

    rank: Ranks = []
    """Ranks of the adapter; leave it out for a method without a rank."""
    bits: Bits
    """Precisions of the base in training."""


class GridAxes(Record):
    """Other values of a method's axes, for one part of a grid."""

    rank: Ranks = []
    """Ranks of the adapter; left out: those of the method's file."""
    bits: Bits = []
    """Precisions of the base in training; left out: those of the method's file."""


class Method(Record):
    """A method: its type in PEFT, its axes and its arguments."""

    model_config = ConfigDict(title="a way to adapt a model")

    peft: str
    """PEFT's name of the type; maple/methods/capabilities.py lists those that work here."""
    axes: Axes
    alpha_over_rank: Positive = 0.0
    """Scaling alpha / rank, for types with an alpha."""
    adapter: dict[str, Any]
    """Arguments of the type's config class in PEFT, passed unchanged."""
    training: dict[str, Any] = {}
    """Keys of the config's `finetune:` block that have another value for this method."""


class MethodVariant(Record):
    """One method at one point of its axes."""

    peft: str
    """PEFT's name of the type."""
    rank: int | None
    """Rank of the adapter; None for a method without a rank."""
    bits: int
    """Precision of the base in training: 4, 8 or 16."""
    adapter: dict[str, Any]
    """All arguments of the type's config class in PEFT, the rank's included."""
    training: TrainingSettings
    """The config's `finetune:` block with the method's own values."""
