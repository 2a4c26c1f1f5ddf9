"""Prefix tuning of every attention: trained keys and values before its own, in encoder, decoder and between them.

Li and Liang 2021 (arXiv 2101.00190), as AdapterHub has it for encoder-decoder models (`prefix_tuning` and
`prefix_tuning_flat`, adapters 1.3.0): for self-attention of the encoder, of the decoder, and cross-attention each the
keys and values of all layers come from one table of embeddings through one MLP; flat, they are parameters themselves.
PEFT's PREFIX_TUNING has no prefix in the encoder, and one for both attentions of the decoder.

The prefix reaches the attention through transformers' AttentionInterface: while an attention module computes, its
implementation is the one below, which puts the prefix in front of all keys, those of the cache included, and widens the
mask. Every query sees the whole prefix. The cache never holds it, and no position is taken.

Imported by name (maple.methods.own_types).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear as project
from torch.nn.functional import pad
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from maple.methods.tuner import (
    INIT_STD,
    LIKE_MBART,
    LIKE_T5,
    AdapterLayer,
    OwnConfig,
    Site,
    Tuner,
    gate,
    register_types,
    starred,
)

ATTENTIONS = {
    **dict.fromkeys(LIKE_MBART, r".*\.layers\.\d+\.(self_attn|encoder_attn)"),
    **dict.fromkeys(LIKE_T5, r".*\bblock\.\d+\.layer\.\d+\.(SelfAttention|EncDecAttention)"),
}
IMPLEMENTATION = "maple_prefix"
FITTING = ("sdpa", "eager")  # implementations whose masks are those that `attend` widens


@dataclass
class PrefixKeys:
    """The keys of a type that has a prefix."""

    prefix_length: int = field(default=30, metadata={"help": "keys and values before those of each attention"})
    flat: bool = field(default=False, metadata={"help": "true: they are the parameters themselves, without an MLP"})
    bottleneck_size: int = field(default=512, metadata={"help": "hidden size of the MLP"})


@dataclass
class PrefixConfig(PrefixKeys, OwnConfig):
    """A prefix in every attention."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type: Any = "PREFIX_ATTENTION"


@dataclass(frozen=True)
class Prefix:
    """What an attention has before its own keys and values."""

    keys: Tensor
    """[heads, length, size of a head]."""
    values: Tensor
    """As keys."""
    gate: Tensor | None = None
    """By how much they count [batch, queries or 1, 1]; None: wholly."""


class PrefixLayer(AdapterLayer):
    """An attention, and its prefix; the first one of those with the same name in other layers holds the weights."""

    module_dicts = ("prefix_embedding", "prefix_hidden", "prefix_out", "prefix_gate")
    parameter_dicts = ("prefix_flat",)
    folds = "no weight of an attention is a key or a value"

    @staticmethod
    def group(name: str) -> str:
        """Return one group for each attention of a layer."""
        return starred(name)

    def weights(self, config: Any, site: Site) -> Mapping[str, nn.Module | nn.Parameter]:
        """Return the gate, if the type has them, and in the first layer the weights of all prefixes of its group."""
        new: dict[str, nn.Module | nn.Parameter] = {}
        if getattr(config, "gate", None):
            new["prefix_gate"] = nn.Linear(self.width, 1)
            nn.init.normal_(new["prefix_gate"].weight, std=INIT_STD)
        if site.first:
            return new
        size = site.count * 2 * self._heads() * self._head_size()
        if config.flat:
            return {**new, "prefix_flat": nn.Parameter(torch.randn(config.prefix_length * size))}
        return {
            **new,
            "prefix_embedding": nn.Embedding(config.prefix_length, self.width),
            "prefix_hidden": nn.Linear(self.width, config.bottleneck_size),
            "prefix_out": nn.Linear(config.bottleneck_size, size),
        }

    def _heads(self) -> int:
        return self.n_heads if hasattr(self.base_layer, "n_heads") else self.num_heads

    def _head_size(self) -> int:
        return self.key_value_proj_dim if hasattr(self.base_layer, "n_heads") else self.head_dim

    def states(self, name: str) -> Tensor:
        """Return the keys and values of one adapter [2, heads, length, size of a head]."""
        site, config = self.sites[name], self.configs[name]
        holder: Any = site.first or self
        shape = (config.prefix_length, -1, self._heads(), self._head_size())
        own = slice(2 * site.number, 2 * site.number + 2)
        if config.flat:
            return holder.prefix_flat[name].view(shape)[:, own].permute(1, 2, 0, 3)
        hidden = holder.prefix_hidden[name](holder.prefix_embedding[name].weight).tanh()
        out, size = holder.prefix_out[name], self._heads() * self._head_size()
        rows = slice(own.start * size, own.stop * size)
        return project(hidden, out.weight[rows], out.bias[rows]).view(shape).permute(1, 2, 0, 3)

    def forward(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Any:
        """Compute the attention with the prefix of the active adapter."""
        names = self.acting()
        if not names:
            return self.base_layer(hidden_states, *args, **kwargs)
        if len(names) > 1:
            raise ValueError(f"one prefix at a time; {', '.join(names)} are active")
        model: Any = self.base_layer.config
        usual = model._attn_implementation
        if usual not in FITTING:
            raise ValueError(f"a prefix has no attention by {usual}; load the model with {' or '.join(FITTING)}")
        keys, values = self.states(names[0])
        opened = None
        if names[0] in self.prefix_gate:
            opened = gate(self.prefix_gate[names[0]], hidden_states, self.configs[names[0]].gate)
        model._attn_implementation = IMPLEMENTATION
        try:
            return self.base_layer(hidden_states, *args, prefix=Prefix(keys, values, opened), **kwargs)
        finally:
            model._attn_implementation = usual


def attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    prefix: Prefix,
    scaling: float | None = None,
    position_bias: Tensor | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Return the attention [batch, queries, heads, size] of `query` [batch, heads, queries, size] to prefix and `key`.

    A prefix that is gated by token has another size for each query. As both its keys and its values count by the gate
    g, the products with the queries are those of g times the query, and what comes of the values is multiplied by g:
    prefix and text get halves of a head of twice the size, with zeros in the other one's.
    """
    batch, queries, size = len(query), query.shape[2], query.shape[-1]
    if attention_mask is None and queries > 1 and module.is_causal:
        seen = torch.ones(queries, key.shape[2], dtype=torch.bool, device=query.device)
        attention_mask = seen.tril(key.shape[2] - queries)
    widened = (prefix.keys.shape[1], 0)
    if attention_mask is not None:
        attention_mask = pad(attention_mask, widened, value=attention_mask.dtype == torch.bool)
    if position_bias is not None:
        kwargs["position_bias"] = pad(position_bias, widened)
    keys, values = (states.to(key.dtype).expand(batch, -1, -1, -1) for states in (prefix.keys, prefix.values))
    opened = None if prefix.gate is None else prefix.gate[:, None]
    by_token = opened is not None and opened.shape[2] > 1
    if opened is not None and not by_token:
        keys, values = keys * opened, values * opened
    if opened is not None and by_token:
        query = torch.cat([query, query * opened], -1)
        key, value = pad(key, (0, size)), pad(value, (0, size))
        keys, values = pad(keys, (size, 0)), pad(values, (size, 0))
    output, _ = sdpa_attention_forward(
        module,
        query,
        torch.cat([keys, key], 2),
        torch.cat([values, value], 2),
        attention_mask,
        scaling=size**-0.5 if scaling is None else scaling,
        is_causal=False,
        **{name: given for name, given in kwargs.items() if name != "is_causal"},
    )
    if opened is not None and by_token:
        output = output[..., :size] + opened.transpose(1, 2) * output[..., size:]
    return output, None


class PrefixModel(Tuner):
    """A model with a prefix in every attention."""

    layer = PrefixLayer
    target_module_mapping: Any = ATTENTIONS


def register() -> None:
    """Make PEFT know the type, and transformers the attention."""
    AttentionInterface.register(IMPLEMENTATION, attend)
    register_types({"PREFIX_ATTENTION": (PrefixConfig, PrefixModel)})
