"""What a module of maple.methods must offer to be a way of adapting a model.

What is known of a method before any job starts stands in maple.methods.capabilities, which no training depends on.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from maple.definitions.method import MethodVariant

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import Tensor
    from transformers import PreTrainedModel, TrainerCallback

PEFT = "peft_method"  # the module of all methods that are PEFT's


class AdaptationMethod(Protocol):
    """How a loaded base is adapted, and what is kept of it."""

    def reason_against_fsdp(self, method: MethodVariant) -> str | None:
        """Return why this method cannot train with FSDP, or None if it can."""
        ...

    def reason_against_packing(self, network: "PeftModel") -> str | None:
        """Return why examples cannot share a row with this method, or None if they can."""
        ...

    def resumes(self, method: MethodVariant) -> bool:
        """Return True if a training can go on from a checkpoint."""
        ...

    def uses_gradient_checkpointing(self, method: MethodVariant) -> bool:
        """Return True if activations are computed again in the backward pass, to save a GPU's memory."""
        ...

    def attach(self, base: "PreTrainedModel", method: MethodVariant, peft_task: str, folder: Path) -> "PeftModel":
        """Add what is to be trained to a loaded base, and freeze the rest; `folder` is where `save` will be called."""
        ...

    def callbacks(self, network: "PeftModel") -> "list[TrainerCallback]":
        """Return what the trainer must call during training."""
        ...

    def full_state_dict(self, network: "PeftModel") -> "dict[str, Tensor] | None":
        """Return the full state dict of what was trained if FSDP divides it, else None; all ranks must call this."""
        ...

    def save(self, network: "PeftModel", folder: Path) -> None:
        """Save what was trained, to be added to the untouched base; all ranks must call this."""
        ...

    def load(self, base: "PreTrainedModel", folder: str | Path) -> "PeftModel":
        """Add what `save` has saved to a loaded base, for evaluation."""
        ...

    def merge(self, network: "PeftModel") -> "PreTrainedModel":
        """Fold what `load` has added into the 16-bit weights of the base."""
        ...


def adaptation(name: str = PEFT) -> AdaptationMethod:
    """Return the module of a method.

    It is imported by name, as kinds of models are (maple.models.behaviour): an edit of another method trains nothing
    anew.
    """
    return cast(AdaptationMethod, import_module(f"maple.methods.{name}"))
