"""Bits on text that nobody trained on: how well a model predicts what it learns of such text, per language."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from maple.models.behaviour import ExampleEncoder, ModelKind
from maple.models.example import EncodedExample
from maple.training.batches import encode, micro_batches

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel


class HeldOutError(ValueError):
    """No held-out example can be used; the message says what to raise."""


def examples_to_compare(
    held_out: pl.DataFrame, kind: ModelKind, encoder: ExampleEncoder, rows: int, max_length: int
) -> list[EncodedExample]:
    """Return the first `rows` examples of each language that fit `max_length` tokens, as in training.

    `held_out` has the columns of EXAMPLE_SCHEMA. Raises HeldOutError if there is none.
    """
    by_language: dict[str, list[EncodedExample]] = {}
    for row in held_out.filter(pl.col("output") != "").iter_rows(named=True):
        example = kind.encode(row, encoder)
        group = by_language.setdefault(example.language, [])
        if len(example) <= max_length and len(group) < rows:
            group.append(example)
    if not any(by_language.values()):
        raise HeldOutError(
            f"none of {held_out.height} held-out examples fits finetune.max_length={max_length} tokens, so that the "
            "merge cannot be checked; raise mix.held_out in the dataset's file (a tenth of a language at most is held)"
        )
    return [example for group in by_language.values() for example in group]


def encode_held_out(
    held_out: pl.DataFrame, kind: ModelKind, encoder: ExampleEncoder, *, rows: int, max_length: int
) -> list[EncodedExample]:
    """Encode the first `rows` held-out examples of each language, without those longer than `max_length` tokens."""
    return encode(held_out.filter(pl.int_range(pl.len()).over("language") < rows), kind, encoder, max_length)[0]


def held_out_bits(
    model: "PreTrainedModel | PeftModel",
    kind: ModelKind,
    examples: Sequence[EncodedExample],
    *,
    pad: int,
    batch_tokens: int,
) -> dict[str, float]:
    """Return the bits that a model needs for what it learns of the examples, {language: bits per unit}.

    The unit is the kind's (ModelKind.MEASURE). A mean loss in nats per token cannot be compared between models with
    different tokenizers; bits per byte can. It is the sum of -ln p over a language's completion tokens, EOS included,
    divided by ln 2 and by the completions' bytes in UTF-8 (as in The Pile, arXiv 2101.00027, section 3). Of a
    classifier it is the cross-entropy per label; 1 bit is that of a coin between two labels. No weights count. A
    micro-batch has at most `batch_tokens` tokens. The model's mode is restored, and no random number is drawn.
    """
    import torch

    training = model.training
    model.eval()
    nats: Counter = Counter()
    with torch.no_grad():
        for batch in micro_batches(examples, tokens=batch_tokens, packing=False):
            losses, rows = kind.losses(model, kind.collate(batch, pad, packing=False))
            by_row = torch.zeros(len(batch), dtype=torch.float64).index_add_(0, rows.cpu(), losses.double().cpu())
            for example, loss in zip(batch, by_row.tolist(), strict=True):
                nats[example.language] += loss
    model.train(training)
    size: Counter = Counter()
    for example in examples:
        size[example.language] += example.units
    return {language: nats[language] / math.log(2) / size[language] for language in sorted(+size)}
