"""A model whose weights are on this machine: from the Hub, or built here."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from maple.definitions.record import Commit, Count, Positive, Record, Seed


class ModelBase(Record):
    """The keys that all models have."""

    kind: Literal["causal"] = "causal"
    """Kind of model; decides how it is loaded, trained and evaluated."""
    license: str = ""
    """The Hub's name of the licence, for model cards."""
    architecture: Annotated[dict[str, Any], Field(json_schema_extra={"required": ["model_type"]})] = {}
    """Keys of the model's config.json, for the forecast and the checks before the model is fetched.

    transformers' defaults stand for the keys that lack, apart from model_type.
    """
    trust_remote_code: bool = False
    """True runs the repository's own Python code."""

    def model_post_init(self, _: object) -> None:
        """Refuse an architecture of which nothing says what it is."""
        if self.architecture and not isinstance(self.architecture.get("model_type"), str):
            raise ValueError("architecture lacks model_type, the name that transformers has for it in config.json")

    def params(self, digest: Callable[[str], str] | None = None) -> dict:
        """Return what decides a result: neither license nor architecture does."""
        return {key: value for key, value in super().params(digest).items() if key not in ("license", "architecture")}


def _both(schema: dict) -> None:
    schema["x-tag"] = "hub"
    schema["required"] = []
    schema["dependentRequired"] = {"hub": ["revision"], "revision": ["hub"]}


class HubModel(ModelBase):
    """A model of the Hugging Face Hub at a pinned revision."""

    model_config = ConfigDict(title="a model of the Hub", json_schema_extra=_both)

    hub: str
    """The Hub's id of the model."""
    revision: Commit


class PretrainingSettings(Record):
    """How a model is pretrained from scratch."""

    steps: Count
    """Optimizer steps."""
    batch: Count
    """Blocks per step."""
    length: Annotated[int, Field(ge=8)]
    """Tokens per block."""
    learning_rate: Positive
    """Peak learning rate, after warm-up."""
    seed: Seed
    """Seed of the initial weights and of the order of blocks."""


def _is_causal(schema: dict) -> None:
    schema["required"] = ["model_type"]
    schema["properties"] = {"model_type": {"enum": ["llama", "mistral"]}}


class BuildSettings(Record):
    """A tiny model that is pretrained on text made from CLDR."""

    vocabulary: Annotated[int, Field(ge=300)]
    """Size of the vocabulary, in tokens."""
    architecture: Annotated[dict[str, Any], Field(json_schema_extra=_is_causal)]
    """Keys of transformers' config; model_type is llama or mistral."""
    documents: Count
    """Number of documents in the corpus."""
    training: PretrainingSettings

    def model_post_init(self, _: object) -> None:
        """Refuse a model type that cannot be built here."""
        if self.architecture.get("model_type") not in ("llama", "mistral"):
            raise ValueError("architecture.model_type must be llama or mistral")


class BuiltModel(ModelBase):
    """A tiny model that is pretrained here."""

    model_config = ConfigDict(title="a model that is built here", json_schema_extra={"x-tag": "build"})

    build: BuildSettings


# A model whose weights are on this machine. Training reads this type, without records of endpoints, so that an edit
# there retrains nothing.
LocalModel = HubModel | BuiltModel
