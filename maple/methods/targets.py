"""Which modules of a model an adapter names."""

import re
from collections.abc import Mapping
from typing import Any

# Names of the input embedding and of the output layer, in the architectures that are common.
EMBEDDINGS = ("model.embed_tokens", "transformer.wte", "transformer.word_embeddings", "gpt_neox.embed_in")
OUTPUTS = ("lm_head", "embed_out")


def adapted_embedding(adapter: Mapping[str, Any]) -> str | None:
    """Return the input embedding or output layer that an adapter's `target_modules` names; None if it names neither.

    As PEFT reads them: a text is a pattern for a module's whole name, unless it is all-linear, which leaves both out; a
    list has whole names or their ends. `exclude_modules` is read likewise.
    """
    for module in (*EMBEDDINGS, *OUTPUTS):
        if _names(adapter.get("target_modules"), module) and not _names(adapter.get("exclude_modules"), module):
            return module
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
