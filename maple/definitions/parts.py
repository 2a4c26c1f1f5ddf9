"""The parts of a model that methods can address: their names, and what a loaded network tells of its own.

Kinds of models describe a network (maple.models.behaviour), and methods ask (maple.methods): neither knows the other.
"""

from collections.abc import Collection
from typing import Any, Protocol

LANGUAGE_MODEL, CONNECTOR, VISION_TOWER = PARTS = ("language_model", "connector", "vision_tower")
HEAD = "lm_head"  # the output layer, which is no part


class NetworkParts(Protocol):
    """The parts of a loaded network."""

    @property
    def text_type(self) -> str:
        """The architecture of the language model, by the `model_type` of a model that is this language model alone."""
        ...

    @property
    def language_model(self) -> tuple[str, ...]:
        """The whole names of the modules that are the language model."""
        ...

    def part_of(self, name: str) -> str | None:
        """Return the part in which a module or tensor lies, by its whole name; None for the output layer."""
        ...

    def whole_modules(self, part: str) -> list[str]:
        """Return the whole names of the modules of a part, which PEFT can train as they are."""
        ...

    def check_adapted(self, network: Any, parts: Collection[str]) -> None:
        """Refuse a network in which anything outside of `parts` is adapted or trained; raises ValueError."""
        ...

    def trained(self, network: Any) -> dict[str, int]:
        """Count the trained parameters of the network, adapted or not: {part or "lm_head": number}."""
        ...
