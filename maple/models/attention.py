"""Attention of packed rows: each example by itself, as the model's own code computes it."""

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from maple.models.tiny import BaseError

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PretrainedConfig, PreTrainedModel

ATTENTION = "by_example"  # the name under which transformers knows our attention
# What torch's scaled_dot_product_attention leaves out without a word: soft caps of logits (Gemma 2), sinks (gpt-oss).
# An argument of one of these names sends a layer to the attention of the model's own code.
LEFT_OUT_BY_SDPA = ("softcap", "s_aux")

# The lengths of the examples in the row that is computed, None for rows that are not packed. Not an argument of the
# model: some pass their attention no arguments of ours (StableLM), others refuse them (MPT). It lasts until the next
# micro-batch, because gradient checkpointing computes layers again in the backward pass.
_row: dict[str, Sequence[int] | None] = {"lengths": None}


def set_row(lengths: Sequence[int] | None) -> None:
    """Say which examples the next rows contain: their lengths in tokens, or None for rows that are not packed."""
    _row["lengths"] = lengths


def loaded_implementation(config: "PretrainedConfig") -> str | None:
    """Return the attention to load a model with, None for transformers' own choice.

    That choice is torch's attention wherever a class allows it, which Gemma 2's does although its soft caps are lost.
    """
    text = config.get_text_config()
    return "eager" if getattr(text, "attn_logit_softcapping", None) else None


def own_implementation(model: "PreTrainedModel") -> str:
    """Return the attention that a model's own code has: `eager`, or the one that it cannot change once it is loaded.

    Falcon is such a model: its eager attention adds the ALiBi biases twice (transformers 5.19), torch's once.
    """
    return "eager" if model._can_set_attn_implementation() else str(model.config._attn_implementation)


def keeps_keys_alone(model: "PreTrainedModel") -> bool:
    """Return True if a model keeps keys and values alone between tokens, not states that have read all before them."""
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

    if model._is_stateful:
        return False
    try:
        layers = DynamicCache(config=model.config).layers
    except AttributeError:  # a config of the repository's own code that says nothing of its layers
        return False
    return all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)


def reason_against_packing(model: "PreTrainedModel", max_length: int) -> str | None:
    """Return why examples of up to `max_length` tokens cannot share a row, as the model is built; None if nothing does.

    What is not seen here, a comparison of losses finds (maple.training.preflight), in 16-bit arithmetic less sharply.
    """
    if not model._can_set_attn_implementation():
        return "the model's attention is its own and cannot be told where an example ends"
    if not keeps_keys_alone(model):
        return "a state of the model runs through the row, from one example into the next"
    chunk = getattr(model.config.get_text_config(), "attention_chunk_size", None)
    if chunk and max_length > chunk:
        return f"the model's attention is cut at every {chunk} tokens of a row, and finetune.max_length is {max_length}"
    return None


def separate_examples(model: "PreTrainedModel") -> None:
    """Change a model's attention so that no example of a packed row sees another.

    Flash attention, if it is installed, does so by itself. Otherwise attention is called for one example after the
    other: this needs no mask of the whole row, and computes nothing that a mask would hide.
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.utils.import_utils import is_flash_attn_2_available

    AttentionInterface.register(ATTENTION, by_example)
    AttentionMaskInterface.register(ATTENTION, lambda *_, **__: None)
    sinks = any(name.endswith(".sinks") for name, _ in model.named_parameters())  # flash attention 2 has none
    flash = is_flash_attn_2_available() and model._supports_flash_attn and not sinks
    model.set_attn_implementation("flash_attention_2" if flash else ATTENTION)


def by_example(
    module: Any, query: "Tensor", key: "Tensor", value: "Tensor", attention_mask: "Tensor | None", **kwargs: Any
) -> "tuple[Tensor, Tensor | None]":
    """Attention of transformers' form: query, key and value are [rows, heads, length, size of a head].

    Padding stands last, so that no mask is needed for it. A sliding window is applied within each example.
    """
    import torch

    lengths = _row["lengths"]
    attend = _attention_of(module, kwargs)
    if lengths is None:
        return attend(query, key, value), None
    parts = zip(*(states.split(list(lengths), dim=2) for states in (query, key, value)), strict=True)
    return torch.cat([attend(*part) for part in parts], dim=1), None


def _attention_of(module: Any, kwargs: dict) -> "Callable[[Tensor, Tensor, Tensor], Tensor]":
    """Return the attention over one example: torch's, or the module's own if torch's would leave something out."""
    import torch
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    window = kwargs.get("sliding_window")
    needed = [name for name in LEFT_OUT_BY_SDPA if kwargs.get(name) is not None]
    own = getattr(sys.modules[type(module).__module__], "eager_attention_forward", None) if needed else None
    if needed and own is None:
        raise BaseError(f"{type(module).__name__} has {needed[0]}, and no eager_attention_forward beside it")

    def attend(query: "Tensor", key: "Tensor", value: "Tensor") -> "Tensor":
        length = query.shape[2]
        if own is not None:
            hidden = ~_visible(length, window, query.device)
            mask = torch.zeros_like(hidden, dtype=query.dtype).masked_fill(hidden, torch.finfo(query.dtype).min)
            return own(module, query, key, value, mask, **kwargs)[0]
        mask = _visible(length, window, query.device) if window and length > window else None
        return sdpa_attention_forward(module, query, key, value, mask, **kwargs)[0]

    return attend


def _visible(length: int, window: int | None, device: Any) -> "Tensor":
    """Return which token sees which: itself and those before it, within the window; bool [1, 1, length, length]."""
    import torch

    places = torch.arange(length, device=device)
    distance = places[:, None] - places[None, :]
    return ((distance >= 0) & (distance < (window or length)))[None, None]
