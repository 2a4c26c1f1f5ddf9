"""Methods that train weights which a model has, and add none: all of them, its head, its connector, or its biases.

All weights are full finetuning. The head alone is a linear probe (Alain and Bengio 2016, arXiv 1610.01644). All biases,
those of normalizations included, and the head are BitFit (Ben Zaken et al. 2022, arXiv 2106.10199).

Of a vision-language model all weights are those of language model, output layer and connector, as LLaVA is tuned on
instructions (Liu et al. 2023, arXiv 2304.08485, section 4.2) and the baseline of Zhou et al. 2024 (arXiv 2406.05130)
is; biases are the language model's. The vision tower stays frozen.

Imported by name, as a method (maple.methods.method).
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maple.definitions.method import WeightsVariant
from maple.definitions.parts import CONNECTOR, LANGUAGE_MODEL, VISION_TOWER, NetworkParts
from maple.methods.adapter_files import NAMED, AdapterError
from maple.methods.heads import within
from maple.methods.model_folder import save_model
from maple.methods.sharded import full_state_dict
from maple.runtime import devices
from maple.runtime.files import read_json, write_text

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, TrainerCallback

# Of the protocol, and the same for all methods.
__all__ = ["full_state_dict"]

# What is saved where not all weights are trained: what was trained, by the base's own names, and what that is.
WEIGHTS, DESCRIPTION = "trained_weights.safetensors", "trained_weights.json"
CHECKPOINT = "model.safetensors"  # from which transformers' trainer resumes


def reason_against_fsdp(method: WeightsVariant) -> str | None:
    """Return why this method cannot train with FSDP: its training and its checkpoints were not measured with it."""
    return f"trains: {method.trains} was not measured on weights that FSDP divides"


def reason_against_packing(network: "PreTrainedModel") -> str | None:
    """Return None: the model reads its rows as before."""
    return None


def resumes(method: WeightsVariant) -> bool:
    """Return True: a checkpoint has all that was trained."""
    return True


def uses_gradient_checkpointing(method: WeightsVariant) -> bool:
    """Return True on a GPU, to save memory; not for the head alone, below which nothing is kept for gradients."""
    return devices.device() == "cuda" and method.trains != "head"


def attach(
    base: "PreTrainedModel",
    method: WeightsVariant,
    peft_task: str,
    folder: Path,
    heads: Sequence[str] = (),
    parts: NetworkParts | None = None,
) -> "PreTrainedModel":
    """Freeze the weights of a loaded base that are not trained, and return it.

    What is trained is described in `folder`, unless it is all. Raises AdapterError if the base has no such weights.
    """
    from accelerate import PartialState

    trained = {name for name, _ in base.named_parameters() if _is_trained(name, method, heads, parts)}
    if not trained or (method.trains == "biases" and all(within(name, heads) for name in trained)):
        what = {"biases": "biases", "connector": "connector"}.get(method.trains, "head that finetuning starts anew")
        raise AdapterError(f"trains: {method.trains}: a {base.config.model_type} model has no {what}")
    for name, parameter in base.named_parameters():
        if parameter.is_floating_point():  # codes of quantized weights have no gradient to ask for
            parameter.requires_grad_(name in trained)
    if method.bits < 16:  # transformers trains beside quantized weights only what it takes for an adapter
        base._hf_peft_config_loaded = True
    if method.trains != "all" and PartialState().is_main_process:
        write_text(json.dumps({"trains": method.trains}) + "\n", folder / DESCRIPTION)
    return base


def _is_trained(name: str, method: WeightsVariant, heads: Sequence[str], parts: NetworkParts | None) -> bool:
    part = parts.part_of(name) if parts else LANGUAGE_MODEL
    if method.trains == "all":
        return part != VISION_TOWER
    if method.trains == "connector":
        return part == CONNECTOR
    if part != LANGUAGE_MODEL:
        return False
    return within(name, heads) or (method.trains == "biases" and name.rsplit(".", 1)[-1] == "bias")


def adapted(network: "PreTrainedModel") -> dict[str, int]:
    """Count the weights that are trained, by name with a star for the numbers of layers."""
    trained = (name for name, parameter in network.named_parameters() if parameter.requires_grad)
    return dict(sorted(Counter(re.sub(r"\b\d+\b", "*", name) for name in trained).items()))


def callbacks(network: "PreTrainedModel") -> "list[TrainerCallback]":
    """Return no callbacks."""
    return []


def base_of(network: "PreTrainedModel") -> "PreTrainedModel":
    """Return the model itself."""
    return network


def parameters(network: "PreTrainedModel") -> tuple[int, int]:
    """Return how many parameters are trained, and how many there are."""
    return network.num_parameters(only_trainable=True), network.num_parameters()


def write_checkpoint(network: "PreTrainedModel", folder: Path, weights: "dict[str, Tensor] | None") -> None:
    """Write the trained weights as they are, in float32, to the folder of a checkpoint."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file(_trained(network, weights), folder / CHECKPOINT, {"format": "pt"})


def _trained(network: "PreTrainedModel", weights: "dict[str, Tensor] | None") -> "dict[str, Tensor]":
    names = [name for name, parameter in network.named_parameters() if parameter.requires_grad]
    state = network.state_dict() if weights is None else weights
    return {name: state[name].detach().cpu().contiguous() for name in names}


def save(network: "PreTrainedModel", base: str | Path, folder: Path) -> None:
    """Save what was trained: a whole model in bfloat16, as merged models are, or in float32 the part that was trained.

    Files other than weights are those of the folder `base`. All ranks must call this, because each may hold a part; the
    first one writes.
    """
    import torch
    from accelerate import PartialState
    from safetensors.torch import save_file

    weights = full_state_dict(network)
    if not PartialState().is_main_process:
        return
    if (folder / DESCRIPTION).is_file():
        save_file(_trained(network, weights), folder / WEIGHTS, {"format": "pt"})
        return
    whole: Any = network  # its `to` has no types
    save_model(whole.to(torch.bfloat16), base, folder)


def name_base(folder: Path, hub: str | None, revision: str | None) -> None:
    """Let the trained weights in `folder` name their base by the Hub's id and revision; a whole model has none."""
    if (folder / DESCRIPTION).is_file():
        described = {**read_json(folder / DESCRIPTION), "base_model_name_or_path": hub, "revision": revision}
        write_text(json.dumps(described, indent=2, sort_keys=True) + "\n", folder / DESCRIPTION)


def load(base: "PreTrainedModel", folder: str | Path) -> "PreTrainedModel":
    """Put the trained weights in `folder` in the place of the base's, in float32.

    Raises AdapterError for weights that the base does not have.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from torch.nn import Parameter

    try:
        trained = load_file(Path(folder) / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise AdapterError(f"{folder}: no trained weights ({error}); finetune it again") from None
    places = dict(base.named_parameters())
    unfit = [name for name, values in trained.items() if name not in places or places[name].shape != values.shape]
    if unfit:
        raise AdapterError(
            f"{folder}: does not fit its base, which has no weights {', '.join(sorted(unfit)[:NAMED])} of such shapes; "
            "finetune it again"
        )
    for name, values in trained.items():
        module, _, last = name.rpartition(".")
        setattr(base.get_submodule(module), last, Parameter(values.to(places[name].device), requires_grad=False))
    return base.eval()


def merge(network: "PreTrainedModel") -> "PreTrainedModel":
    """Return the 16-bit base that `load` has put the trained weights into, rounded to bfloat16."""
    import torch

    put: Any = network
    return put.to(torch.bfloat16)
