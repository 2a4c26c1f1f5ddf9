"""What the files of a model hold, compared with its config before anything is computed with them.

transformers draws what the files lack at random and leaves out what its config has no place for, both with a warning.
Only names, shapes and dtypes are read: the weights stay on the disk.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from maple.models.behaviour import ModelKind
from maple.models.empty import empty_model
from maple.models.heads import names_a_head
from maple.models.limits import NOT_QUANTIZED, quantization_key
from maple.models.tiny import BaseError

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
TRANSLATOR = "AutoModelForSeq2SeqLM"
PLAIN_DTYPES = ("F16", "BF16", "F32", "F64")
# Files beside config.json in which the tools that quantize models say so.
QUANTIZED_FILES = ("quantize_config.json", "quant_config.json", "hf_quant_config.json")


class StoredTensor(NamedTuple):
    """A tensor in a file of weights: its shape, and its dtype as safetensors names it (BF16)."""

    shape: tuple[int, ...]
    dtype: str


def check_stored_weights(folder: Path, kind: ModelKind, *, trust_remote_code: bool = False) -> None:
    """Refuse a Hub-style folder unless its config's model gets every weight from its files, in 16 or 32 bits.

    With `trust_remote_code`, its Python code must lie in the folder as well. Raises BaseError, which names the folder
    and the first tensors.
    """
    tensors = check_files(folder, trust_remote_code=trust_remote_code)
    _check_fit(folder, tensors, kind, trust_remote_code)


def check_files(folder: Path, *, trust_remote_code: bool = False) -> dict[str, StoredTensor]:
    """Refuse what `check_stored_weights` refuses and files alone show, without torch; return the tensors by name."""
    config = _read_json(folder / "config.json")
    if (folder / "adapter_config.json").is_file():
        raise BaseError(f"{folder}: holds an adapter; name the model that the adapter was trained on")
    signs = [f"config.json: {key}"] if (key := quantization_key(config)) else []
    if signs := [*signs, *(name for name in QUANTIZED_FILES if (folder / name).is_file())]:
        raise BaseError(f"{folder}: the weights are quantized already ({signs[0]}); {NOT_QUANTIZED}")
    if trust_remote_code:
        check_code(folder)
    tensors = stored_tensors(folder)
    coded = [f"{name} ({tensor.dtype})" for name, tensor in tensors.items() if _is_coded(name, tensor)]
    if coded:
        raise BaseError(f"{folder}: the weights are quantized already: {_first(coded)}; {NOT_QUANTIZED}")
    return tensors


def check_code(folder: Path) -> None:
    """Refuse `auto_map` entries, which name a model's own classes, whose code is not a file of the folder.

    transformers would fetch the code of another repository from its main branch, which no revision pins.
    """
    for path in sorted(folder.glob("*.json")):
        content = _read_json(path) if b"auto_map" in path.read_bytes() else {}
        for entry in (content.get("auto_map") or {}).values():
            for name in entry if isinstance(entry, list) else [entry]:
                if name is not None and ("--" in name or not (folder / f"{name.rsplit('.', 1)[0]}.py").is_file()):
                    raise BaseError(
                        f"{path}: auto_map names {name}, whose code is no file of the repository; name a revision "
                        "that has its own code, or leave trust_remote_code out of the model's file"
                    )


def weight_files(folder: Path) -> list[Path]:
    """Return the files that transformers reads the weights from: one, or the shards that an index names.

    Raises BaseError for an index that names a missing shard, and for a folder without safetensors.
    """
    if (folder / SINGLE).is_file():
        return [folder / SINGLE]
    others = sorted(path.name for path in folder.glob("*.safetensors"))
    if not others and not (folder / INDEX).is_file():
        raise BaseError(f"{folder}: no safetensors are there; pickled weights are refused")
    if not (folder / INDEX).is_file():
        raise BaseError(f"{folder}: neither {SINGLE} nor {INDEX} is there, only {_first(others)}")
    shards = sorted(set(_weight_map(folder).values()))
    if missing := [name for name in shards if name not in others]:
        raise BaseError(f"{folder}/{INDEX}: names files that are not there: {_first(missing)}; fetch the model again")
    return [folder / name for name in shards]


def stored_tensors(folder: Path) -> dict[str, StoredTensor]:
    """Return the tensors of a model by name, from the headers of its files.

    Raises BaseError for a torn file, a tensor in two shards, and one that the index names and its shard lacks.
    """
    from safetensors import SafetensorError, safe_open

    homes: dict[str, str] = {}
    tensors = {}
    for path in weight_files(folder):
        try:
            with safe_open(path, framework="numpy") as file:
                for name in file.keys():  # noqa: SIM118 (it is no mapping)
                    if name in homes:
                        raise BaseError(f"{folder}: {name} is in {homes[name]} and in {path.name}")
                    stored = file.get_slice(name)
                    homes[name] = path.name
                    tensors[name] = StoredTensor(tuple(stored.get_shape()), stored.get_dtype())
        except SafetensorError as error:
            raise BaseError(f"{path}: torn, or no safetensors file ({error}); fetch the model again") from None
    if not (folder / SINGLE).is_file():
        named = _weight_map(folder)
        if lost := [f"{name} ({file})" for name, file in named.items() if homes.get(name) != file]:
            raise BaseError(f"{folder}/{INDEX}: names tensors that are not in their files: {_first(lost)}")
    return tensors


def _check_fit(folder: Path, tensors: dict[str, StoredTensor], kind: ModelKind, trust_remote_code: bool) -> None:
    """Refuse tensors that are missing, have another shape, or have no place in the config's model.

    transformers itself loads them, as tensors without content: it knows which are tied, renamed, fused or left out on
    purpose. What no part of the model is named like, as the head of another task, harms nothing.
    """
    import torch

    if _read_json(folder / "config.json").get("is_encoder_decoder") and kind.AUTO_CLASS != TRANSLATOR:
        raise BaseError(f"{folder}: config.json is that of an encoder and a decoder; write kind: seq2seq in its file")
    try:
        model: Any = empty_model(folder, kind, trust_remote_code=trust_remote_code)
        _, report = type(model).from_pretrained(
            None,
            config=model.config,
            state_dict={name: torch.empty(tensor.shape, device="meta") for name, tensor in tensors.items()},
            device_map={"": "meta"},
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, AttributeError) as error:
        raise BaseError(f"{folder}: config and weights make no model: {' '.join(str(error).split())[:500]}") from error
    parts = {part for owner in (model, model.base_model) for part, _ in owner.named_children()}
    faults = {
        "missing": [name for name in report["missing_keys"] if not names_a_head(name, kind.NEW_HEADS)],
        "of another shape than config.json says": [name for name, *_ in report["mismatched_keys"]],
        "without a place in the model of config.json": [
            name
            for name in report["unexpected_keys"]
            if name.split(".")[0] in parts and not names_a_head(name, kind.NEW_HEADS)
        ],
    }
    if told := [f"{len(names)} {fault}: {_first(names)}" for fault, names in faults.items() if names]:
        raise BaseError(
            f"{folder}: config.json and the weights are not of one model ({type(model).__name__}); tensors "
            f"{'; '.join(told)}. Name another revision"
        )


def _is_coded(name: str, tensor: StoredTensor) -> bool:
    return name.endswith("weight") and tensor.dtype not in PLAIN_DTYPES


def _weight_map(folder: Path) -> dict[str, str]:
    weight_map = _read_json(folder / INDEX).get("weight_map")
    if not isinstance(weight_map, dict):
        raise BaseError(f"{folder}/{INDEX}: has no weight_map; fetch the model again")
    return weight_map


def _read_json(path: Path) -> dict:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BaseError(f"{path}: not readable as JSON: {error}") from None
    if not isinstance(content, dict):
        raise BaseError(f"{path}: must be a mapping, found {type(content).__name__}")
    return content


def _first(names: Iterable[str], count: int = 3) -> str:
    """Return the first names, and how many there are beside them."""
    names = sorted(names)
    return ", ".join(names[:count]) + (f" and {len(names) - count} more" if len(names) > count else "")
