"""Checks before training starts: what would train something else than the run says is refused, or done another way."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from maple.models.attention import own_implementation
from maple.models.behaviour import ModelKind
from maple.models.example import EncodedExample
from maple.runtime import devices

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

# Largest difference, in nats per token, between the losses of a packed example and of the same example alone, where
# arithmetic is exact enough to ask for it. Measured: 3e-6 in float32 on 40 architectures (docs/architectures.md).
EXACT = 1e-3


class FinetuningError(ValueError):
    """The run cannot be trained; the message names the cause and what to change."""


@dataclass
class Packing:
    """Whether the examples of a run share rows; if they cannot, rows are padded, and each step learns the same."""

    used: bool
    attention: str
    """The attention that the model was loaded with, by transformers' name: that of padded rows."""
    reason: str | None = None
    """Why rows are padded, although the run asks for packed ones."""

    def give_up(self, model: "PreTrainedModel", reason: str) -> None:
        """Pad from now on, with the attention that the model was loaded with, and say so in the log."""
        self.used, self.reason = False, reason
        model.set_attn_implementation(self.attention)
        logging.getLogger(__name__).warning("examples are padded and not packed: %s", reason)


def check_packing(
    network: "PeftModel | PreTrainedModel",
    base: "PreTrainedModel",
    kind: ModelKind,
    examples: Iterable[EncodedExample],
    *,
    pad: int,
    dtype: str = "auto",
) -> str | None:
    """Return why examples cannot share a row of the adapted `network`, whose model is `base`; None if they can.

    The shortest example, packed after itself, and the longest, packed after the shortest, must have the loss that they
    have alone in the attention of the model's own code: it, and not another one, has all that the architecture has
    (caps, sinks, biases, windows). In float32 losses may differ by `EXACT`; 16-bit arithmetic and LLM.int8 move a loss
    as well, so that there the bound is a tenth (our choice) of what it changes if the example does see the one before.
    `dtype` is that of the arithmetic, as `devices.compute_dtype` names it.
    """
    import torch

    examples = list(examples)
    shortest, longest = min(examples, key=len), max(examples, key=len)
    doubled = replace(
        shortest,
        input_ids=np.concatenate([shortest.input_ids, shortest.input_ids]),
        labels=np.concatenate([shortest.labels, shortest.labels]),
    )

    def loss(*row: EncodedExample, packing: bool = True) -> float:
        with torch.no_grad():
            losses, _ = kind.losses(network, kind.collate(row, pad, packing=packing))
        return losses[-row[-1].completion_tokens :].mean().item()

    network.eval()
    used = str(base.config._attn_implementation)
    base.set_attn_implementation(own_implementation(base))
    alone = [loss(example, packing=False) for example in (shortest, longest)]
    base.set_attn_implementation(used)
    try:
        packed = [loss(shortest, example) for example in (shortest, longest)]
        visible = loss(doubled)
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        return f"the model computes no packed row ({' '.join(str(error).split())[:200]})"
    exact = devices.compute_dtype(dtype) == torch.float32 and not getattr(base, "is_loaded_in_8bit", False)
    bound = EXACT if exact else abs(visible - alone[0]) / 10
    for one, together in zip(alone, packed, strict=True):
        if not abs(together - one) <= bound:
            return (
                f"the model would take an example of a packed row for another text: its loss is {together:.3f} nats "
                f"per token, and alone, in the attention of the model's own code, {one:.3f}"
            )
    return None
