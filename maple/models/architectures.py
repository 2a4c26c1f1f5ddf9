"""What each architecture can do, by transformers' `model_type`, known before any job starts. No torch is loaded for it.

An architecture without a line is allowed: the checks at run time (maple.training.preflight, maple.models.precision,
maple.methods.adapted_layers) decide for all of them. Training does not read this table, so that a new line retrains
nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from maple.models.limits import model_type_of

# Why examples do not share a row, so that rows are padded.
ONE_TEXT = "a classifier gives one label to all of a row"
ONE_PAIR = "every target attends to all of the source in its row"
CHUNKS = "its attention is cut into chunks at places of the row; examples within one chunk are packed"
OWN_ATTENTION = "its attention is its own and cannot be told where an example ends"
STATES = "a state runs through the row, from one example into the next"
# Why a precision fails.
EXPERTS = "bitsandbytes quantizes linear layers alone, and its experts, most of its weights, are none"
OWN_LINEAR = "bitsandbytes quantizes torch's linear layers alone, and all of its layers are of a type of its own"
RAW_WEIGHTS = "it multiplies by weights itself, which quantized are codes"


@dataclass(frozen=True)
class Architecture:
    """What was measured of one architecture; by default it can do all but have a location."""

    pads: str | None = None
    """Why examples do not share a row; None if they do."""
    fails: Mapping[int, str] = field(default_factory=dict)
    """Precisions of the base at which training or merging fails: {bits: reason}."""
    experts: bool = False
    """True if experts are parameters, which only PEFT's LoRA reaches, without dropout."""
    blocks: bool = False
    """True if each linear layer but the output layer is in a module self_attn or mlp: a method can have a location."""


LIKE_LLAMA, LIKE_GPT = Architecture(blocks=True), Architecture()
MIXTURE = Architecture(fails={8: EXPERTS, 4: EXPERTS}, experts=True)
STATE_SPACE = Architecture(STATES)
CLASSIFIER = Architecture(ONE_TEXT)
TRANSLATOR = Architecture(ONE_PAIR)

# Each line was measured (transformers 5.19.0, peft 0.21.2, bitsandbytes 0.50.2, CPU) on a tiny model with random
# weights. tests/models/test_each_architecture.py does it again in 16 bits, and in 4 and 8 for one of each form;
# benchmarks/architectures.py for all.
ARCHITECTURES = {
    **dict.fromkeys(
        (
            "apertus", "arcee", "cohere", "cohere2", "ernie4_5", "exaone4", "gemma", "gemma2", "gemma3_text", "glm",
            "glm4", "granite", "helium", "hunyuan_v1_dense",
            "llama", "mistral", "nemotron", "olmo2", "olmo3", "phi", "phi3", "qwen2", "qwen3", "seed_oss",
            "smollm3", "stablelm", "starcoder2",
        ),
        LIKE_LLAMA,
    ),
    **dict.fromkeys(("gpt2", "gpt_bigcode", "gpt_neox", "opt"), LIKE_GPT),
    **dict.fromkeys(
        ("deepseek_v3", "gpt_oss", "granitemoe", "mixtral", "olmoe", "qwen2_moe", "qwen3_moe"),
        MIXTURE,
    ),
    "llama4_text": Architecture(CHUNKS, MIXTURE.fails, experts=True),
    **dict.fromkeys(("bloom", "gpt_neo", "gptj", "mpt", "xglm"), Architecture(OWN_ATTENTION)),
    "falcon": Architecture(OWN_ATTENTION, {8: OWN_LINEAR, 4: OWN_LINEAR}),
    **dict.fromkeys(("bamba", "falcon_h1", "falcon_mamba", "lfm2", "mamba2"), STATE_SPACE),
    "mamba": Architecture(STATES, {8: RAW_WEIGHTS, 4: RAW_WEIGHTS}),
    **dict.fromkeys(
        ("albert", "bert", "deberta", "deberta-v2", "distilbert", "electra", "modernbert", "roberta", "xlm-roberta"),
        CLASSIFIER,
    ),
    **dict.fromkeys(("m2m_100", "mbart", "mt5", "t5"), TRANSLATOR),
    **dict.fromkeys(("jamba", "qwen3_next"), Architecture(STATES, MIXTURE.fails, experts=True)),
}  # fmt: skip


def architecture_of(config: Mapping[str, Any]) -> Architecture | None:
    """Return what is known of a model's architecture by the keys of its config; None if it has no line."""
    return ARCHITECTURES.get(model_type_of(config))
