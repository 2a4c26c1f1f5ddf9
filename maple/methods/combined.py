"""Types of several adapters at once: MAM and UniPELT.

MAM (He et al. 2022, arXiv 2110.04366) is a prefix in every attention and a bottleneck beside each feed-forward block.
UniPELT (Mao et al. 2022, arXiv 2110.07577) is LoRA at queries and values, a prefix in every attention and a bottleneck
behind each layer, each multiplied by a gate of its own, sigmoid(w x + b). Places, formulas and initial values are those
of AdapterHub's `mam` and `unipelt` (adapters 1.3.0), which leaves out LoRA's alpha where it is gated.

UniPELT's gates are means over a sequence, as published (`gate: sequence`): over padding too, and in the decoder over
the words that are yet to be written, while in generation they see one word at a time. So the default is a gate for
each token (`gate: token`), which is our choice.

Imported by name (maple.methods.own_types).
"""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from maple.methods import prefix
from maple.methods.adapter_files import AdapterError
from maple.methods.bottleneck import (
    BEHIND_LAYERS,
    FEED_FORWARD,
    BottleneckConfig,
    BottleneckLayer,
    ParallelConfig,
    ParallelLayer,
)
from maple.methods.prefix import ATTENTIONS, PrefixKeys, PrefixLayer
from maple.methods.tuner import (
    INIT_STD,
    LIKE_MBART,
    LIKE_T5,
    AdapterLayer,
    Place,
    Site,
    Tuner,
    gate,
    register_types,
    unknown_place,
)

QUERIES_AND_VALUES = {
    **dict.fromkeys(LIKE_MBART, r".*\.layers\.\d+\.(self_attn|encoder_attn)\.[qv]_proj"),
    **dict.fromkeys(LIKE_T5, r".*\bblock\.\d+\.layer\.\d+\.(SelfAttention|EncDecAttention)\.[qv]"),
}
GATES = ("token", "sequence")
SEES_THE_FUTURE = (
    "gate: sequence: UniPELT's gates are means over whole sequences, so that in training a word is predicted with the "
    "words behind it and the padding in view, and in generation with other gates; write gate: token unless this is "
    "what you want to reproduce"
)


@dataclass
class MamConfig(PrefixKeys, ParallelConfig):
    """A prefix in every attention, and adapters beside feed-forward blocks."""

    bottleneck_size: int = field(default=800, metadata={"help": "hidden size of the prefix's MLP"})

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type: Any = "MAM"


@dataclass
class UnipeltConfig(PrefixKeys, BottleneckConfig):
    """LoRA, a prefix and adapters behind layers, all gated."""

    r: int = field(default=8, metadata={"help": "rank of LoRA"})
    prefix_length: int = field(default=10, metadata={"help": "keys and values before those of each attention"})
    gate: str = field(default="token", metadata={"help": "what a gate is computed from: token, or sequence"})

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type: Any = "UNIPELT"
        self.non_linearity = self.non_linearity or "relu"
        if self.gate not in GATES:
            raise ValueError(f"adapter.gate: {self.gate!r}: write {' or '.join(GATES)}")


def new_gate(width: int) -> nn.Linear:
    """Return a gate that is open by half."""
    new = nn.Linear(width, 1)
    nn.init.normal_(new.weight, std=INIT_STD)
    nn.init.zeros_(new.bias)
    return new


class GatedLayer(BottleneckLayer):
    """A layer of the base, and the gated bottleneck behind it."""

    module_dicts = (*BottleneckLayer.module_dicts, "bottleneck_gate")

    def weights(self, config: Any, site: Site) -> Mapping[str, nn.Module | nn.Parameter]:
        """Return both projections and the gate."""
        return {**super().weights(config, site), "bottleneck_gate": new_gate(self.width)}

    def bottleneck(self, name: str, states: Tensor) -> Tensor:
        """Return the gate's share of B(states)."""
        return gate(self.bottleneck_gate[name], states, self.configs[name].gate) * super().bottleneck(name, states)


class LowRankLayer(AdapterLayer):
    """A linear layer of the base, and the gated product of two small ones beside it."""

    module_dicts = ("low_rank_down", "low_rank_up", "low_rank_gate")
    folds = "its gate has another value for each token"

    def weights(self, config: Any, site: Site) -> Mapping[str, nn.Module | nn.Parameter]:
        """Return both matrices, the upper of zeros so that nothing is added at the start, and the gate."""
        inputs, outputs = self.in_features, self.out_features
        down, up = nn.Linear(inputs, config.r, bias=False), nn.Linear(config.r, outputs, bias=False)
        nn.init.kaiming_uniform_(down.weight, a=math.sqrt(5))
        nn.init.zeros_(up.weight)
        return {"low_rank_down": down, "low_rank_up": up, "low_rank_gate": new_gate(inputs)}

    def forward(self, states: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Compute the layer, and add what the adapters let through."""
        output = self.base_layer(states, *args, **kwargs)
        for name in self.acting():
            down = self.low_rank_down[name]
            added = self.low_rank_up[name](down(states.to(down.weight.dtype)))
            output = output + (gate(self.low_rank_gate[name], states, self.configs[name].gate) * added).to(output.dtype)
        return output


class MamModel(Tuner):
    """A model with a prefix in every attention, and adapters beside its feed-forward blocks."""

    layer = ParallelLayer
    target_module_mapping: Any = FEED_FORWARD

    def places(self, config: Any, model_type: str) -> Sequence[Place]:
        """Return where the prefixes are."""
        if model_type not in ATTENTIONS:
            raise unknown_place("peft: MAM: the prefix", model_type, list(ATTENTIONS))
        return [Place(ATTENTIONS[model_type], PrefixLayer)]


class UnipeltModel(Tuner):
    """A model with gated LoRA, prefixes and adapters."""

    layer = GatedLayer
    target_module_mapping: Any = BEHIND_LAYERS

    def places(self, config: Any, model_type: str) -> Sequence[Place]:
        """Return where LoRA and the prefixes are."""
        if model_type not in QUERIES_AND_VALUES:
            raise unknown_place("peft: UNIPELT: LoRA", model_type, list(QUERIES_AND_VALUES))
        return [Place(ATTENTIONS[model_type], PrefixLayer), Place(QUERIES_AND_VALUES[model_type], LowRankLayer)]

    def _check_new_adapter_config(self, config: Any) -> None:
        super()._check_new_adapter_config(config)
        if len(self.peft_config) > 1:
            raise AdapterError("peft: UNIPELT: a model has one at a time; unload the other first")
        if config.gate == "sequence":
            logging.getLogger(__name__).warning(SEES_THE_FUTURE)


def register() -> None:
    """Make PEFT know these types."""
    prefix.register()
    register_types({"MAM": (MamConfig, MamModel), "UNIPELT": (UnipeltConfig, UnipeltModel)})
