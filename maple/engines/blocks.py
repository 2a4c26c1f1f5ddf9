"""The blocks of config files that configure an endpoint, a teacher or a translator, as a job gets them."""

from typing import Any

from pydantic import Field

from maple.definitions.frame import DEFAULT_DEMONSTRATIONS, DEFAULT_FRAME, Demonstrations, Frame
from maple.definitions.record import CountOrZero
from maple.definitions.teacher import EndpointSettings, LocalTeacherSettings, TranslatorSettings

# The settings of an endpoint that are sent with each prompt, in this order; OpenAI's reasoning models take
# max_completion_tokens instead of max_tokens.
SAMPLING = ("temperature", "top_p", "max_tokens", "max_completion_tokens")


class EndpointBlock(EndpointSettings):
    """An `openai:` block."""

    file: str
    """The file with the block, for messages."""
    thinking_tokens: CountOrZero = 0
    """Of the model's definition: new tokens for thinking, beside the limit of a task."""
    frame: Frame = DEFAULT_FRAME
    """Of the model's definition, if it is asked as a baseline: what stands around a prompt."""
    demonstrations: Demonstrations = DEFAULT_DEMONSTRATIONS
    """Of the model's definition."""

    def with_defaults(self, **values: float | None) -> "EndpointBlock":
        """Return the block with values for the settings that it does not state; null counts as stated."""
        return self.changed(**{name: value for name, value in values.items() if name not in self.model_fields_set})

    @property
    def sampling(self) -> dict[str, float | None]:
        """The settings that are sent with each prompt, None for those that are not."""
        return {name: getattr(self, name) for name in SAMPLING}

    @property
    def identity(self) -> dict[str, str | float | None]:
        """The settings that decide an answer beside its prompt: address, model and sampling."""
        return {"base_url": self.base_url, "model": self.model, **self.sampling}


class LocalBlock(LocalTeacherSettings):
    """A `vllm:` or `transformers:` block."""

    file: str
    """The file with the block, for messages."""
    trust_remote_code: bool = False
    """Of the model's definition: True runs the repository's own Python code."""
    thinking_tokens: CountOrZero = 0
    """Of the model's definition: new tokens for thinking, beside max_tokens."""
    template_arguments: dict[str, Any] = Field(default_factory=dict)
    """Of the model's definition: switches of its chat template."""


class TranslatorBlock(TranslatorSettings):
    """A `translator:` block."""

    file: str = ""
    """The file with the block, for messages."""
    trust_remote_code: bool = False
    """Of the model's definition: True runs the repository's own Python code."""
    tags: dict[str, str] = Field(default_factory=dict)
    """Of the model's definition: tags of languages, {code: the model's tag}."""
    new_tags: dict[str, str] = Field(default_factory=dict)
    """Of the model's definition: languages with a new tag, {code: tag from which it starts}."""
