"""AdapterHub's names of the weights of our adapters, and weights that are a formula of them.

`shared/reference/adapters_golden/golden_adapters.json` has what adapters 1.3.0 computes with them on
transformers 4.57.6.
"""

import zlib

import numpy as np

AMPLITUDE = 0.2
PARTS = {
    "bottleneck_down": "adapter_down.0", "bottleneck_up": "adapter_up", "bottleneck_scale": "scaling",
    "bottleneck_gate": "gate", "prefix_embedding": "wte",
    "prefix_hidden": "control_trans.0", "prefix_out": "control_trans.2", "prefix_flat": "control_trans",
    "low_rank_down": "lora_A", "low_rank_up": "lora_B", "low_rank_gate": "gate", "lora_A": "lora_A",
    "lora_B": "lora_B", "ia3_l": "lora_B",
}  # fmt: skip
PREFIXES = {"encoder.self": "encoder_prefix", "decoder.self": "self_prefix", "decoder.encoder": "cross_prefix"}


def by_formula(name: str, shape) -> np.ndarray:
    """Return AMPLITUDE * sin(0.37 i + crc32(name) % 1000); 1 is added to the weight of a normalization."""
    values = AMPLITUDE * np.sin(
        0.37 * np.arange(int(np.prod(shape)), dtype=np.float64) + zlib.crc32(name.encode()) % 1000
    )
    return (values + ("norm" in name and name.endswith("weight"))).reshape(shape)


def adapter_hub_s_name(name: str, peft: str) -> str:
    """Return AdapterHub's name of one of our weights, as model.encoder.layers.0.fc2.bottleneck_down.default.bias."""
    parts = [part for part in name.split(".") if part != "base_layer"]
    at = parts.index("default")
    module, kind, rest = ".".join(parts[: at - 1]), parts[at - 1], parts[at + 1 :]
    if kind == "bottleneck_rule":
        return "model.shared_parameters.a.phm_rule"
    if kind.startswith("inversion"):
        _, side, projection = kind.split("_")
        return f"model.encoder.invertible_adapters.a.{side.upper()}.{0 if projection == 'down' else 2}.{rest[0]}"
    if kind == "prefix_gate":
        return f"{module}.prefix_tuning.prefix_gates.a.{rest[0]}"
    if kind.startswith("prefix"):
        prefix = next(hub for ours, hub in PREFIXES.items() if f"{parts[1]}.{parts[4]}".startswith(ours))
        return ".".join(
            ["model.encoder.layers.0.self_attn.prefix_tuning.pool.prefix_tunings.a", prefix, PARTS[kind], *rest]
        )
    if kind.startswith("bottleneck"):
        place = "attention" if module.endswith("self_attn.out_proj") else "output"
        module = module.removesuffix(".self_attn.out_proj").removesuffix(".fc2")
        if peft.startswith("COMPACTER"):
            rest = [{"left": "W_left", "right": "W_right", "bias": "b"}[rest[0]]]
        return ".".join([f"{module}.{place}_adapters.adapters.a", PARTS[kind], *rest])
    return ".".join([f"{module}.loras.a", PARTS[kind], *(rest if kind.endswith("gate") else [])])
