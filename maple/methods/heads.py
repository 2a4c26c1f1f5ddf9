"""The modules of a model that finetuning starts anew: a classifier, a pooler."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.nn import Module


def head_modules(model: "Module", names: Sequence[str]) -> list[str]:
    """Return the outermost modules with weights whose names are, or end in, one of `names`; whole names, sorted.

    A name is a whole part of a module's: `classifier` is not DistilBERT's `pre_classifier`, which is a name of its own.
    """
    wanted = [name.strip(".") for name in names]
    found = [
        name
        for name, module in model.named_modules()
        if any(name == one or name.endswith(f".{one}") for one in wanted) and any(True for _ in module.parameters())
    ]
    return sorted(name for name in found if not any(name.startswith(f"{other}.") for other in found))


def within(name: str, heads: Sequence[str]) -> bool:
    """Return True if a module or parameter is one of the heads, or lies in one."""
    return any(name == head or name.startswith(f"{head}.") for head in heads)
