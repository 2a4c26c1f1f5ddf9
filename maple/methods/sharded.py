"""Trained weights that FSDP divides over processes."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


def full_state_dict(network: "Module") -> "dict[str, Tensor] | None":
    """Return the full state dict of FSDP-sharded trained weights; None if not sharded. All ranks must call this.

    What is frozen stays in its parts.
    """
    from torch.distributed.tensor import DTensor

    if not any(isinstance(parameter, DTensor) for parameter in network.parameters()):
        return None
    trained = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    return {
        name: value.full_tensor() if isinstance(value, DTensor) else value
        for name, value in network.state_dict().items()
        if name in trained or not isinstance(value, DTensor)
    }
