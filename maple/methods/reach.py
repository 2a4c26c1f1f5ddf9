"""Where in a network adapters may be: in its language model, in a block of its layers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from maple.definitions.method import PeftVariant
from maple.definitions.parts import NetworkParts

# The modules of a layer by `location`, an axis, as architectures like LLaMA name them (maple.models.architectures).
ATTENTION, MLP = "self_attn", "mlp"
BLOCKS = {"attention": (ATTENTION,), "mlp": (MLP,), "both": (ATTENTION, MLP)}


@dataclass(frozen=True)
class Reach:
    """Where adapters may be; false if it is everywhere."""

    within: tuple[str, ...] = ()
    """Whole names of the modules that they may be within; empty: all."""
    blocks: tuple[str, ...] = ()
    """Names of blocks of layers, parts of the names of the modules within them; empty: all."""

    @classmethod
    def of(cls, method: PeftVariant, parts: NetworkParts | None) -> "Reach":
        """Return where the adapters of a method may be: of a model with parts in the language model alone."""
        return cls(parts.language_model if parts else (), blocks_of(method))

    def __bool__(self) -> bool:
        return bool(self.within or self.blocks)

    @property
    def _ahead(self) -> str:
        modules = rf"(?=(?:{_any(self.within)})\.)" if self.within else ""
        return modules + (rf"(?=.*\.(?:{_any(self.blocks)})\.)" if self.blocks else "")

    def has(self, name: str) -> bool:
        """Return True if the module or parameter `name` lies there."""
        return re.match(self._ahead, name) is not None

    def pattern(self, targets: str | Sequence[str]) -> str:
        """Return the pattern for whole names of the modules there that `targets` names: a pattern, or ends of names."""
        return f"{self._ahead}(?:{targets if isinstance(targets, str) else _ends(targets)})"


def blocks_of(method: PeftVariant) -> tuple[str, ...]:
    """Return the names of the blocks that a method adapts; empty if it has no location."""
    return BLOCKS.get(str(method.axes.get("location")), ())


def _any(names: Sequence[str]) -> str:
    return "|".join(map(re.escape, names))


def _ends(names: Sequence[str]) -> str:
    """Return the pattern for what a list of PEFT means: whole names, or ends of them."""
    return rf"(?:.*\.)?(?:{_any(sorted(names))})"
