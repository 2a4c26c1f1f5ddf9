"""What a model's config rules out: read from its keys as transformers names them, without torch."""

from collections.abc import Mapping
from typing import Any

# The keys under which configs say how many positions a model has learnt, and transformers' defaults for models that are
# built here (a test compares them with transformers).
POSITIONS = ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length", "max_seq_len")
# A vision-language model's are those of its text part.
DEFAULT_POSITIONS = {
    "llama": 2048, "mistral": 131072, "bert": 512, "modernbert": 8192, "mbart": 1024, "m2m_100": 1024, "idefics3": 2048,
    "llava": 2048,
}  # fmt: skip
# Model types whose first position is the one after the id of the padding token, 1 if the config does not say it.
AFTER_PADDING = ("camembert", "roberta", "xlm-roberta", "xlm-roberta-xl")
# Model types of T5's architecture: it knows how far words are from each other, and no positions; `n_positions` is the
# length of pretraining.
LIKE_T5 = ("mt5", "t5")
# Keys under which the tools that quantize models say so in config.json.
QUANTIZED_KEYS = ("quantization_config", "compression_config")
NOT_QUANTIZED = (
    "name the model that it was quantized from: here `bits` of the grid quantizes, and a merge needs 16 bits"
)
# Kinds of rotary embeddings whose factor is part of max_position_embeddings already; the others multiply it.
WITH_FACTOR = ("default", "llama3", "longrope", "su", "mrope", "proportional")


def positions_of(architecture: Mapping[str, Any]) -> int | None:
    """Return the number of positions that a model of this config has, in tokens; None if the config does not say it."""
    text = text_config(architecture)
    positions = next((text[key] for key in POSITIONS if isinstance(text.get(key), int)), None)
    if positions is None or text.get("model_type") in LIKE_T5:
        return None
    if text.get("model_type") in AFTER_PADDING:
        positions -= text.get("pad_token_id", 1) + 1
    scaling = text.get("rope_scaling") or text.get("rope_parameters") or {}
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    if kind in WITH_FACTOR or not isinstance(scaling.get("factor"), int | float):
        return positions
    before = scaling.get("original_max_position_embeddings", positions)
    return max(positions, int(before * scaling["factor"]))


def reason_against_lengths(architecture: Mapping[str, Any], lengths: Mapping[str, int]) -> str | None:
    """Return why a model cannot take prompts and completions of these lengths, {key of the config: tokens}."""
    positions = positions_of(architecture)
    for key, tokens in lengths.items():
        if positions is not None and tokens > positions:
            return f"{key}: {tokens} tokens are above the {positions} positions of the model; write at most {positions}"
    return None


def quantization_key(config: object) -> str | None:
    """Return the key with which a config, or one within it, says that the weights are quantized; None if none does."""
    if not isinstance(config, Mapping):
        return None
    own = (key for key in QUANTIZED_KEYS if config.get(key))
    return next(own, None) or next(filter(None, map(quantization_key, config.values())), None)


def model_type_of(architecture: Mapping[str, Any]) -> str:
    """Return transformers' name of a model's architecture, of its text part if it has several; "" if there is none."""
    return str(text_config(architecture).get("model_type") or architecture.get("model_type") or "")


def ties_embeddings(architecture: Mapping[str, Any], default: bool | None = None) -> bool | None:
    """Return True if input embedding and output layer are one matrix; `default` if the config does not say it."""
    return text_config(architecture).get("tie_word_embeddings", architecture.get("tie_word_embeddings", default))


def text_config(architecture: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the keys of a model's text part; all keys of a model without parts."""
    text = architecture.get("text_config")
    return text if isinstance(text, Mapping) else architecture
