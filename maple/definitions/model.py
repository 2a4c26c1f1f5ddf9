"""A pretrained model: from the Hub, a folder or a package, built here, or behind an endpoint."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import ConfigDict, Discriminator, Tag

from maple.definitions.local_model import BuiltModel, HubModel, ModelBase, PackageModel, PathModel
from maple.definitions.teacher import EndpointSettings

KEYS = ("hub", "path", "package", "build", "openai")
SOURCES = "one of hub (with its revision), path, package, build and openai"


class EndpointModel(ModelBase):
    """A model behind an OpenAI-compatible endpoint: a baseline, which is never finetuned."""

    model_config = ConfigDict(title="a model behind an endpoint", json_schema_extra={"x-tag": "openai"})

    openai: EndpointSettings

    def params(self, digest: Callable[[str], str] | None = None) -> dict:
        """Return the settings that decide an answer."""
        framing = self.model_dump(include={"frame", "demonstrations", "thinking_tokens"}, exclude_unset=True)
        return {"openai": self.openai.deciding(), **framing}

    def model_post_init(self, _: object) -> None:
        """Refuse switches of a chat template that only the endpoint knows, and room beside a limit of its own."""
        super().model_post_init(_)
        if self.template_arguments:
            raise ValueError("template_arguments: the endpoint applies the chat template; set its switches there")
        if self.thinking_tokens and (self.openai.max_tokens or self.openai.max_completion_tokens):
            raise ValueError(
                "thinking_tokens: openai.max_tokens or max_completion_tokens is the whole limit of an answer, with its "
                "thinking; raise it, and remove thinking_tokens"
            )


def _source(content: Any) -> str | None:
    if isinstance(content, ModelBase):
        return next(source for source in KEYS if hasattr(content, source))
    sources = [source for source in KEYS if isinstance(content, dict) and source in content]
    if not sources and isinstance(content, dict) and "revision" in content:
        return "hub"
    return sources[0] if len(sources) == 1 else None


Model = Annotated[
    Annotated[HubModel, Tag("hub")]
    | Annotated[PathModel, Tag("path")]
    | Annotated[PackageModel, Tag("package")]
    | Annotated[BuiltModel, Tag("build")]
    | Annotated[EndpointModel, Tag("openai")],
    Discriminator(
        _source,
        custom_error_type="source",
        custom_error_message=f"what stands there is not valid; write {SOURCES}",
    ),
]
