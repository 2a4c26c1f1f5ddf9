"""What each method can do, known before any job starts. PEFT itself is not loaded for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from maple.definitions.method import MethodVariant, PeftVariant, Trained
from maple.methods.lora_init import init_changes_base
from maple.methods.targets import adapted_embedding, reason_against_tied

# Why a type does not train on quantized weights.
VALUES = "it starts from the values of the base's weights, and PEFT reads none from quantized ones"
PACKED = "PEFT takes the packed 4-bit weights for a matrix and fails in the first step"
OTHER_MODEL = "PEFT silently uses the int8 codes as if they were weights, so that a different model is trained"


@dataclass(frozen=True)
class PeftType:
    """What a type of adapter can do."""

    axes: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Axes beside bits and connector, which all have, {axis: {key of its config that the axis sets: factor}}."""
    alpha: str | None = None
    """The key of its config that alpha_over_rank sets."""
    fails: Mapping[int, str] = field(default_factory=dict)
    """Precisions of the base at which training fails: {bits: reason}."""
    merges: bool = True
    """True if it folds into 16-bit weights; otherwise a run generates with its adapter attached."""
    kinds: frozenset[str] = frozenset({"causal"})
    """Kinds of models that it was measured on (maple.models.kind)."""


RANK = {"rank": {"r": 1}}
TOKENS = {"rank": {"num_virtual_tokens": 1}}
REDUCTION = {"reduction": {"reduction_factor": 1}}
LOCATION: dict[str, dict[str, float]] = {"location": {}}  # of types with layers in attention and feed-forward blocks
PREFIX = {"rank": {"prefix_length": 1}}
WRITERS = frozenset({"causal", "seq2seq", "vision"})
ALL_KINDS = WRITERS | {"encoder"}
TRANSLATORS = frozenset({"seq2seq"})

# By the names that PEFT gives them; those of maple.methods.own_types are ours. Each line was measured
# (peft 0.21.2, bitsandbytes 0.50.2, CPU): trained on a tiny model of each kind in 16, 8 and 4 bits, saved, loaded on 16
# bits, folded; test_peft_method.py, test_encoder_adapters.py, test_seq2seq_adapters.py and test_vision_adapters.py of
# tests/methods do it again. C3A and GRALORA are not for translators: on 8 and 4 bits their first step fails there
# (mBART, M2M100). PVERA is not for vision-language models: eight steps did not lower its noisy loss on 8 and 4 bits.
PEFT_TYPES = {
    "LORA": PeftType(RANK | LOCATION, "lora_alpha", kinds=ALL_KINDS),
    # The first budget is one and a half times the last, as in the paper (arXiv 2303.10512).
    "ADALORA": PeftType({"rank": {"target_r": 1, "init_r": 1.5}} | LOCATION, "lora_alpha", kinds=ALL_KINDS),
    "BOFT": PeftType(LOCATION, kinds=ALL_KINDS),
    "C3A": PeftType(LOCATION, kinds=frozenset({"causal", "vision"})),
    "COMPACTER": PeftType(REDUCTION, merges=False, kinds=TRANSLATORS),
    "COMPACTER_PLUS": PeftType(REDUCTION, merges=False, kinds=TRANSLATORS),
    "DELORA": PeftType(RANK | LOCATION, fails={8: VALUES, 4: VALUES}, kinds=WRITERS),
    "FOURIERFT": PeftType(LOCATION, kinds=WRITERS),
    "GLORA": PeftType(RANK | LOCATION, fails={8: VALUES, 4: VALUES}, kinds=WRITERS),
    "GRALORA": PeftType(RANK | LOCATION, "alpha", kinds=frozenset({"causal", "vision"})),
    "HIRA": PeftType(RANK | LOCATION, kinds=WRITERS),
    "HOULSBY": PeftType(REDUCTION | LOCATION, merges=False, kinds=ALL_KINDS),
    "HRA": PeftType(RANK | LOCATION, fails={8: OTHER_MODEL, 4: PACKED}, kinds=WRITERS),
    "IA3": PeftType(LOCATION, kinds=ALL_KINDS),
    "LN_TUNING": PeftType(kinds=ALL_KINDS),
    "LOHA": PeftType(RANK | LOCATION, "alpha", fails={4: PACKED}, kinds=WRITERS),
    "LOKR": PeftType(RANK | LOCATION, "alpha", fails={4: PACKED}, kinds=WRITERS),
    "MAM": PeftType(PREFIX | REDUCTION, merges=False, kinds=TRANSLATORS),
    "MISS": PeftType(RANK | LOCATION, kinds=WRITERS),
    "OFT": PeftType(LOCATION, kinds=ALL_KINDS),
    "PARALLEL": PeftType(REDUCTION, merges=False, kinds=TRANSLATORS),
    "PFEIFFER": PeftType(REDUCTION, merges=False, kinds=ALL_KINDS),
    "PREFIX_ATTENTION": PeftType(PREFIX, merges=False, kinds=TRANSLATORS),
    "PREFIX_TUNING": PeftType(TOKENS, merges=False, kinds=WRITERS),
    "PROMPT_TUNING": PeftType(TOKENS, merges=False, kinds=WRITERS),
    "PSOFT": PeftType(RANK | LOCATION, "psoft_alpha", fails={8: VALUES, 4: VALUES}, kinds=WRITERS),
    "PVERA": PeftType(RANK | LOCATION, kinds=frozenset({"causal", "seq2seq"})),
    "P_TUNING": PeftType(TOKENS, merges=False, kinds=WRITERS),
    "RANDLORA": PeftType(RANK | LOCATION, "randlora_alpha", kinds=WRITERS),
    "ROAD": PeftType(LOCATION, kinds=WRITERS),
    "SHIRA": PeftType(RANK | LOCATION, kinds=WRITERS),
    "UNIPELT": PeftType(RANK | REDUCTION, merges=False, kinds=TRANSLATORS),
    "VBLORA": PeftType(RANK | LOCATION, kinds=WRITERS),
    "VERA": PeftType(RANK | LOCATION, kinds=ALL_KINDS),
    "WAVEFT": PeftType(LOCATION, kinds=WRITERS),
}

# Keys of LoRA's config with which it cannot be trained: {(key, beginning of its value): ({bits}, reason)}. Measured in
# the same way.
ALL_BITS, QUANTIZED = {16, 8, 4}, {8, 4}
UNFINISHED = (
    "PEFT leaves its regularization to the training loop, and on quantized weights all of it out, without a word"
)
CALIBRATED = "it needs a pass over the data before training, which finetune does not make"
LORA_LIMITS = {
    ("use_dora", "true"): ({8}, "PEFT's DoRA reads no 8-bit weights and fails in the first step"),
    ("init_lora_weights", "pissa"): (QUANTIZED, VALUES),
    ("init_lora_weights", "orthogonal"): (QUANTIZED, VALUES),
    ("init_lora_weights", "mica"): (QUANTIZED, VALUES),
    ("init_lora_weights", "loftq"): (
        ALL_BITS,
        "LoftQ quantizes by itself, and here a base is quantized as it is loaded",
    ),
    ("init_lora_weights", "corda"): (ALL_BITS, CALIBRATED),
    ("init_lora_weights", "eva"): (ALL_BITS, CALIBRATED),
    ("init_lora_weights", "lora_ga"): (ALL_BITS, CALIBRATED),
    ("kasa_config", ""): (ALL_BITS, UNFINISHED),
    ("monteclora_config", ""): (ALL_BITS, UNFINISHED),
    ("velora_config", ""): (QUANTIZED, "PEFT has it for float weights alone"),
    ("alora_invocation_tokens", ""): (ALL_BITS, "it acts after its invocation tokens alone, and no prompt has them"),
    ("layer_replication", ""): (ALL_BITS, "its layers share weights, so that it does not fold"),
}
# LoRA's trainable_token_indices trains at all bits, and folds: of a tied embedding the named rows alone change, and it
# stays tied. vLLM does not attach it, as it is no key of the next list.
# vLLM attaches LoRA and rsLoRA, however they are initialized: an adapter with no other keys than these.
LORA_KEYS_VLLM_SERVES = {
    "r", "lora_alpha", "lora_dropout", "target_modules", "exclude_modules", "use_rslora", "init_lora_weights",
    "rank_pattern", "alpha_pattern", "layers_to_transform", "layers_pattern",
}  # fmt: skip
# The largest rank of an adapter that vLLM attaches (0.32: vllm.config.lora.MaxLoRARanks).
VLLM_LARGEST_RANK = 512
# Keys of every type that the workflow sets by itself.
KEYS_SET_BY_US = {
    "peft_type", "task_type", "inference_mode", "base_model_name_or_path", "revision", "auto_mapping", "peft_version",
    "total_step",
}  # fmt: skip
# Architectures whose layers have no biases, and the keys with which they would.
WITHOUT_BIASES = {
    **dict.fromkeys(("mt5", "t5"), ()),
    "llama": ("attention_bias", "mlp_bias"),
    "mistral": (),
    "modernbert": ("attention_bias", "mlp_bias", "norm_bias"),
}


@dataclass(frozen=True)
class TrainedPart:
    """What training a part of a model's own weights can do."""

    kinds: frozenset[str]
    """Kinds of models that it was measured on."""
    fails: Mapping[int, str] = field(default_factory=dict)
    """Precisions of the base at which it cannot be trained: {bits: reason}."""


CODES = "quantized weights are codes, which no gradient changes"
BESIDE_CODES = "its biases would be learnt beside rounded weights, which the paper does not try; our choice"
# By `trains` of a method's file. Measured by tests/methods/test_weights_method.py.
TRAINED_PARTS: dict[Trained, TrainedPart] = {
    "all": TrainedPart(ALL_KINDS, {8: CODES, 4: CODES}),
    "head": TrainedPart(frozenset({"encoder"})),
    "connector": TrainedPart(frozenset({"vision"})),
    "biases": TrainedPart(ALL_KINDS, {8: BESIDE_CODES, 4: BESIDE_CODES}),
}


def reason_against_training(method: MethodVariant, kind: str) -> str | None:
    """Return why a method variant cannot be trained on a kind of model, as `key: reason`; None if it can."""
    if reason := reason_against_kind(method, kind):
        return reason
    if isinstance(method, PeftVariant):
        return _reason_against_adapter(method)
    reason = TRAINED_PARTS[method.trains].fails.get(method.bits)
    return reason and f"trains: {method.trains} on {method.bits} bits: {reason}"


def reason_against_kind(method: MethodVariant, kind: str) -> str | None:
    """Return why a method variant cannot be trained on any model of a kind, as `key: reason`; None if it can."""
    if isinstance(method, PeftVariant):
        if kind == "seq2seq" and (reason := reason_against_tied(method.adapter)):
            return reason
        if kind != "seq2seq" and method.adapter.get("inversion"):
            return "adapter.inversion: it is behind the embeddings of an encoder that a decoder reads, of kind seq2seq"
        fits, said = kind in PEFT_TYPES[method.peft].kinds, f"peft: {method.peft}"
    else:
        fits, said = kind in TRAINED_PARTS[method.trains].kinds, f"trains: {method.trains}"
        if not fits and method.trains == "head":
            return f"{said}: models of kind {kind} have no head that finetuning starts anew"
        if not fits and method.trains == "connector":
            return f"{said}: models of kind {kind} have no connector"
    return None if fits else f"{said} was not measured on models of kind {kind}"


def _reason_against_adapter(method: PeftVariant) -> str | None:
    if reason := PEFT_TYPES[method.peft].fails.get(method.bits):
        return f"peft: {method.peft} on {method.bits} bits: {reason}"
    for (key, start), (bits, reason) in LORA_LIMITS.items() if method.peft == "LORA" else ():
        value = method.adapter.get(key)
        if value not in (None, False) and str(value).lower().startswith(start) and method.bits in bits:
            return f"adapter.{key}: {value} on {method.bits} bits: {reason}"
    keys = _keys_in_use(method)
    lost = keys - LORA_KEYS_VLLM_SERVES
    if not lost and "use_rslora" in keys:
        lost = {"rank_pattern", "alpha_pattern"} & keys
    if init_changes_base(method) and lost:
        start = f"init_lora_weights: {method.adapter['init_lora_weights']}"
        return f"adapter.{min(lost)}: PEFT does not save it rightly beside {start}, which moves a part of the base"
    if init_changes_base(method) and method.axes.get("connector") == "tuned":
        return "axes.connector: tuned: PEFT does not save it rightly beside init_lora_weights that move the base"
    return None


def reason_against_early_end(method: MethodVariant) -> str | None:
    """Return why the adapter of an earlier step than the last is not whole, as `key: reason`; None if it is."""
    if isinstance(method, PeftVariant) and method.peft == "ADALORA":
        return "peft: ADALORA settles its ranks by a schedule over all steps"
    return None


def _keys_in_use(method: PeftVariant) -> set[str]:
    return {key for key, value in method.adapter.items() if value not in (None, False, "none")}


def bias_key(method: MethodVariant) -> str | None:
    """Return the key with which a method asks for biases to train, as `key: value`; None if it does not."""
    if not isinstance(method, PeftVariant):
        return "trains: biases" if method.trains == "biases" else None
    if method.adapter.get("bias", "none") != "none":
        return f"adapter.bias: {method.adapter['bias']}"
    return "adapter.lora_bias: true" if method.adapter.get("lora_bias") else None


def has_no_biases(architecture: Mapping) -> bool:
    """Return True if a model with this config (its transformers keys) is known to have no biases."""
    keys = WITHOUT_BIASES.get(architecture["model_type"])
    return keys is not None and not any(architecture.get(key) for key in keys)


def merges(method: MethodVariant) -> bool:
    """Return True if what was trained folds into 16-bit weights, or is a whole model; otherwise it stays attached."""
    return not isinstance(method, PeftVariant) or PEFT_TYPES[method.peft].merges


def reason_against_vllm(method: MethodVariant) -> str | None:
    """Return why vLLM cannot generate with the adapter attached, or None if it can.

    An adapter that starts with a part of the base is saved as plain LoRA (maple.methods.peft_method.save), so that vLLM
    serves it.
    """
    if not isinstance(method, PeftVariant):
        return "what was trained is the model's own weights, and there is nothing to attach"
    if method.peft != "LORA":
        return f"vLLM attaches LoRA and rsLoRA alone, not {method.peft}"
    if others := sorted(_keys_in_use(method) - LORA_KEYS_VLLM_SERVES):
        return f"vLLM attaches LoRA and rsLoRA alone, not LoRA with {', '.join(others)}"
    if method.axes.get("connector") == "tuned":
        return "vLLM attaches no connector that was trained whole"
    if module := adapted_embedding(method.adapter):
        return f"vLLM attaches no adapter of {module}"
    rank = max([method.adapter.get("r", 8), *(method.adapter.get("rank_pattern") or {}).values()])
    saved = 2 * rank if init_changes_base(method) else rank  # such an adapter is saved with twice its rank
    return f"vLLM attaches ranks up to {VLLM_LARGEST_RANK}, not {saved}" if saved > VLLM_LARGEST_RANK else None
