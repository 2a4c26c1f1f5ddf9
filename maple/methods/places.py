"""Where in a network a PEFT method changes something: which layers, heads, biases and connectors."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from maple.definitions.method import PeftVariant
from maple.definitions.parts import CONNECTOR, LANGUAGE_MODEL, NetworkParts
from maple.methods.adapted_layers import adapted_layers
from maple.methods.adapter_files import AdapterError
from maple.methods.heads import within
from maple.methods.peft_config_keys import config_keys
from maple.methods.reach import blocks_of

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel


def default_targets(peft: str, text_type: str) -> dict[str, Any]:
    """Return the layers that a type adapts if nobody names them, of a language model of this `model_type`.

    They are PEFT's, which it would look up by the `model_type` of the whole model; empty if none are known.
    """
    from peft.mapping import PEFT_TYPE_TO_TUNER_MAPPING
    from peft.utils import constants

    if peft == "IA3":
        found: dict[str, Any] = {
            "target_modules": constants.TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING.get(text_type),
            "feedforward_modules": constants.TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING.get(text_type),
        }
    else:
        tuner: Any = PEFT_TYPE_TO_TUNER_MAPPING.get(peft)  # pyright: ignore[reportArgumentType] (ours are no enum)
        found = {"target_modules": (getattr(tuner, "target_module_mapping", None) or {}).get(text_type)}
    return {key: names for key, names in found.items() if names}


def trained_whole(
    base: "PreTrainedModel", method: PeftVariant, heads: Sequence[str], parts: NetworkParts | None
) -> dict[str, Any]:
    """Return the adapter's keys with which PEFT trains and saves heads and a tuned connector whole.

    Nothing within a head is adapted; a connector is outside of what adapters reach. Raises AdapterError for a connector
    to tune that the model does not have.
    """
    whole = [*heads, *_connector(base, method, parts)]
    if not whole:
        return {}
    keys: dict[str, Any] = {"modules_to_save": sorted({*whole, *(method.adapter.get("modules_to_save") or ())})}
    if heads and "exclude_modules" in (known := config_keys(method.peft) or ()) and "target_modules" in known:
        inside = [name for name, _ in base.named_modules() if within(name, heads)]
        keys["exclude_modules"] = _also_excluded(method.adapter.get("exclude_modules"), inside)
    return keys


def _connector(base: "PreTrainedModel", method: PeftVariant, parts: NetworkParts | None) -> list[str]:
    if method.axes.get("connector") != "tuned":
        return []
    if parts is None:
        raise AdapterError(f"axes.connector: a {base.config.model_type} model has no connector; leave it out")
    return parts.whole_modules(CONNECTOR)


def _also_excluded(stated: Any, names: Sequence[str]) -> Any:
    """Return what excludes `names` beside what a method's file excludes: a pattern of whole names, or a list."""
    if isinstance(stated, str):
        return "|".join([f"(?:{stated})", *map(re.escape, names)])
    return sorted({*(stated or ()), *names})


def check_biases(base: "PreTrainedModel", method: PeftVariant, parts: NetworkParts | None) -> None:
    """Refuse biases to train where there are none, and those of all parts of a model."""
    keys = {key for key in ("bias", "lora_bias") if method.adapter.get(key) not in (None, False, "none")}
    there = (name for name, _ in base.named_parameters() if parts is None or parts.part_of(name) == LANGUAGE_MODEL)
    if keys and not any(name.endswith(".bias") for name in there):
        raise AdapterError(f"adapter: {', '.join(keys)}: the base has no biases; leave it out of the method's file")
    if parts and method.adapter.get("bias") == "all":
        raise AdapterError("adapter.bias: all: PEFT would train those of all parts of the model; leave it out")


def check_places(network: "PeftModel", method: PeftVariant, parts: NetworkParts | None) -> None:
    """Refuse an adapter outside of where the method may change something, and a location without an adapted layer."""
    if parts:
        tuned = {CONNECTOR} if method.axes.get("connector") == "tuned" else set()
        parts.check_adapted(network, {LANGUAGE_MODEL} | tuned)
    names = adapted_layers(network)
    for block in blocks_of(method):
        if not any(f".{block}." in name for name in names):
            raise AdapterError(
                f"axes.location: {method.axes['location']}: no layer within a module {block} is adapted; write "
                "another location, or name such layers in the method's target_modules"
            )


def check_whole(network: "PeftModel", wanted: Sequence[str]) -> None:
    """Refuse an adapter with which PEFT would train another module than those wanted: it looks at the ends of names."""
    from peft.utils.other import ModulesToSaveWrapper

    base: Any = network.get_base_model()
    trained = {name for name, module in base.named_modules() if isinstance(module, ModulesToSaveWrapper)}
    if others := {name for name in trained if not any(name == one or name.endswith(f".{one}") for one in wanted)}:
        raise AdapterError(
            f"adapter.modules_to_save: PEFT would also train {', '.join(sorted(others))} whole, whose name ends in one "
            f"of {', '.join(sorted(wanted))}; name it there, or leave the method out for this model"
        )
