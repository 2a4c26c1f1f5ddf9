"""The protocol of a method's module in maple.methods.

What planning must know of a method is in maple.methods.capabilities, so that an edit there retrains nothing.
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from maple.definitions.method import MethodVariant, PeftVariant
from maple.definitions.parts import NetworkParts
from maple.methods.own_types import OWN_TYPES

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import Tensor
    from transformers import PreTrainedModel, TrainerCallback


class AdaptationMethod(Protocol):
    """How a loaded base is adapted, and how the adaptation is saved, loaded and merged."""

    def reason_against_fsdp(self, method: MethodVariant) -> str | None:
        """Return why this method cannot train with FSDP, or None if it can."""
        ...

    def reason_against_packing(self, network: "PeftModel | PreTrainedModel") -> str | None:
        """Return why examples cannot share a row with this method, or None if they can."""
        ...

    def resumes(self, method: MethodVariant) -> bool:
        """Return True if training can resume from a checkpoint."""
        ...

    def uses_gradient_checkpointing(self, method: MethodVariant) -> bool:
        """Return True if gradient checkpointing is used, which saves GPU memory."""
        ...

    def attach(
        self,
        base: "PreTrainedModel",
        method: MethodVariant,
        peft_task: str,
        folder: Path,
        heads: Sequence[str] = (),
        parts: NetworkParts | None = None,
    ) -> "PeftModel | PreTrainedModel":
        """Add the trainable weights to a loaded base and freeze the rest; `save` will be called with this `folder`.

        `heads` are the modules of the base that finetuning has started anew, by their whole names: they are trained and
        saved whatever the method is. `parts` are those of a base that has several: adapters and biases are then those
        of its language model, and no method trains its vision tower.
        """
        ...

    def base_of(self, network: "PeftModel | PreTrainedModel") -> "PreTrainedModel":
        """Return the model of transformers within what `attach` has returned."""
        ...

    def parameters(self, network: "PeftModel | PreTrainedModel") -> tuple[int, int]:
        """Return how many parameters are trained, and how many there are."""
        ...

    def write_checkpoint(
        self, network: "PeftModel | PreTrainedModel", folder: Path, weights: "dict[str, Tensor] | None"
    ) -> None:
        """Write the trained weights as they are to the folder of a checkpoint, from which the trainer reads them.

        `weights` is the result of `full_state_dict`.
        """
        ...

    def adapted(self, network: "PeftModel | PreTrainedModel") -> dict[str, int]:
        """Count the layers that are trained, by name without their numbers."""
        ...

    def callbacks(self, network: "PeftModel | PreTrainedModel") -> "list[TrainerCallback]":
        """Return the trainer callbacks that the method needs."""
        ...

    def full_state_dict(self, network: "PeftModel | PreTrainedModel") -> "dict[str, Tensor] | None":
        """Return the full state dict of FSDP-sharded trained weights; None if not sharded. All ranks must call this."""
        ...

    def save(self, network: "PeftModel | PreTrainedModel", base: str | Path, folder: Path) -> None:
        """Save what was trained so that it fits the untouched base, the folder `base`; all ranks must call this."""
        ...

    def name_base(self, folder: Path, hub: str | None, revision: str | None) -> None:
        """Let what `save` wrote name its base by the Hub's id and revision; null for a base that is not there."""
        ...

    def load(self, base: "PreTrainedModel", folder: str | Path) -> "PeftModel | PreTrainedModel":
        """Attach the weights that `save` wrote to a loaded base, for evaluation."""
        ...

    def merge(self, network: "PeftModel | PreTrainedModel") -> "PreTrainedModel":
        """Fold the weights that `load` attached into the 16-bit weights of the base."""
        ...


def adaptation(module: str) -> AdaptationMethod:
    """Return a module of this package, a variant's MODULE.

    It is imported by name, as kinds of models are (maple.models.behaviour), so that an edit of another method retrains
    nothing.
    """
    return cast(AdaptationMethod, import_module(f"maple.methods.{module}"))


def modules_of(method: MethodVariant) -> list[str]:
    """Return the modules of this package that are imported by name when a base is adapted by `method`."""
    own = OWN_TYPES.get(method.peft) if isinstance(method, PeftVariant) else None
    return [method.MODULE, *([own] if own else [])]
