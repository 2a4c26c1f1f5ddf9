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
    """Ranks of the adapter; left out by a method without a rank."""
    bits: Bits
    """Precisions of the base that is trained on."""


class GridAxes(Record):
    """Other values of a method's axes, for one part of a grid."""

    rank: Ranks = []
    bits: Bits = []


class Method(Record):
    """PEFT's type of a method, its axes and its arguments."""

    model_config = ConfigDict(title="a way to adapt a model")

    peft: str
    """PEFT's own name of the type, one of maple/methods/capabilities.py."""
    axes: Axes
    alpha_over_rank: Positive = 0.0
    """alpha divided by the rank, for types with an alpha."""
    adapter: dict[str, Any]
    """Arguments of the type's config class in PEFT, passed through."""
    training: dict[str, Any] = {}
    """Keys of the config's `finetune:` block that this method changes."""


class MethodVariant(Record):
    """One method at one point of its axes."""

    peft: str
    """PEFT's own name of the type."""
    rank: int | None
    """None for a method without a rank."""
    bits: int
    """Precision of the base that is trained on."""
    adapter: dict[str, Any]
    """What the type's config class in PEFT is called with."""
    training: TrainingSettings
    """How it is trained: the config's `finetune:` block with the method's own changes."""
