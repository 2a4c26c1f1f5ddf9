"""The modules of a model that finetuning may start anew: a classifier, a pooler."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.nn import Module


def head_modules(model: "Module", names: Sequence[str]) -> list[str]:
    """Return the outermost modules with weights whose names are, or end in, one of `names`; whole names, sorted.

    A name is a whole part of a module's: `classifier` is not DistilBERT's `pre_classifier`, which is a name of its own.
    """
    found = [
        name
        for name, module in model.named_modules()
        if name.rpartition(".")[2] in names and any(True for _ in module.parameters())
    ]
    return sorted(name for name in found if not any(name.startswith(f"{other}.") for other in found))


def names_a_head(tensor: str, names: Sequence[str]) -> bool:
    """Return True if a tensor, by its whole name, lies in a module of one of `names`, be it in the model or not."""
    return any(part in names for part in tensor.split(".")[:-1])
