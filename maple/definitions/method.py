"""A method to adapt a model. One file of config/methods/."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag

from maple.definitions.record import Count, Distinct, Positive, Record
from maple.definitions.training import TrainingSettings

Counts = Annotated[list[Count], Field(min_length=1, json_schema_extra={"uniqueItems": True}), Distinct]
Rates = Annotated[list[Positive], Field(min_length=1, json_schema_extra={"uniqueItems": True}), Distinct]
Bits = Annotated[list[Literal[4, 8, 16]], Field(min_length=1, json_schema_extra={"uniqueItems": True}), Distinct]
# Which weights of a model are trained: all, those of its head, those of its connector, or its biases and its head.
Trained = Literal["all", "head", "connector", "biases"]
Locations = Annotated[
    list[Literal["attention", "mlp", "both"]], Field(min_length=1, json_schema_extra={"uniqueItems": True}), Distinct
]
Connectors = Annotated[
    list[Literal["frozen", "tuned"]], Field(min_length=1, json_schema_extra={"uniqueItems": True}), Distinct
]


class Axes(Record):
    """Values of a method's axes."""

    rank: Counts = []
    """Ranks of the adapter; leave it out for a method without a rank."""
    reduction: Counts = []
    """Hidden size of the model over size of the bottleneck; leave it out for a method without one."""
    location: Locations = []
    """Blocks of each layer that are adapted: attention, mlp, or both; left out: by `adapter`."""
    connector: Connectors = []
    """What becomes of the connector of a vision-language model: frozen, or tuned, trained whole; left out: frozen."""
    learning_rate: Rates = []
    """Largest learning rates; left out: one, that of `training` or of the config's `finetune:` block."""
    bits: Bits
    """Precisions of the base in training."""


class Precisions(Record):
    """Values of the axes of a method that trains the model's own weights."""

    learning_rate: Rates = []
    """Largest learning rates; left out: one, that of `training` or of the config's `finetune:` block."""
    bits: Bits
    """Precisions of the base in training."""


class GridAxes(Record):
    """Other values of a method's axes, for one part of a grid."""

    rank: Counts = []
    """Ranks of the adapter; left out: those of the method's file."""
    reduction: Counts = []
    """Reduction factors of the adapter; left out: those of the method's file."""
    location: Locations = []
    """Blocks of each layer that are adapted; left out: as the method's file says. Its type may have this axis."""
    connector: Connectors = []
    """frozen or tuned, of vision-language models; left out: as the method's file says. Its type may have this axis."""
    learning_rate: Rates = []
    """Largest learning rates; left out: those of the method's file. Any method has this axis."""
    bits: Bits = []
    """Precisions of the base in training; left out: those of the method's file."""


class PeftMethod(Record):
    """A method that adds an adapter: its type in PEFT, its axes and its arguments."""

    model_config = ConfigDict(title="a method that adds an adapter", json_schema_extra={"x-tag": "peft"})

    peft: str
    """Name of the type, PEFT's or one of ours; maple/methods/capabilities.py lists those that work here."""
    axes: Axes
    alpha_over_rank: Positive = 0.0
    """Scaling alpha / rank, for types with an alpha."""
    adapter: dict[str, Any]
    """Arguments of the type's config class in PEFT, passed unchanged."""
    training: dict[str, Any] = {}
    """Keys of the config's `finetune:` block that have another value for this method."""


class WeightsMethod(Record):
    """A method that trains weights which the model has, and adds none."""

    model_config = ConfigDict(
        title="a method that trains the model's own weights", json_schema_extra={"x-tag": "trains"}
    )

    trains: Trained
    """all: all weights, of a vision-language model those outside of its vision tower; head: those of the model's head
    alone; connector: those of its connector alone; biases: all biases of the (language) model, and the head where there
    is one."""
    axes: Precisions
    training: dict[str, Any] = {}
    """Keys of the config's `finetune:` block that have another value for this method."""


SOURCES = "either peft and the name of a type, or trains: all, head, connector or biases"


def _source(content: Any) -> str | None:
    """Return the key that says which kind of method a file has; None if it has neither or both."""
    if isinstance(content, Record):
        return "peft" if isinstance(content, PeftMethod | PeftVariant) else "trains"
    keys = [key for key in ("peft", "trains") if isinstance(content, dict) and key in content]
    return keys[0] if len(keys) == 1 else None


OneOfTwo = Discriminator(
    _source,
    custom_error_type="source",
    custom_error_message=f"what stands there is not valid; write {SOURCES}",
)
Method = Annotated[Annotated[PeftMethod, Tag("peft")] | Annotated[WeightsMethod, Tag("trains")], OneOfTwo]


class Variant(Record):
    """What the variants of both kinds of method have."""

    axes: dict[str, int | float | str]
    """The point of the method's axes, as {"rank": 8, "location": "mlp", "bits": 4}."""
    training: TrainingSettings
    """The config's `finetune:` block with the method's own values."""

    @property
    def bits(self) -> int:
        """Precision of the base in training: 4, 8 or 16."""
        return int(self.axes["bits"])


class PeftVariant(Variant):
    """A method that adds an adapter, at one point of its axes."""

    MODULE: ClassVar[str] = "peft_method"
    """The module of maple.methods that adapts the base."""
    saves_model: ClassVar[bool] = False
    """False: what is saved is to be added to the base."""

    peft: str
    """Name of the type."""
    adapter: dict[str, Any]
    """All arguments of the type's config class, those of the axes included."""

    def adapted_by(self) -> dict:
        """Return what adapts the base, as run cards name it."""
        places = {axis: value for axis, value in self.axes.items() if isinstance(value, str)}
        return {"peft": self.peft, "adapter": self.adapter, **places}


class WeightsVariant(Variant):
    """A method that trains weights which the model has, at one precision."""

    MODULE: ClassVar[str] = "weights_method"
    """The module of maple.methods that adapts the base."""

    trains: Trained
    """Which weights."""

    @property
    def saves_model(self) -> bool:
        """True if a whole model is saved, to which no base is needed."""
        return self.trains == "all"

    def adapted_by(self) -> dict:
        """Return what adapts the base, as run cards name it."""
        return {"trains": self.trains}


MethodVariant = PeftVariant | WeightsVariant
