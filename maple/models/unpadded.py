"""Encoder layers that compute no padding: they see the tokens of all texts in one row, and attention each text alone.

Padded to the longest of them, 16 random tweets have 1.7 times the tokens that they have alone (docs/classification.md).
"""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PretrainedConfig, PreTrainedModel

ATTENTION = "unpadded_sdpa"  # the name under which transformers knows our attention
# The module of the layers, by model_type: of networks in which embeddings alone know a token's position, so that layers
# may see it anywhere in a row. DeBERTa's attention knows distances, ModernBERT's rotates by position: they are padded.
# Each was measured: tests/models/test_unpadded.py.
LAYERS = {
    "albert": "encoder",
    "bert": "encoder",
    "distilbert": "transformer",
    "electra": "encoder",
    "roberta": "encoder",
    "xlm-roberta": "encoder",
}


@dataclass(frozen=True)
class Texts:
    """Where the tokens of a batch of texts lie, [rows, length] with padding and one after the other without."""

    rows: int
    length: int
    places: "Tensor"
    """[tokens] The places of the tokens in the flattened padded batch."""
    mask: "Tensor"
    """[rows, 1, 1, length] True where a text has a token."""

    @classmethod
    def of(cls, attention_mask: "Tensor") -> "Texts":
        """Return the texts of a batch by its attention mask, [rows, length]."""
        mask = attention_mask.bool()
        rows, length = mask.shape
        return cls(rows, length, mask.flatten().nonzero()[:, 0], mask[:, None, None])

    def without_padding(self, states: "Tensor") -> "Tensor":
        """Return [rows, length, ...] as [1, tokens, ...]."""
        return states.flatten(0, 1).index_select(0, self.places)[None]

    def with_padding(self, states: "Tensor") -> "Tensor":
        """Return [1, tokens, ...] as [rows, length, ...], zero at padding."""
        padded = states.new_zeros(self.rows * self.length, *states.shape[2:])
        return padded.index_copy(0, self.places, states[0]).unflatten(0, (self.rows, self.length))


def remove_padding(network: "PreTrainedModel") -> None:
    """Let the layers of a loaded encoder compute no padding, if its architecture is one of LAYERS.

    Embeddings, pooler and head still see [rows, length]. An output at padding is zero, which no head reads. Attention
    is torch's, of each text alone. After `set_attn_implementation` with another name the layers are padded as before.
    """
    from transformers import AttentionInterface, AttentionMaskInterface

    name = LAYERS.get(network.config.model_type)
    if name is None:
        return
    AttentionInterface.register(ATTENTION, _attention)
    AttentionMaskInterface.register(ATTENTION, lambda *_, attention_mask=None, **__: attention_mask)
    network.set_attn_implementation(ATTENTION)
    layers = getattr(network.base_model, name)
    layers.register_forward_pre_hook(partial(_before, network.config), with_kwargs=True)
    layers.register_forward_hook(_after, with_kwargs=True)


def _before(config: "PretrainedConfig", layers: "nn.Module", args: tuple, kwargs: dict) -> tuple[tuple, dict] | None:
    """Give the layers the tokens of all texts as one row, and their places in the place of the attention mask.

    Rows that begin with keys of PEFT's prefix tuning stay padded.
    """
    named = dict(zip(("hidden_states", "attention_mask"), args, strict=False)) | kwargs
    mask: Any = named.get("attention_mask")
    if config._attn_implementation != ATTENTION or mask is None or named.get("past_key_values") is not None:
        return None
    texts = Texts.of(mask)
    return (), named | {"hidden_states": texts.without_padding(named["hidden_states"]), "attention_mask": texts}


def _after(layers: "nn.Module", args: tuple, kwargs: dict, output: Any) -> Any:
    texts = kwargs.get("attention_mask")
    if isinstance(texts, Texts):
        output["last_hidden_state"] = texts.with_padding(output["last_hidden_state"])
    return output


def _attention(
    module: Any, query: "Tensor", key: "Tensor", value: "Tensor", attention_mask: "Texts | Tensor | None", **kwargs: Any
) -> "tuple[Tensor, Tensor | None]":
    """Attention of transformers' form: query, key and value are [1, heads, tokens, size of a head].

    Of padded rows they are [rows, heads, length, size of a head], and the mask is [rows, length].
    """
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if not isinstance(attention_mask, Texts):
        mask = None if attention_mask is None else attention_mask[:, None, None].bool()
        return sdpa_attention_forward(module, query, key, value, mask, **kwargs)
    query, key, value = (
        attention_mask.with_padding(states.transpose(1, 2)).transpose(1, 2) for states in (query, key, value)
    )
    attended, _ = sdpa_attention_forward(module, query, key, value, attention_mask.mask, **kwargs)
    return attention_mask.without_padding(attended), None
