"""Methods: what each of PEFT's types can do. Read before any job starts, so that PEFT itself is not loaded."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from maple.methods.lora_init import moves

# Why a type does not train on quantized weights.
VALUES = "it starts from the values of the base's weights, and PEFT reads none from quantized ones"
PACKED = "PEFT takes the packed 4-bit weights for a matrix and fails in the first step"
OTHER_MODEL = "PEFT multiplies with the raw 8-bit integers and trains another model, without a word"


@dataclass(frozen=True)
class Kind:
    """What one of PEFT's types can do.

    rank: the keys of its config that the axis `rank` sets, with a factor each; empty where it has no rank. alpha: the
    key that alpha_over_rank sets. fails: the bits of a base that it does not train on, with the reason. merges: whether
    it folds into 16-bit weights; a run of a type that does not generates with its adapter attached.
    """

    rank: Mapping[str, float] = field(default_factory=dict)
    alpha: str | None = None
    fails: Mapping[int, str] = field(default_factory=dict)
    merges: bool = True


# By the names that PEFT gives them. Each line was measured (peft 0.21.2, bitsandbytes 0.50.2, CPU): trained on a tiny
# model in 16, 8 and 4 bits, saved, loaded on 16 bits, folded; tests/test_adapters.py does it again.
KINDS = {
    "LORA": Kind({"r": 1}, "lora_alpha"),
    # The first budget is one and a half times the last, as in the paper (arXiv 2303.10512).
    "ADALORA": Kind({"target_r": 1, "init_r": 1.5}, "lora_alpha"),
    "BOFT": Kind(),
    "C3A": Kind(),
    "DELORA": Kind({"r": 1}, fails={8: VALUES, 4: VALUES}),
    "FOURIERFT": Kind(),
    "GLORA": Kind({"r": 1}, fails={8: VALUES, 4: VALUES}),
    "GRALORA": Kind({"r": 1}, "alpha"),
    "HIRA": Kind({"r": 1}),
    "HRA": Kind({"r": 1}, fails={8: OTHER_MODEL, 4: PACKED}),
    "IA3": Kind(),
    "LN_TUNING": Kind(),
    "LOHA": Kind({"r": 1}, "alpha", fails={4: PACKED}),
    "LOKR": Kind({"r": 1}, "alpha", fails={4: PACKED}),
    "MISS": Kind({"r": 1}),
    "OFT": Kind(),
    "PREFIX_TUNING": Kind({"num_virtual_tokens": 1}, merges=False),
    "PROMPT_TUNING": Kind({"num_virtual_tokens": 1}, merges=False),
    "PSOFT": Kind({"r": 1}, "psoft_alpha", fails={8: VALUES, 4: VALUES}),
    "PVERA": Kind({"r": 1}),
    "P_TUNING": Kind({"num_virtual_tokens": 1}, merges=False),
    "RANDLORA": Kind({"r": 1}, "randlora_alpha"),
    "ROAD": Kind(),
    "SHIRA": Kind({"r": 1}),
    "VBLORA": Kind({"r": 1}),
    "VERA": Kind({"r": 1}),
    "WAVEFT": Kind(),
}

# What a key of LoRA's config takes from it: {(key, how its value begins): ({bits}, why)}. Measured in the same way.
WHOLE, QUANTIZED = {16, 8, 4}, {8, 4}
UNFINISHED = (
    "PEFT leaves its regularization to the training loop, and on quantized weights all of it out, without a word"
)
CALIBRATED = "it needs a pass over the data before training, which finetune does not make"
LORA_LIMITS = {
    ("use_dora", "true"): ({8}, "PEFT's DoRA reads no 8-bit weights and fails in the first step"),
    ("init_lora_weights", "pissa"): (QUANTIZED, VALUES),
    ("init_lora_weights", "orthogonal"): (QUANTIZED, VALUES),
    ("init_lora_weights", "mica"): (QUANTIZED, VALUES),
    ("init_lora_weights", "loftq"): (WHOLE, "LoftQ quantizes by itself, and here a base is quantized as it is loaded"),
    ("init_lora_weights", "corda"): (WHOLE, CALIBRATED),
    ("init_lora_weights", "eva"): (WHOLE, CALIBRATED),
    ("init_lora_weights", "lora_ga"): (WHOLE, CALIBRATED),
    ("kasa_config", ""): (WHOLE, UNFINISHED),
    ("monteclora_config", ""): (WHOLE, UNFINISHED),
    ("velora_config", ""): (QUANTIZED, "PEFT has it for float weights alone"),
    ("alora_invocation_tokens", ""): (WHOLE, "it acts after its invocation tokens alone, and no prompt has them"),
    ("layer_replication", ""): (WHOLE, "its layers share weights, so that it does not fold"),
}
# The keys with which LoRA stays what vLLM attaches: LoRA and rsLoRA, from whatever start.
PLAIN = {
    "r", "lora_alpha", "lora_dropout", "target_modules", "exclude_modules", "use_rslora", "init_lora_weights",
    "rank_pattern", "alpha_pattern", "layers_to_transform", "layers_pattern",
}  # fmt: skip
# Keys of every type that the workflow sets by itself.
OWN = {
    "peft_type", "task_type", "inference_mode", "base_model_name_or_path", "revision", "auto_mapping", "peft_version",
    "total_step",
}  # fmt: skip
# Architectures whose layers have no biases, and the keys with which they would.
WITHOUT_BIASES = {"llama": ("attention_bias", "mlp_bias"), "mistral": ()}


def untrainable(cell: Mapping) -> str | None:
    """Return why a method cell ({"peft", "bits", "adapter"}) cannot be trained, as `key: reason`; None where it can."""
    if reason := KINDS[cell["peft"]].fails.get(cell["bits"]):
        return f"peft: {cell['peft']} on {cell['bits']} bits: {reason}"
    for (key, start), (bits, reason) in LORA_LIMITS.items() if cell["peft"] == "LORA" else ():
        value = cell["adapter"].get(key)
        if value not in (None, False) and str(value).lower().startswith(start) and cell["bits"] in bits:
            return f"adapter.{key}: {value} on {cell['bits']} bits: {reason}"
    asked = {key for key, value in cell["adapter"].items() if value not in (None, False, "none")}
    more = asked - PLAIN or ({"rank_pattern", "alpha_pattern"} & asked if "use_rslora" in asked else set())
    if moves(cell) and more:
        start = f"init_lora_weights: {cell['adapter']['init_lora_weights']}"
        return f"adapter.{min(more)}: PEFT does not save it rightly beside {start}, which moves a part of the base"
    return None


def biases_asked(adapter: Mapping) -> str | None:
    """Return the key with which an adapter's config asks for biases, as `key: value`; None where it asks for none."""
    if adapter.get("bias", "none") != "none":
        return f"bias: {adapter['bias']}"
    return "lora_bias: true" if adapter.get("lora_bias") else None


def lacks_biases(architecture: Mapping) -> bool:
    """Say whether a model with this config (its transformers keys) is known to have no biases."""
    keys = WITHOUT_BIASES.get(architecture["model_type"])
    return keys is not None and not any(architecture.get(key) for key in keys)


def merges(cell: Mapping) -> bool:
    """Say whether a cell's adapter folds into 16-bit weights; one that does not stays attached."""
    return KINDS[cell["peft"]].merges


def unserved(cell: Mapping) -> str | None:
    """Return why vLLM does not generate with a cell's adapter attached; None where it does.

    An adapter that starts from a part of the base is saved as plain LoRA (maple.methods.peft_method.save), so that it
    is served.
    """
    if cell["peft"] != "LORA":
        return f"vLLM attaches LoRA and rsLoRA alone, not {cell['peft']}"
    other = sorted(key for key in set(cell["adapter"]) - PLAIN if cell["adapter"][key] not in (None, False, "none"))
    return f"vLLM attaches LoRA and rsLoRA alone, not LoRA with {', '.join(other)}" if other else None
