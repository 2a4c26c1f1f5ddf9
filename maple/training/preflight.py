"""What cannot be trained, found before training starts."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from maple.training.batches import Encoded, negative_log_likelihoods, tensors

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PretrainedConfig


class FinetuningError(ValueError):
    """A run that cannot be trained; the message names the cause and what to change."""


def check_ranks(network: "PeftModel") -> None:
    """Refuse a LoRA whose rank is above the smaller side of a layer: the rest of it could not matter."""
    from peft.tuners.lora import LoraLayer

    for name, layer in network.named_modules():
        if isinstance(layer, LoraLayer):
            side = min(layer.in_features, layer.out_features)
            if (rank := max(layer.r.values())) > side:
                raise FinetuningError(
                    f"{name}: rank {rank} is above its smaller side, {side}; "
                    f"leave {rank} out of the ranks of the grid, or the layer out of the method's target_modules"
                )


def check_window(config: "PretrainedConfig", max_length: int) -> None:
    """Refuse to pack where attention ends before an example does: it is computed without masks."""
    if max_length > (window := getattr(config, "sliding_window", None) or max_length):
        raise FinetuningError(
            f"finetune.max_length={max_length} is above the model's attention window, {window}; "
            "lower it, or write packing: false"
        )


def check_packing(network: "PeftModel", example: Encoded, pad: int) -> None:
    """Refuse to pack where an example sees the one before it, as with models and methods that take no positions.

    An `example` that stands packed after itself must have the loss that it has alone, not the one after a text that it
    does see. The bound between the two, a tenth, is our choice: 16-bit arithmetic and LLM.int8 move a loss as well.
    """
    import torch

    twice = replace(
        example,
        input_ids=np.concatenate([example.input_ids, example.input_ids]),
        labels=np.concatenate([example.labels, example.labels]),
    )

    def loss(*row: Encoded) -> float:
        with torch.no_grad():
            found, _ = negative_log_likelihoods(network, tensors(row, pad, packing=True))
        return found[-example.completion_tokens :].mean().item()

    network.eval()
    alone, packed, seen = loss(example), loss(example, example), loss(twice)
    if not abs(packed - alone) <= abs(seen - alone) / 10:
        raise FinetuningError(
            f"in a packed row an example sees the one before it: its loss is {packed:.3f} nats a token, alone "
            f"{alone:.3f}; write packing: false under finetune, or under training of the method"
        )
