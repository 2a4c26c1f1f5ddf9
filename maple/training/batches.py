"""From examples to batches: which of them a step learns from, how they lie in its passes, and their likelihood."""

import itertools
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from maple.models.encoding import Encoder

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


MASKED = -100  # torch's label of a token that is not learnt
BY_EXAMPLE = "sdpa_by_example"  # the name under which transformers knows our attention


@dataclass(frozen=True, eq=False)
class Encoded:
    """An example as tokens: `input_ids` and `labels` (MASKED on the prompt), and the UTF-8 bytes of its completion."""

    language: str
    input_ids: np.ndarray
    labels: np.ndarray
    completion_bytes: int

    def __len__(self) -> int:
        return len(self.input_ids)

    @property
    def completion_tokens(self) -> int:
        """The number of tokens that are learnt, the end of the answer among them."""
        return int((self.labels[1:] != MASKED).sum())


def encode(examples: pl.DataFrame, encoder: Encoder, max_length: int) -> tuple[list[Encoded], int]:
    """Encode examples (columns language, instruction, input, output); count those too long to keep.

    An example longer than `max_length` tokens is left out whole: a cut one would teach not to end.
    """
    encoded, too_long = [], 0
    for language, instruction, input, output in examples.select("language", "instruction", "input", "output").rows():
        input_ids, labels = (np.array(ids, dtype=np.int32) for ids in encoder.example(instruction, input, output))
        if len(input_ids) > max_length:
            too_long += 1
        else:
            encoded.append(Encoded(language, input_ids, labels, len(output.encode())))
    return encoded, too_long


def draw(lengths: Sequence[int], *, steps: int, tokens: int, seed: int) -> list[list[int]]:
    """Return the numbers of the examples that each step learns from; `lengths` are those of all examples, in tokens.

    The seed alone draws the order, and every example once before any again. A step begins with the first example that
    starts beyond a multiple of `tokens`: all steps together learn from steps * tokens, give or take one example, and
    none is empty where no example is longer than `tokens`.
    """
    drawn: list[list[int]] = [[] for _ in range(steps)]
    at = 0
    for epoch in itertools.count():
        order = list(range(len(lengths)))
        random.Random(f"{seed} {epoch}").shuffle(order)
        for example in order:
            if at >= steps * tokens:
                return drawn
            drawn[at // tokens].append(example)
            at += lengths[example]


def shares(examples: Sequence[Encoded], count: int) -> list[list[Encoded]]:
    """Deal a step's examples out to `count` processes, so that each has about as many tokens; their order stays.

    The longest is dealt first, each to who has least so far.
    """
    dealt: list[list[int]] = [[] for _ in range(count)]
    tokens = [0] * count
    for number in sorted(range(len(examples)), key=lambda number: -len(examples[number])):
        least = tokens.index(min(tokens))
        dealt[least].append(number)
        tokens[least] += len(examples[number])
    return [[examples[number] for number in sorted(numbers)] for numbers in dealt]


def unlearnt(example: Encoded) -> Encoded:
    """Return the example with all labels masked: a pass of it alone adds nothing."""
    return replace(example, labels=np.full_like(example.labels, MASKED))


def passes(examples: Iterable[Encoded], *, tokens: int, packing: bool) -> list[list[Encoded]]:
    """Cut a step's examples into passes of at most `tokens` tokens.

    With `packing` a pass is one row of its examples, in the order in which they come, and has no padding. Without, each
    is a row of its own, padded to the longest of its pass, which counts; so those of like length share one.
    """
    laid: list[list[Encoded]] = []
    for example in examples if packing else sorted(examples, key=len, reverse=True):
        if not laid or _size([*laid[-1], example], packing) > tokens:
            laid.append([])
        laid[-1].append(example)
    return laid


def _size(examples: Sequence[Encoded], packing: bool) -> int:
    lengths = [len(example) for example in examples]
    return sum(lengths) if packing else len(lengths) * max(lengths)


def tensors(examples: Sequence[Encoded], pad: int, *, packing: bool) -> dict:
    """Return a pass as a model reads it: `input_ids` and `labels`, [rows, length].

    Of a packed pass also `position_ids`, which start anew in each example, and `example_lengths`: the one is what flash
    attention needs to keep examples apart, the other what `attend_by_example` needs. The first token of an example
    is never learnt: what stands before it is another one. Without packing nothing sees the padding, for it stands last.
    """
    import torch

    rows = [list(examples)] if packing else [[example] for example in examples]
    shape = (len(rows), max(sum(map(len, row)) for row in rows))
    input_ids, labels, position_ids = np.full(shape, pad), np.full(shape, MASKED), np.zeros(shape, dtype=np.int64)
    for number, row in enumerate(rows):
        start = 0
        for example in row:
            place = slice(start, start + len(example))
            input_ids[number, place] = example.input_ids
            labels[number, place] = example.labels
            labels[number, start] = MASKED
            position_ids[number, place] = np.arange(len(example))
            start += len(example)
    batch = {"input_ids": torch.from_numpy(input_ids), "labels": torch.from_numpy(labels)}
    if packing:
        batch |= {"position_ids": torch.from_numpy(position_ids), "example_lengths": [len(one) for one in examples]}
    return batch


def attend_by_example(model: "PreTrainedModel") -> None:
    """Let no example of a packed pass see another.

    Flash attention, where it is installed, does so by itself. Else torch's own attention is asked for one example after
    the other: that needs no mask, and no arithmetic for what a mask would hide.
    """
    import torch
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.integrations.sdpa_attention import sdpa_attention_forward
    from transformers.utils import is_flash_attn_2_available

    def by_example(module, query, key, value, attention_mask, example_lengths=None, **kwargs):
        """Attention of transformers' form: query, key and value are [rows, heads, length, size of a head]."""
        if example_lengths is None:
            return sdpa_attention_forward(module, query, key, value, None, **kwargs)
        parts = zip(*(states.split(example_lengths, dim=2) for states in (query, key, value)), strict=True)
        attended = [sdpa_attention_forward(module, *part, None, **kwargs)[0] for part in parts]
        return torch.cat(attended, dim=1), None

    AttentionInterface.register(BY_EXAMPLE, by_example)
    AttentionMaskInterface.register(BY_EXAMPLE, lambda *_, **__: None)
    model.set_attn_implementation("flash_attention_2" if is_flash_attn_2_available() else BY_EXAMPLE)


def negative_log_likelihoods(model: "PreTrainedModel", batch: dict) -> "tuple[Tensor, Tensor]":
    """Return -ln p of every learnt token of a pass, [learnt tokens] in float32, and the row that each stands in.

    The output layer is asked at these places alone: prompts are most of the tokens, and the vocabulary is the larger
    part of a small model. `model` may have an adapter, also one that puts virtual tokens before the text.
    """
    from accelerate.utils import extract_model_from_parallel, send_to_device
    from torch.nn.functional import cross_entropy

    inner = extract_model_from_parallel(model)
    batch = send_to_device(batch, inner.device)
    labels = batch["labels"][:, 1:]
    learnt = labels != MASKED

    def at_learnt(_, arguments: tuple) -> tuple:
        return (arguments[0][:, -1 - learnt.shape[1] : -1][learnt],)

    handle = inner.get_output_embeddings().register_forward_pre_hook(at_learnt)
    try:
        text = {name: values for name, values in batch.items() if name != "labels"}
        logits = model(**text, use_cache=False).logits
    finally:
        handle.remove()
    return cross_entropy(logits.float(), labels[learnt], reduction="none"), learnt.nonzero()[:, 0]
