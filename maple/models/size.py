"""The size of a model, from transformers' own code: its network is built on torch's meta device, without weights."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maple.definitions.parts import LANGUAGE_MODEL
from maple.models.empty import empty_network
from maple.models.vision_parts import ARCHITECTURES

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

# Parameters of experts among which a router chooses; shared experts compute for every token.
ROUTED_EXPERTS = re.compile(r"(^|\.)experts\.")
# The keys under which configs say how many of them compute for a token.
EXPERTS_PER_TOKEN = ("num_experts_per_tok", "num_experts_per_token", "top_k_experts", "moe_topk")

CAUSAL = "AutoModelForCausalLM"


class UnknownSizeError(ValueError):
    """transformers cannot build the network; the message says why, and what to write."""


@dataclass(frozen=True)
class Size:
    """The size of a model."""

    parameters: int
    """Number of parameters."""
    active: int
    """Parameters that compute for one token: neither embeddings that are looked up, nor experts that are not chosen."""
    linear: int
    """Inputs and outputs of all linear layers but the output layer, added up: LoRA of rank r has r times as many
    parameters. Experts that are stored as one tensor are no such layers. Of a vision-language model, those of its
    language model, which alone adapters change."""
    cache: float
    """Bytes of key-value cache per token, in 16 bits, in layers that keep all tokens."""
    window: int = 0
    """Tokens that the other layers keep; 0 if there are none."""
    window_cache: float = 0.0
    """Bytes of key-value cache per token, in 16 bits, in layers that keep `window` tokens."""
    notes: tuple[str, ...] = ()
    """What these figures leave out."""

    def cached(self, tokens: float) -> float:
        """Return the bytes that the keys and values of one sequence take, in 16 bits."""
        return self.cache * tokens + self.window_cache * min(tokens, self.window)


def size_of_keys(architecture: Mapping[str, Any], auto_class: str = CAUSAL) -> Size:
    """Return the size of a model by keys of its config.json; transformers' defaults stand for the keys that lack.

    `auto_class` is that of its kind.
    """
    from transformers import AutoConfig

    return _size(lambda: AutoConfig.for_model(**architecture), auto_class, trust_remote_code=False)


def size_of_folder(folder: str | Path, auto_class: str = CAUSAL, *, trust_remote_code: bool = False) -> Size:
    """Return the size of the model in a Hub-style folder, by the Auto class of its kind; its weights are not read."""
    from transformers import AutoConfig

    return _size(
        lambda: AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code),
        auto_class,
        trust_remote_code=trust_remote_code,
    )


def _size(read: Any, auto_class: str, *, trust_remote_code: bool) -> Size:
    try:
        config = read()
        network = empty_network(config, auto_class, trust_remote_code=trust_remote_code)
        return size_of_network(network)
    # Whatever a config makes transformers raise: a size that is not known must not end a forecast.
    except Exception as error:
        import transformers

        told = " ".join(str(error).split()) or "no message"
        raise UnknownSizeError(
            f"transformers {transformers.__version__} builds no network of its config "
            f"({type(error).__name__}: {told[:200]})"
        ) from error


def size_of_network(network: "PreTrainedModel") -> Size:
    """Return the size of a network, which may be one without weights."""
    from torch.nn import Linear
    from transformers.pytorch_utils import Conv1D

    config = network.config.get_text_config()
    output = network.get_output_embeddings()
    parts = ARCHITECTURES.get(network.config.model_type)
    layers = [
        layer
        for name, layer in network.named_modules()
        if isinstance(layer, Linear | Conv1D)
        and layer is not output
        and (parts is None or parts.part_of(name) == LANGUAGE_MODEL)
    ]
    active, missing = _active(network, config)
    # A model that does not generate keeps no keys and values.
    cache, window, window_cache, notes = _cache(config) if network.can_generate() else (0.0, 0, 0.0, [])
    return Size(
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        active=active,
        linear=sum(sum(layer.weight.shape) for layer in layers),
        cache=cache,
        window=window,
        window_cache=window_cache,
        notes=(*missing, *notes),
    )


def _active(network: "PreTrainedModel", config: "PreTrainedConfig") -> tuple[int, list[str]]:
    """Return the parameters that compute for one token, and what could not be told."""
    from torch.nn import Embedding

    output: Any = network.get_output_embeddings()
    looked_up = {id(layer.weight) for layer in network.modules() if isinstance(layer, Embedding)}
    looked_up -= {id(output.weight)} if output is not None else set()  # tied to the input embedding
    chosen = next((count for key in EXPERTS_PER_TOKEN if (count := getattr(config, key, None))), None)
    active, notes = 0.0, []
    groups = getattr(config, "num_hidden_groups", None)  # ALBERT's layers share the weights of so many
    for name, parameter in network.named_parameters():
        share = 1.0
        if id(parameter) in looked_up:
            share = 0.0
        elif groups and "layer_groups" in name:
            share = config.num_hidden_layers / groups
        elif ROUTED_EXPERTS.search(name):
            # All experts of a layer are one tensor, experts first.
            if chosen and parameter.ndim > 1:
                share = min(1.0, chosen / parameter.shape[0])
            elif not notes:
                notes.append("all experts are counted as if they computed for every token")
        active += share * parameter.numel()
    return round(active), notes


def _cache(config: Any) -> tuple[float, int, float, list[str]]:
    """Return bytes per token of layers that keep all, tokens and bytes per token of windows, and what is left out.

    Which layers keep all tokens, the last ones or none, transformers' own cache says.
    """
    from transformers import DynamicCache

    layers = DynamicCache(config=config).layers or [None] * config.num_hidden_layers
    configs = getattr(config, "per_layer_config", None) or [config] * len(layers)
    full, window_cache, windows, states = 0.0, 0.0, set(), 0
    for layer, of_layer in zip(layers, configs, strict=False):  # layers that share the keys of earlier ones cache none
        if window := getattr(layer, "sliding_window", None):
            windows.add(window)
            window_cache += _bytes_per_token(of_layer)
        elif type(layer).__name__ == "LinearAttentionLayer":
            states += 1
        else:
            full += _bytes_per_token(of_layer)
    notes = []
    if states:
        notes.append(f"the states of {states} layers without a key-value cache are left out of the memory")
    if getattr(config, "kv_lora_rank", None):
        notes.append("of multi-head latent attention the latents are counted, as vLLM caches them")
    if config.is_encoder_decoder:
        notes.append("the cache of what the encoder read is left out")
        notes.append("each token is counted as if encoder and decoder both read it")
    return full, max(windows, default=0), window_cache, notes


def _bytes_per_token(config: Any) -> float:
    """Return the bytes of one layer's keys and values of one token, in 16 bits."""
    if latent := getattr(config, "kv_lora_rank", None):  # multi-head latent attention (arXiv 2405.04434)
        return 2.0 * (latent + (getattr(config, "qk_rope_head_dim", None) or 0))
    heads = getattr(config, "num_attention_heads", None)
    if not heads:
        return 0.0
    head = getattr(config, "head_dim", None) or config.hidden_size // heads
    shared = getattr(config, "num_key_value_heads", None) or getattr(config, "num_kv_heads", None) or heads
    if getattr(config, "multi_query", False) and not getattr(config, "new_decoder_architecture", False):
        shared = 1
    return 2.0 * 2 * shared * head
