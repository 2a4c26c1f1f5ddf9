"""Settings of finetuning and of merging."""

from typing import Annotated, Literal

from pydantic import Field

from maple.definitions.record import Count, CountOrZero, Number, Positive, Record, Share


class TrainingSettings(Record):
    """The config's `finetune:` block; a method's `training:` may change some of its keys."""

    steps: Count
    """Optimizer steps, the same for all runs, so that runs can be compared."""
    batch_tokens: Count
    """Tokens per optimizer step, prompts included."""
    micro_batch_tokens: Count
    """Tokens per micro-batch, padding included; lower it when memory is short: an optimizer step stays as large."""
    packing: bool
    """True: several examples per row, none attends to another, where the model can; else, and False: rows padded."""
    learning_rate: Positive
    """Peak learning rate, after warm-up."""
    warmup: Share
    """Share of the steps in which the learning rate rises."""
    max_length: Count
    """Tokens of prompt and completion; longer examples are left out and counted."""
    weight_decay: Annotated[Number, Field(ge=0)]
    """Weight decay of AdamW."""
    max_grad_norm: Positive
    """Norm to which gradients are clipped."""
    held_out_rows: CountOrZero
    """Held-out rows per language on which bits per byte are measured."""
    held_out_steps: Count
    """Steps between two measurements of bits per byte."""


class MergeSettings(Record):
    """How an adapter is folded into weights, and how the merge is checked."""

    into: Literal["dequantized", "original"]
    """The weights that an adapter is folded into: those it was trained beside, or those before quantization."""
    bound: Positive
    """Largest KL divergence from the trained model, in the worst language, that a merge may have; nats per token."""
    rows: Count
    """Held-out examples per language to compare on."""
    tokens: Count
    """Tokens of each completion to compare on."""


class MergeBlock(MergeSettings):
    """The config's `merge:` block."""

    keep: bool
    """False: merged weights are removed once their run's completions are there. It changes no weights."""

    @property
    def settings(self) -> MergeSettings:
        """The settings that decide the merged weights and their check."""
        return MergeSettings(**self.model_dump(include=set(MergeSettings.model_fields)))
