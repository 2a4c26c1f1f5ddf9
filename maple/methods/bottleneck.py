"""Bottleneck adapters as types of PEFT: a down projection, an activation, an up projection and a residual connection.

Houlsby et al. 2019 (arXiv 1902.00751) put one behind the attention and one behind the feed-forward block of each layer,
Pfeiffer et al. 2020 (arXiv 2005.00247) one behind the feed-forward block alone, He et al. 2022 (arXiv 2110.04366) one
beside it. Formulas, activations and initial values are those of AdapterHub's `double_seq_bn`, `seq_bn` and `par_bn`
(adapters 1.3.0), whose logits tests/methods reproduce; a base's own dropout acts in front of their adapter, and behind
ours. With x the output of a block, s = x + its input, r the states that enter a layer's feed-forward part before their
normalization, c a number or learnt, and B(h) = up(activation(down(h))):

    Houlsby:                                          x + B(x), before the block's own residual connection
    Pfeiffer, no normalization behind the residual:   s + B(s), the layer's output
    Pfeiffer, LayerNorm behind the residual (BERT):   LayerNorm(s + B(LayerNorm(s)))
    parallel:                                         x + c B(r), x the output of the feed-forward block

Imported by name (maple.methods.own_types).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from transformers.activations import ACT2FN

from maple.methods.adapter_files import AdapterError
from maple.methods.inversion import InversionKeys, inversion_places
from maple.methods.tuner import (
    LIKE_MBART,
    LIKE_T5,
    AdapterLayer,
    OwnConfig,
    Place,
    Site,
    Tuner,
    bottleneck_size,
    projections,
    register_types,
)

# Where the adapters are, by transformers' `model_type`: patterns of whole names of modules. AdapterHub's places, but
# for our choices by the same formulas: ModernBERT and Qwen, which it lacks, and the attention of ALBERT, whose input
# and not output its code hands to the adapter (albert/modeling_albert.py, commit 2331cc8). ALBERT's layers share their
# weights, and so its one adapter.
LIKE_BERT = ("bert", "camembert", "deberta", "deberta-v2", "electra", "roberta", "xlm-roberta")
LIKE_LLAMA = ("llama", "mistral", "qwen2", "qwen3")
BEHIND_BLOCKS = {
    **dict.fromkeys(LIKE_BERT, r".*\.layer\.\d+\.(attention\.)?output\.dense"),
    "albert": r".*\.albert_layers\.\d+\.(attention\.dense|ffn_output)",
    "distilbert": r".*\.layer\.\d+\.(attention\.out_lin|ffn\.lin2)",
    "modernbert": r".*\blayers\.\d+\.(attn|mlp)\.Wo",
    **dict.fromkeys(LIKE_LLAMA, r".*\blayers\.\d+\.(self_attn\.o_proj|mlp\.down_proj)"),
    **dict.fromkeys((*LIKE_MBART, "bart"), r".*\.layers\.\d+\.(self_attn\.out_proj|fc2)"),
    **dict.fromkeys(LIKE_T5, r".*\bblock\.\d+\.layer\.\d+\.(SelfAttention\.o|DenseReluDense\.wo)"),
}
BEHIND_LAYERS = {
    **dict.fromkeys(LIKE_BERT, r".*\.layer\.\d+\.output\.LayerNorm"),
    "albert": r".*\.albert_layers\.\d+\.full_layer_layer_norm",
    "distilbert": r".*\.layer\.\d+\.output_layer_norm",
    "bart": r".*\.layers\.\d+\.final_layer_norm",
    **dict.fromkeys((*LIKE_LLAMA, *LIKE_MBART, "modernbert"), r".*\blayers\.\d+"),
    **dict.fromkeys(LIKE_T5, r".*\bblock\.\d+"),
}
FEED_FORWARD = {
    **dict.fromkeys(LIKE_MBART, r".*\.layers\.\d+\.fc2"),
    **dict.fromkeys(LIKE_T5, r".*\bblock\.\d+\.layer\.\d+\.DenseReluDense"),
}
# Beside it, the normalization whose input is r.
NORMS = ("final_layer_norm", "layer_norm")


@dataclass
class BottleneckConfig(OwnConfig):
    """What a bottleneck adapter is made of."""

    reduction_factor: int = field(default=16, metadata={"help": "hidden size of the model / size of the bottleneck"})
    non_linearity: str | None = field(default=None, metadata={"help": "activation, by transformers' name"})


@dataclass
class HoulsbyConfig(InversionKeys, BottleneckConfig):
    """Adapters behind attention and feed-forward blocks."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type: Any = "HOULSBY"
        self.non_linearity = self.non_linearity or "silu"  # which AdapterHub calls swish


@dataclass
class PfeifferConfig(InversionKeys, BottleneckConfig):
    """Adapters behind layers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type: Any = "PFEIFFER"
        self.non_linearity = self.non_linearity or "relu"


@dataclass
class ParallelConfig(BottleneckConfig):
    """Adapters beside feed-forward blocks."""

    reduction_factor: int = field(default=2, metadata={"help": "hidden size of the model / size of the bottleneck"})
    scale: Any = field(default=4.0, metadata={"help": "factor of what is added; learned: one for each layer, from 1"})

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type: Any = "PARALLEL"
        self.non_linearity = self.non_linearity or "relu"
        if self.scale != "learned" and not isinstance(self.scale, int | float):
            raise ValueError(f"adapter.scale: {self.scale!r}: write a number, or learned")


class BottleneckLayer(AdapterLayer):
    """A module of the base, and the bottleneck behind it."""

    module_dicts = ("bottleneck_down", "bottleneck_up")
    folds = "the activation between its projections is not linear"

    def weights(self, config: Any, site: Site) -> Mapping[str, nn.Module | nn.Parameter]:
        """Return both projections."""
        size = bottleneck_size(self.width, config.reduction_factor)
        down, up = projections(self.width, size)
        return {"bottleneck_down": down, "bottleneck_up": up}

    def bottleneck(self, name: str, states: Tensor) -> Tensor:
        """Return B(states) of one adapter, in the dtype of its weights."""
        down: Any = self.bottleneck_down[name]
        return self.bottleneck_up[name](ACT2FN[self.configs[name].non_linearity](down(states.to(down.weight.dtype))))

    def added(self, states: Tensor) -> Tensor:
        """Return what the active adapters add to `states` [..., width], in the dtype of `states`."""
        total = torch.zeros_like(states)
        for name in self.acting():
            total = total + self.bottleneck(name, states).to(states.dtype)
        return total

    def forward(self, states: Tensor, *args: Any, **kwargs: Any) -> Any:
        """Compute the module, and what the adapters add behind it."""
        output = self.base_layer(states, *args, **kwargs)
        if self.disable_adapters:
            return output
        if isinstance(self.base_layer, nn.LayerNorm):
            return self.base_layer(states + self.added(output))
        if isinstance(output, tuple):  # a layer of a model that returns its attention, too
            return output[0] + self.added(output[0]), *output[1:]
        return output + self.added(output)


class ParallelLayer(BottleneckLayer):
    """A feed-forward block, or the last module of it, and the bottleneck beside it."""

    parameter_dicts = ("bottleneck_scale",)

    def weights(self, config: Any, site: Site) -> Mapping[str, nn.Module | nn.Parameter]:
        """Return both projections, the upper of zeros so that nothing is added at the start, and a learnt scale."""
        size = bottleneck_size(self.width, config.reduction_factor)
        down, up = nn.Linear(self.width, size), nn.Linear(size, self.width)
        nn.init.kaiming_uniform_(down.weight, a=math.sqrt(5))
        for zeros in (down.bias, up.weight, up.bias):
            nn.init.zeros_(zeros)
        learnt = {"bottleneck_scale": nn.Parameter(torch.ones(1))} if config.scale == "learned" else {}
        return {"bottleneck_down": down, "bottleneck_up": up, **learnt}

    def attach(self, parent: nn.Module) -> None:
        """Read the input of the normalization beside the block."""
        norm = next((getattr(parent, name) for name in NORMS if hasattr(parent, name)), None)
        if norm is None:
            raise AdapterError(f"adapter.target_modules: no {' or '.join(NORMS)}, whose input it reads, is beside it")
        self.hook = norm.register_forward_pre_hook(self.read)

    def detach(self) -> None:
        """Read it no longer."""
        self.hook.remove()

    def read(self, norm: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        """Keep the input of a layer's normalization until its feed-forward block has been computed."""
        self.states = arguments[0]

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """Compute the module, and what the adapters add beside it."""
        output, states = self.base_layer(*args, **kwargs), self.states
        del self.states  # so that they are not kept in memory
        for name in self.acting():
            scale = self.bottleneck_scale[name] if name in self.bottleneck_scale else self.configs[name].scale
            output = output + (scale * self.bottleneck(name, states)).to(output.dtype)
        return output


class HoulsbyModel(Tuner):
    """A model with adapters behind its attention and feed-forward blocks."""

    layer = BottleneckLayer
    target_module_mapping: Any = BEHIND_BLOCKS

    def places(self, config: Any, model_type: str) -> Sequence[Place]:
        """Return where the invertible adapter is."""
        return inversion_places(config, model_type)


class PfeifferModel(HoulsbyModel):
    """A model with adapters behind its layers."""

    target_module_mapping: Any = BEHIND_LAYERS


class ParallelModel(Tuner):
    """A model with adapters beside its feed-forward blocks."""

    layer = ParallelLayer
    target_module_mapping: Any = FEED_FORWARD


def register() -> None:
    """Make PEFT know these types."""
    register_types(
        {
            "HOULSBY": (HoulsbyConfig, HoulsbyModel),
            "PFEIFFER": (PfeifferConfig, PfeifferModel),
            "PARALLEL": (ParallelConfig, ParallelModel),
        }
    )
