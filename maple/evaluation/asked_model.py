"""The model that a job asks: weights on this machine, or an endpoint, each as its definition says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maple.definitions.frame import DEFAULT_DEMONSTRATIONS, DEFAULT_FRAME, Demonstrations, Frame
from maple.engines.blocks import EndpointBlock
from maple.models.encoding import Encoder
from maple.models.sight import sees
from maple.models.vision_text import VisionEncoder

# The keys of a model that say how it is asked.
ASKED = ("frame", "demonstrations", "template_arguments", "thinking_tokens")


@dataclass(frozen=True)
class Weights:
    """A model of which the job has the weights."""

    folder: str | Path
    """Hub-style."""
    kind: str = "causal"
    """Kind of model; decides how it is loaded and read."""
    trust_remote_code: bool = False
    """True runs the repository's own Python code."""
    frame: Frame = DEFAULT_FRAME
    demonstrations: Demonstrations = DEFAULT_DEMONSTRATIONS
    template_arguments: Mapping[str, Any] = field(default_factory=dict)
    """Switches of the model's chat template."""
    thinking_tokens: int = 0
    """New tokens of a completion for thinking, beside those for its answer."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Of a translator: tags of languages that the model's file states, by code."""
    new_tags: Mapping[str, str] = field(default_factory=dict)
    """Of a translator: languages whose tag it has got anew, {code: the tag from which it started}."""

    @classmethod
    def of(cls, definition: Mapping[str, Any], folder: str | Path) -> "Weights":
        """Return the weights in a folder, asked as the model's params say."""
        return cls(folder, **_stated(definition, "kind", "trust_remote_code", "tags", "new_tags", *ASKED))

    def encoder(self) -> Encoder | VisionEncoder:
        """Return what makes tokens of prompts. Raises maple.models.prompt_error.PromptError."""
        return (VisionEncoder if sees(self.kind) else Encoder).of(
            self.folder,
            self.frame,
            self.demonstrations,
            template_arguments=self.template_arguments,
            trust_remote_code=self.trust_remote_code,
        )


@dataclass(frozen=True)
class ModelFolder:
    """A model's weights, and the digest of them and of what is attached to them."""

    weights: Weights
    digest: str


def _stated(definition: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: definition[name] for name in names if name in definition}


def model_source(
    definition: Mapping[str, Any], folder: str | Path, service: Mapping[str, Any] | None = None
) -> Weights | EndpointBlock:
    """Return the source of a model's completions, from a rule's params: its weights, or an endpoint.

    `service` has an endpoint's request settings, which decide no answer.
    """
    if "openai" in definition:
        asked = _stated(definition, "frame", "demonstrations", "thinking_tokens")
        return EndpointBlock(**{**definition["openai"], **asked, **(service or {})})
    return Weights.of(definition, folder)
