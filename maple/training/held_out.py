"""How well a model knows text that nobody trained it on: bits per byte, by language."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from maple.models.encoding import Encoder
from maple.training.batches import Encoded, encode, negative_log_likelihoods, passes, tensors

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def encode_held_out(held_out: pl.DataFrame, encoder: Encoder, *, rows: int, max_length: int) -> list[Encoded]:
    """Encode the first `rows` held-out examples of each language, less those longer than `max_length` tokens."""
    return encode(held_out.filter(pl.int_range(pl.len()).over("language") < rows), encoder, max_length)[0]


def bits_per_byte(
    model: "PreTrainedModel", examples: Sequence[Encoded], *, pad: int, batch_tokens: int
) -> dict[str, float]:
    """Return how many bits a model needs for a byte of the completions, {language: bits per byte}.

    That is the sum of -ln p over a language's completion tokens, their end included, by ln 2 and by the completions'
    bytes in UTF-8 (as The Pile has it, arXiv 2101.00027, section 3). Unlike the loss in nats a token it compares over
    tokenizers. A pass has at most `batch_tokens` tokens; the model is left as it was, and no random number is drawn.
    """
    import torch

    training = model.training
    model.eval()
    nats: Counter = Counter()
    with torch.no_grad():
        for chosen in passes(examples, tokens=batch_tokens, packing=False):
            losses, rows = negative_log_likelihoods(model, tensors(chosen, pad, packing=False))
            of_rows = torch.zeros(len(chosen), dtype=torch.float64).index_add_(0, rows.cpu(), losses.double().cpu())
            for example, loss in zip(chosen, of_rows.tolist(), strict=True):
                nats[example.language] += loss
    model.train(training)
    size: Counter = Counter()
    for example in examples:
        size[example.language] += example.completion_bytes
    return {language: nats[language] / math.log(2) / size[language] for language in sorted(+size)}
