"""The trained weights at the best measurement so far: in the host's memory, and in every checkpoint."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import Tensor
    from transformers import PreTrainedModel

FILE = "best.safetensors"  # in a checkpoint, beside the weights of its own step


class BestAdapter:
    """A copy of an adapted model's trained weights.

    Each checkpoint has it, so that a training that resumes knows the best step before it, whichever checkpoint it
    resumes from.
    """

    def __init__(self, network: "PeftModel | PreTrainedModel"):
        self._network = network
        self._weights: dict[str, Tensor] = {}

    def remember(self) -> None:
        """Copy the weights as they are now."""
        self._weights = {name: weights.to("cpu", copy=True) for name, weights in self._trained().items()}

    def write(self, checkpoint: Path) -> None:
        """Write the copy to the folder of a checkpoint; nothing if nothing was remembered."""
        from safetensors.torch import save_file

        if self._weights:
            save_file(self._weights, checkpoint / FILE)

    def read(self, checkpoint: Path) -> None:
        """Read the copy that `write` left in the folder of a checkpoint, if it left one."""
        from safetensors.torch import load_file

        self._weights = load_file(checkpoint / FILE) if (checkpoint / FILE).is_file() else {}

    def restore(self) -> None:
        """Put the copy in the place of the weights as they are now."""
        for name, weights in self._trained().items():
            weights.copy_(self._weights[name])

    def _trained(self) -> "dict[str, Tensor]":
        parameters = self._network.named_parameters()
        return {name: parameter.data for name, parameter in parameters if parameter.requires_grad}
