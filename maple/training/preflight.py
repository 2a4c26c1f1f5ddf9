"""Checks that refuse an untrainable run before training starts."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from maple.models.behaviour import ModelKind
from maple.models.example import EncodedExample

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PretrainedConfig


class FinetuningError(ValueError):
    """The run cannot be trained; the message names the cause and what to change."""


def check_window(config: "PretrainedConfig", max_length: int) -> None:
    """Refuse to pack if the attention window ends before an example does: packed attention has no masks."""
    if max_length > (window := getattr(config, "sliding_window", None) or max_length):
        raise FinetuningError(
            f"finetune.max_length={max_length} is above the model's attention window, {window}; "
            "lower it, or write packing: false"
        )


def check_packing(network: "PeftModel", kind: ModelKind, example: EncodedExample, pad: int) -> None:
    """Refuse to pack if an example sees the one before it, as with models and methods that take no positions.

    An `example` that is packed after itself must have the loss that it has alone, and not the loss after a text that it
    does see. The bound between the two, a tenth, is our choice: 16-bit arithmetic and LLM.int8 move a loss as well.
    """
    import torch

    doubled = replace(
        example,
        input_ids=np.concatenate([example.input_ids, example.input_ids]),
        labels=np.concatenate([example.labels, example.labels]),
    )

    def loss(*row: EncodedExample) -> float:
        with torch.no_grad():
            losses, _ = kind.losses(network, kind.collate(row, pad, packing=True))
        return losses[-example.completion_tokens :].mean().item()

    network.eval()
    alone, packed, visible = loss(example), loss(example, example), loss(doubled)
    if not abs(packed - alone) <= abs(visible - alone) / 10:
        raise FinetuningError(
            f"in a packed row an example sees the one before it: its loss is {packed:.3f} nats per token, alone "
            f"{alone:.3f}; write packing: false under finetune, or under training of the method"
        )
