"""Which layers of a base `all-linear` means, and which an adapter has changed."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from maple.definitions.method import PeftVariant
from maple.methods.adapter_files import AdapterError
from maple.methods.heads import within
from maple.methods.reach import Reach
from maple.methods.targets import reason_against_experts

if TYPE_CHECKING:
    from peft import PeftModel
    from torch.nn import Module
    from transformers import PreTrainedModel

# Names of the layers that choose experts. An adapter there would change which expert reads a token.
ROUTERS = frozenset({"router", "gate", "shared_expert_gate"})
EVERYWHERE = Reach()
# Linear layers that PEFT (0.21) takes for experts wherever the class of a model once had experts of these names: of
# those that are none it would adapt nothing. Named as parameters they are adapted.
TAKEN_FOR_EXPERTS = frozenset({"gate_proj", "up_proj", "down_proj", "w1", "w2", "w3"})


def all_linear(
    base: "PreTrainedModel", method: PeftVariant, heads: Sequence[str] = (), reach: Reach = EVERYWHERE
) -> dict[str, Any]:
    """Return the adapter's keys, with `target_modules: all-linear` written out where PEFT would read it otherwise.

    That is every linear layer but the output layer, the routers of experts, and layers of state-space models whose
    kernels read the weights themselves, so that an adapter would learn nothing; and experts that are one 3-D parameter,
    which PEFT reaches by `target_parameters`. Of a model with heads that finetuning starts anew, an encoder, these are
    the linear layers of its numbered layers: neither poolers nor projections around them. Layers beyond `reach` are
    left out. Raises AdapterError for a
    type or key that PEFT does not have for them.
    """
    if method.adapter.get("target_modules") != "all-linear":
        return {}
    linear = {name: layer for name, layer in _linear_layers(base).items() if reach.has(name)}
    if heads:
        return {"target_modules": sorted(name for name in linear if _numbered(name) and not within(name, heads))}
    unfit = {name for name in linear if ROUTERS & set(name.split("."))} | _read_by_kernels(base)
    experts = [name for name in expert_parameters(base) if reach.has(name)]
    if not (unfit & linear.keys() or experts or reach):
        return {}
    names = sorted(linear.keys() - unfit)
    if not experts:
        return {"target_modules": names}
    if reason := reason_against_experts(method.peft, method.adapter):
        raise AdapterError(f"{reason} ({base.config.model_type})")
    taken = [name for name in names if name.rsplit(".", 1)[-1] in TAKEN_FOR_EXPERTS]
    return {
        "target_modules": [name for name in names if name not in taken],
        "target_parameters": [*experts, *(f"{name}.weight" for name in taken)],
    }


def expert_parameters(base: "PreTrainedModel") -> list[str]:
    """Return the names of the parameters [experts, ...] that hold the weights of several experts."""
    return [
        name for name, parameter in base.named_parameters() if parameter.dim() == 3 and "experts" in name.split(".")
    ]


def adapted_layers(network: "PeftModel") -> dict[str, int]:
    """Count the layers that an adapter changes by name, the numbers of layers replaced: {"layers.*.q_proj": 12}."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    base: Any = network.get_base_model()
    counts: Counter = Counter()
    for name, layer in base.named_modules():
        if isinstance(layer, BaseTunerLayer):
            parameter: Any = getattr(layer, "parameter_name", None)
            full = ".".join(part for part in name.split(".") if part != "base_layer")
            counts[re.sub(r"\b\d+\b", "*", f"{full}.{parameter}" if parameter else full)] += 1
    return dict(sorted(counts.items()))


def has_unadapted_experts(network: "PeftModel") -> bool:
    """Return True if the base has experts that are parameters, and the adapter changes none of them."""
    base: Any = network.get_base_model()
    has_experts = any(
        parameter.dim() == 3 and "experts" in name.split(".") and "lora_" not in name
        for name, parameter in base.named_parameters()
    )
    return has_experts and not any("experts" in name.split(".") for name in adapted_layers(network))


def _numbered(name: str) -> bool:
    return any(part.isdecimal() for part in name.split("."))


def _linear_layers(base: "PreTrainedModel") -> "dict[str, Module]":
    from torch.nn import Linear
    from transformers.pytorch_utils import Conv1D

    output = base.get_output_embeddings()
    return {
        name: layer
        for name, layer in base.named_modules()
        if isinstance(layer, Linear | Conv1D) and layer is not output
    }


def _read_by_kernels(base: "PreTrainedModel") -> set[str]:
    """Return the projections whose weights the kernels of a selective state-space layer (Mamba) read themselves."""
    return {
        f"{name}.{child}"
        for name, layer in base.named_modules()
        if hasattr(layer, "A_log") and hasattr(layer, "ssm_state_size")
        for child in ("out_proj", "dt_proj")
    }
