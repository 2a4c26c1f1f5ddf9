"""Which modules of a model an adapter names."""

import re
from collections.abc import Mapping
from typing import Any

# Names of the input embedding and of the output layer, in the architectures that are common.
EMBEDDINGS = ("model.embed_tokens", "transformer.wte", "transformer.word_embeddings", "gpt_neox.embed_in")
OUTPUTS = ("lm_head", "embed_out")
# Keys of LoRA's config that PEFT does not have for parameters, as which it reaches experts.
NOT_ON_PARAMETERS = ("lora_dropout", "use_dora", "lora_bias", "kasa_config", "velora_config")


def adapted_embedding(adapter: Mapping[str, Any]) -> str | None:
    """Return the input embedding or output layer that an adapter's `target_modules` names; None if it names neither.

    As PEFT reads them: a text is a pattern for a module's whole name, unless it is all-linear, which leaves both out; a
    list has whole names or their ends. `exclude_modules` is read likewise.
    """
    for module in (*EMBEDDINGS, *OUTPUTS):
        if _names(adapter.get("target_modules"), module) and not _names(adapter.get("exclude_modules"), module):
            return module
    return None


def reason_against_experts(peft: str, adapter: Mapping[str, Any]) -> str | None:
    """Return why an adapter does not reach experts that are one 3-D parameter, as `all-linear` asks for; else None."""
    if adapter.get("target_modules") != "all-linear":
        return None
    instead = "name the layers to adapt instead of all-linear, such as [q_proj, v_proj]"
    if peft != "LORA":
        return f"adapter.target_modules: all-linear: experts that are parameters are reached by LORA alone; {instead}"
    if key := next((key for key in NOT_ON_PARAMETERS if adapter.get(key)), None):
        return f"adapter.{key}: PEFT does not have it for experts that are parameters; leave it out, or {instead}"
    return None


def reason_against_tied(adapter: Mapping[str, Any]) -> str | None:
    """Return why an adapter would not train what it names of embeddings that are one; else None.

    The encoder, the decoder and the output layer of a translator read one table. PEFT (0.21) raises no error for these
    (measured on mBART and M2M100: the merged model's logits differ by 0.6 to 1.0).
    """
    if "shared" in {str(name).rsplit(".", 1)[-1] for name in adapter.get("modules_to_save") or ()}:
        return (
            "adapter.modules_to_save: shared: the encoder, the decoder and the output layer read the base's own table, "
            "so that PEFT would train a copy which nothing reads; leave it out, or name single tokens "
            "(trainable_token_indices)"
        )
    tokens = adapter.get("trainable_token_indices")
    if isinstance(tokens, Mapping) and len(tokens) > 1:
        return (
            f"adapter.trainable_token_indices: {', '.join(tokens)}: they are one table, which PEFT would change once "
            "for each in merging; write a list of tokens, which trains their rows in all of them"
        )
    return None


def _names(modules: Any, module: str) -> bool:
    if not modules or modules == "all-linear":
        return False
    if isinstance(modules, str):
        try:
            return re.fullmatch(modules, module) is not None
        except re.error:
            return False
    return any(module == name or module.endswith(f".{name}") for name in modules)
