"""The protocol of a method's module in maple.methods.

What planning must know of a method is in maple.methods.capabilities, so that an edit there retrains nothing.
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from maple.definitions.method import MethodVariant

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import Tensor
    from transformers import PreTrainedModel, TrainerCallback

PEFT = "peft_method"  # the module of all PEFT methods


class AdaptationMethod(Protocol):
    """How a loaded base is adapted, and how the adaptation is saved, loaded and merged."""

    def reason_against_fsdp(self, method: MethodVariant) -> str | None:
        """Return why this method cannot train with FSDP, or None if it can."""
        ...

    def reason_against_packing(self, network: "PeftModel") -> str | None:
        """Return why examples cannot share a row with this method, or None if they can."""
        ...

    def resumes(self, method: MethodVariant) -> bool:
        """Return True if training can resume from a checkpoint."""
        ...

    def uses_gradient_checkpointing(self, method: MethodVariant) -> bool:
        """Return True if gradient checkpointing is used, which saves GPU memory."""
        ...

    def attach(
        self, base: "PreTrainedModel", method: MethodVariant, peft_task: str, folder: Path, heads: Sequence[str] = ()
    ) -> "PeftModel":
        """Add the trainable weights to a loaded base and freeze the rest; `save` will be called with this `folder`.

        `heads` are the modules of the base that finetuning has started anew, by their whole names: they are trained and
        saved whatever the method is.
        """
        ...

    def adapted(self, network: "PeftModel") -> dict[str, int]:
        """Count the layers that are trained, by name without their numbers."""
        ...

    def callbacks(self, network: "PeftModel") -> "list[TrainerCallback]":
        """Return the trainer callbacks that the method needs."""
        ...

    def full_state_dict(self, network: "PeftModel") -> "dict[str, Tensor] | None":
        """Return the full state dict of FSDP-sharded trained weights; None if not sharded. All ranks must call this."""
        ...

    def save(self, network: "PeftModel", folder: Path) -> None:
        """Save the trained weights so that they fit the untouched base; all ranks must call this."""
        ...

    def load(self, base: "PreTrainedModel", folder: str | Path) -> "PeftModel":
        """Attach the weights that `save` wrote to a loaded base, for evaluation."""
        ...

    def merge(self, network: "PeftModel") -> "PreTrainedModel":
        """Fold the weights that `load` attached into the 16-bit weights of the base."""
        ...


def adaptation(name: str = PEFT) -> AdaptationMethod:
    """Return the module of a method.

    It is imported by name, as kinds of models are (maple.models.behaviour), so that an edit of another method retrains
    nothing.
    """
    return cast(AdaptationMethod, import_module(f"maple.methods.{name}"))
