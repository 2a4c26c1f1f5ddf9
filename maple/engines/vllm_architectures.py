"""Architectures that vLLM does not serve as transformers computes them, by transformers' `model_type`.

Known before any job starts, without torch. `benchmarks/architectures.py --only vLLM` measures it (vLLM 0.32.0,
transformers 5.19.0, float32 on a CPU; docs/architectures.md has all results). An architecture without a line may be
served: an engine that cannot load a model says so itself.
"""

from collections.abc import Mapping
from typing import Any

from maple.models.limits import model_type_of, text_config

NOT_SERVED: Mapping[str, str] = {
    name: "vLLM 0.32 does not have this architecture" for name in ("gpt_neo", "mpt", "xglm")
}
NOT_SERVED_ON_CPU: Mapping[str, str] = {
    **dict.fromkeys(("falcon_mamba", "jamba", "mamba"), "vLLM 0.32 does not have this architecture on a CPU"),
    **dict.fromkeys(
        ("gemma3", "llava", "llava_next", "paligemma", "qwen2_5_vl", "qwen2_vl", "qwen3_vl", "smolvlm"),
        "vLLM 0.32 needs torchvision for this architecture, which its CPU build does without",
    ),
    "qwen3_next": "vLLM 0.32 does not have this architecture in float32, which is the arithmetic on a CPU",
}
# vllm/model_executor/models/commandr.py adds one to the window, "to match the training convention"; here a model is
# trained by transformers, which does not. {model_type: the window of a config that states none}
LONGER_WINDOW = {"cohere2": 4096}


def reason_against_serving(
    config: Mapping[str, Any], max_length: int, table: Mapping[str, str] = NOT_SERVED
) -> str | None:
    """Return why vLLM does not serve a model with the keys of this config.json; None if nothing speaks against it.

    `max_length` is that of prompt and completion, in tokens.
    """
    model_type = model_type_of(config)
    for name in (str(config.get("model_type")), model_type):  # the whole of a model that sees, and its text part
        if reason := table.get(name):
            return f"{name} model: {reason}"
    if model_type not in LONGER_WINDOW:
        return None
    window = text_config(config).get("sliding_window") or LONGER_WINDOW[model_type]
    if max_length > window:
        return (
            f"{model_type} model: vLLM 0.32 takes its sliding window one token longer than transformers, which trains "
            f"it, so that texts above {window} tokens get other answers (generate.max_length: {max_length})"
        )
    return None
