"""The size of a model by its config."""

from collections.abc import Mapping
from dataclasses import dataclass

from maple.definitions.errors import DefinitionError


@dataclass(frozen=True)
class Size:
    """The size of a model."""

    parameters: int
    """Number of parameters."""
    linear: int
    """Inputs and outputs of all matrices of its layers, added up: LoRA of rank r has r times as many parameters."""
    cache: int
    """Bytes of key-value cache per token, in 16 bits."""


def size_of(architecture: Mapping) -> Size:
    """Return the size of a LLaMA, Mistral or Qwen2 from its config (transformers' keys), without biases.

    Raises DefinitionError for another model_type.
    """
    if architecture["model_type"] not in ("llama", "mistral", "qwen2"):
        raise DefinitionError(f"maple/models/size.py has no formula for the size of a {architecture['model_type']}")
    width, inner, layers = (architecture[key] for key in ("hidden_size", "intermediate_size", "num_hidden_layers"))
    heads = architecture["num_attention_heads"]
    head = architecture.get("head_dim") or width // heads
    query, keys = heads * head, architecture.get("num_key_value_heads", heads) * head
    shapes = [(width, query), (width, keys), (width, keys), (query, width), *[(width, inner)] * 2, (inner, width)]
    embeddings = architecture["vocab_size"] * width * (1 if architecture.get("tie_word_embeddings") else 2)
    return Size(
        parameters=embeddings + layers * (sum(a * b for a, b in shapes) + 2 * width) + width,
        linear=layers * sum(a + b for a, b in shapes),
        cache=2 * 2 * layers * keys,
    )
