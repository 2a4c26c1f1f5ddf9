"""Bottleneck adapters as types of PEFT: a down projection, an activation, an up projection and a residual connection.

Houlsby et al. 2019 (arXiv 1902.00751) put one behind the attention and one behind the feed-forward block of each layer,
Pfeiffer et al. 2020 (arXiv 2005.00247) one behind the feed-forward block alone. Formulas, activations and initial
values are those of AdapterHub's `double_seq_bn` and `seq_bn` (adapters 1.3.0), whose logits tests/methods reproduce; a
base's own dropout acts in front of their adapter, and behind ours. With x the output of a block, s = x + its input, and
B(h) = up(activation(down(h))):

    Houlsby:                                          x + B(x), before the block's own residual connection
    Pfeiffer, no normalization behind the residual:   s + B(s), the layer's output
    Pfeiffer, LayerNorm behind the residual (BERT):   LayerNorm(s + B(LayerNorm(s)))

Imported by name (maple.methods.own_types).
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from peft import PeftConfig
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING, PEFT_TYPE_TO_PREFIX_MAPPING, PEFT_TYPE_TO_TUNER_MAPPING
from peft.tuners.tuners_utils import BaseTuner, BaseTunerLayer
from torch import Tensor, nn
from transformers.activations import ACT2FN

PREFIX = "bottleneck_"
INIT_STD = 0.02  # AdapterHub's: weights from a normal distribution, biases at zero

# Where the adapters are, by transformers' `model_type`: patterns of whole names of modules. AdapterHub's places, but
# for our choices by the same formulas: ModernBERT and Qwen, which it lacks, and the attention of ALBERT, whose input
# and not output its code hands to the adapter (albert/modeling_albert.py, commit 2331cc8). ALBERT's layers share their
# weights, and so its one adapter.
LIKE_BERT = ("bert", "camembert", "deberta", "deberta-v2", "electra", "roberta", "xlm-roberta")
LIKE_LLAMA = ("llama", "mistral", "qwen2", "qwen3")
LIKE_MBART = ("m2m_100", "mbart")
BEHIND_BLOCKS = {
    **dict.fromkeys(LIKE_BERT, r".*\.layer\.\d+\.(attention\.)?output\.dense"),
    "albert": r".*\.albert_layers\.\d+\.(attention\.dense|ffn_output)",
    "distilbert": r".*\.layer\.\d+\.(attention\.out_lin|ffn\.lin2)",
    "modernbert": r".*\blayers\.\d+\.(attn|mlp)\.Wo",
    **dict.fromkeys(LIKE_LLAMA, r".*\blayers\.\d+\.(self_attn\.o_proj|mlp\.down_proj)"),
    **dict.fromkeys((*LIKE_MBART, "bart"), r".*\.layers\.\d+\.(self_attn\.out_proj|fc2)"),
}
BEHIND_LAYERS = {
    **dict.fromkeys(LIKE_BERT, r".*\.layer\.\d+\.output\.LayerNorm"),
    "albert": r".*\.albert_layers\.\d+\.full_layer_layer_norm",
    "distilbert": r".*\.layer\.\d+\.output_layer_norm",
    "bart": r".*\.layers\.\d+\.final_layer_norm",
    **dict.fromkeys((*LIKE_LLAMA, *LIKE_MBART, "modernbert"), r".*\blayers\.\d+"),
}


@dataclass
class BottleneckConfig(PeftConfig):
    """What a bottleneck adapter is made of."""

    reduction_factor: int = field(default=16, metadata={"help": "hidden size of the model / size of the bottleneck"})
    non_linearity: str | None = field(default=None, metadata={"help": "activation, by transformers' name"})
    target_modules: Any = field(default=None, metadata={"help": "modules behind which adapters are; None: by the type"})
    exclude_modules: Any = field(default=None, metadata={"help": "modules that have none"})
    modules_to_save: list[str] | None = field(default=None, metadata={"help": "modules that are trained whole"})


@dataclass
class HoulsbyConfig(BottleneckConfig):
    """Adapters behind attention and feed-forward blocks."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type: Any = "HOULSBY"
        self.non_linearity = self.non_linearity or "silu"  # which AdapterHub calls swish


@dataclass
class PfeifferConfig(BottleneckConfig):
    """Adapters behind layers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type: Any = "PFEIFFER"
        self.non_linearity = self.non_linearity or "relu"


class BottleneckLayer(nn.Module, BaseTunerLayer):
    """A module of the base, and the bottleneck behind it.

    Its projections stand in a dict each, by the adapter's name, which PEFT leaves out of a saved file: a name further
    inside would stay there, and the weights would load under no other name.
    """

    adapter_layer_names = ("bottleneck_down", "bottleneck_up")

    def __init__(self, base_layer: nn.Module, adapter_name: str, config: BottleneckConfig, width: int):
        super().__init__()
        self.base_layer = base_layer
        self.width = width
        self.activations: dict[str, Any] = {}
        self.bottleneck_down, self.bottleneck_up = nn.ModuleDict(), nn.ModuleDict()
        self.add(adapter_name, config)

    def add(self, adapter_name: str, config: BottleneckConfig) -> None:
        """Add a new adapter."""
        size = self.width // config.reduction_factor
        if size < 1:
            raise ValueError(
                f"reduction_factor: {config.reduction_factor} is above the hidden size of the model, {self.width}"
            )
        down, up = nn.Linear(self.width, size), nn.Linear(size, self.width)
        for linear in (down, up):
            nn.init.normal_(linear.weight, std=INIT_STD)
            nn.init.zeros_(linear.bias)
        device = next(self.base_layer.parameters()).device
        self.bottleneck_down[adapter_name], self.bottleneck_up[adapter_name] = down.to(device), up.to(device)
        self.activations[adapter_name] = ACT2FN[str(config.non_linearity)]
        self.set_adapter(self.active_adapters, inference_mode=config.inference_mode)

    def __getattr__(self, name: str) -> Any:
        """Return what the module has: some models read attributes of their layers, as ModernBERT does."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "base_layer":
                raise
            return getattr(self.base_layer, name)

    def added(self, states: Tensor) -> Tensor:
        """Return what the active adapters add to `states` [..., width], in the dtype of `states`."""
        total = torch.zeros_like(states)
        for name in self.active_adapters:
            if name in self.bottleneck_down:
                down: Any = self.bottleneck_down[name]
                up: Any = self.bottleneck_up[name]
                total = total + up(self.activations[name](down(states.to(down.weight.dtype)))).to(states.dtype)
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

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Refuse: an activation lies between the two projections, so that no weight of the base can hold them."""
        raise ValueError("a bottleneck adapter folds into no weights, for its activation is not linear")


class BottleneckModel(BaseTuner):
    """A model with bottleneck adapters."""

    prefix = PREFIX
    tuner_layer_cls = BottleneckLayer

    def _create_and_replace(
        self,
        peft_config: Any,
        adapter_name: str,
        target: nn.Module,
        target_name: str,
        parent: nn.Module,
        current_key: str,
        parameter_name: str | None = None,
    ) -> None:
        if isinstance(target, BottleneckLayer):
            target.add(adapter_name, peft_config)
            return
        width = self.model.config.get_text_config().hidden_size
        layer = BottleneckLayer(target, adapter_name, peft_config, width)
        if adapter_name not in self.active_adapters:
            layer.requires_grad_(False)
        setattr(parent, target_name, layer)

    def _replace_module(self, parent: nn.Module, child_name: str, new_module: nn.Module, child: nn.Module) -> None:
        """Put the base's own module back; PEFT would look for a weight of its own, which a layer has not."""
        setattr(parent, child_name, new_module)

    def _prepare_adapter_config(self, peft_config: Any, model_config: dict) -> Any:
        if peft_config.target_modules is None and model_config["model_type"] not in self.target_module_mapping:
            raise ValueError(
                f"adapter.target_modules: where the adapters of a {model_config['model_type']} model are is not known; "
                f"write a pattern of the modules behind which to put them (known: {', '.join(BEHIND_BLOCKS)})"
            )
        return super()._prepare_adapter_config(peft_config, model_config)


class HoulsbyModel(BottleneckModel):
    """A model with adapters behind its attention and feed-forward blocks."""

    target_module_mapping: Any = BEHIND_BLOCKS


class PfeifferModel(BottleneckModel):
    """A model with adapters behind its layers."""

    target_module_mapping: Any = BEHIND_LAYERS


def register() -> None:
    """Make PEFT know these types. They have no place in its enum of types, and need none: it looks them up by name."""
    types: dict[str, tuple[type[PeftConfig], type[BaseTuner]]] = {
        "HOULSBY": (HoulsbyConfig, HoulsbyModel),
        "PFEIFFER": (PfeifferConfig, PfeifferModel),
    }
    for name, (config, model) in types.items():
        key: Any = name
        PEFT_TYPE_TO_CONFIG_MAPPING[key], PEFT_TYPE_TO_TUNER_MAPPING[key] = config, model
        PEFT_TYPE_TO_PREFIX_MAPPING[key] = PREFIX
