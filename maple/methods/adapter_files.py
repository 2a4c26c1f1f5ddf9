"""The one way by which a saved adapter gets to its base: whole, and each tensor in its place, or not at all.

PEFT starts anew what a file lacks and leaves out what has no place, with a warning at most; vLLM attaches nothing.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from maple.methods.own_types import register
from maple.runtime.files import read_json, write_text

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
NAMED = 3  # tensors that a message names


class AdapterError(ValueError):
    """The adapter does not fit its base; the message names the adapter's folder, or the key of the method's file."""


def attach_saved(base: "PreTrainedModel", folder: str | Path) -> "PeftModel":
    """Attach the adapter in `folder` to a loaded base, for evaluation.

    Raises AdapterError for an adapter without safetensors, and for one that lacks a tensor or has another one.
    """
    from peft import PeftModel

    shapes = stored_shapes(folder)
    register(read_json(Path(folder) / CONFIG).get("peft_type", ""))
    try:
        network = PeftModel.from_pretrained(base, str(folder)).eval()
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise AdapterError(f"{folder}: does not fit its base: {' '.join(str(error).split())[:300]}") from error
    _check_places(network, shapes, folder)
    return network


def check_saved(base: "PreTrainedModel", folder: str | Path) -> None:
    """Refuse the adapter in `folder` as `attach_saved` does; `base` may be a model without weights (meta device)."""
    from peft import PeftConfig, get_peft_model

    shapes = stored_shapes(folder)
    register(read_json(Path(folder) / CONFIG).get("peft_type", ""))
    config = PeftConfig.from_pretrained(str(folder))
    try:
        network = get_peft_model(base, config)  # pyright: ignore[reportArgumentType] (its type has no mixed models)
    except ValueError as error:
        raise AdapterError(f"{folder}: does not fit its base: {' '.join(str(error).split())[:300]}") from error
    _check_places(network, shapes, folder)


def virtual_tokens(folder: str | Path | None) -> int:
    """Return how many of a model's positions the soft prompt or prefix of an adapter takes; 0 without one."""
    return (read_json(Path(folder) / CONFIG).get("num_virtual_tokens") or 0) if folder else 0


def name_base(folder: Path, hub: str | None, revision: str | None) -> None:
    """Let the adapter in `folder` name its base by the Hub's id and revision; null for a base that is not there.

    PEFT writes the path from which the base was loaded, which is on no other machine, into the config and a README.
    """
    config = {**read_json(folder / CONFIG), "base_model_name_or_path": hub, "revision": revision}
    write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", folder / CONFIG)
    (folder / "README.md").unlink(missing_ok=True)  # the model card takes its place


def stored_shapes(folder: str | Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes of an adapter's tensors by name, from the header of its file."""
    from safetensors import SafetensorError, safe_open

    folder = Path(folder)
    if missing := [name for name in (CONFIG, WEIGHTS) if not (folder / name).is_file()]:
        raise AdapterError(f"{folder}: no adapter, it has no {' and no '.join(missing)}; finetune it again")
    try:
        read_json(folder / CONFIG)
        with safe_open(folder / WEIGHTS, framework="numpy") as file:
            names = file.keys()
            return {name: tuple(file.get_slice(name).get_shape()) for name in names}
    except (SafetensorError, ValueError) as error:
        raise AdapterError(f"{folder}: torn ({error}); finetune it again") from None


def _check_places(network: "PeftModel", shapes: Mapping[str, tuple[int, ...]], folder: str | Path) -> None:
    """Refuse an adapter whose tensors are not those that PEFT would save of the network that it is attached to."""
    from peft import get_peft_model_state_dict

    places = {name: tuple(value.shape) for name, value in get_peft_model_state_dict(network).items()}
    faults = {
        "missing": places.keys() - shapes.keys(),
        "without a place in the base": shapes.keys() - places.keys(),
        "of another shape": {name for name in places.keys() & shapes.keys() if places[name] != shapes[name]},
    }
    if told := [
        f"{len(names)} {fault}: {', '.join(sorted(names)[:NAMED])}" for fault, names in faults.items() if names
    ]:
        raise AdapterError(f"{folder}: is not an adapter of this base; tensors {'; '.join(told)}. Finetune it again")
