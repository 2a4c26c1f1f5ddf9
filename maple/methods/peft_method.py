"""Adapters: PEFT's networks around a base, and what they need to be trained and saved rightly."""

from pathlib import Path
from typing import TYPE_CHECKING

from maple.methods.lora_init import moves

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import Tensor
    from transformers import PreTrainedModel, TrainerCallback


class AdapterError(ValueError):
    """An adapter that does not fit its base; the message names the key of the method's file."""


def recomputes(cell: dict) -> bool:
    """Say whether activations are computed again in the backward pass, to save a GPU's memory.

    Not with prefix tuning: its prefix stands in the key-value cache, which checkpointing does without.
    """
    from maple.runtime.devices import device

    return device() == "cuda" and cell["peft"] != "PREFIX_TUNING"


def unsharded(cell: dict) -> str | None:
    """Return why the parts of a base that several processes hold cannot be trained beside, None where they can."""
    if moves(cell):
        start = cell["adapter"]["init_lora_weights"]
        return f"init_lora_weights={start} needs the base's weights whole, and no process holds them so"
    if cell["bits"] == 8:
        return "bitsandbytes cannot divide 8-bit weights"
    return "PEFT's AdaLoRA cannot divide its ranks" if cell["peft"] == "ADALORA" else None


def attach(base: "PreTrainedModel", cell: dict, folder: Path) -> "PeftModel":
    """Attach a new adapter to a loaded base and freeze the base.

    `cell` has peft (the type), bits (of the base), adapter (what the type's config class is called with) and training
    (steps). An adapter that starts with a part of the base's weights is saved to `folder`/initial first, for `save`.
    Raises AdapterError where biases shall be trained and there are none, and where PEFT would not do what is asked.
    """
    from accelerate import PartialState
    from peft import get_peft_config, get_peft_model, prepare_model_for_kbit_training

    biases = {key for key in ("bias", "lora_bias") if cell["adapter"].get(key) not in (None, False, "none")}
    if biases and not any(name.endswith(".bias") for name, _ in base.named_parameters()):
        raise AdapterError(f"adapter: {', '.join(biases)}: the base has no biases; leave it out of the method's file")
    if cell["bits"] < 16:
        base = prepare_model_for_kbit_training(base, use_gradient_checkpointing=recomputes(cell))
    config = {"peft_type": cell["peft"], "task_type": "CAUSAL_LM", **cell["adapter"]}
    if cell["peft"] == "ADALORA":
        # A tenth of the steps at the first budget, half of them at the last (our choice, near the paper's for MNLI).
        steps = cell["training"]["steps"]
        config = {"total_step": steps, "tinit": steps // 10, "tfinal": steps // 2, **config}
    network = get_peft_model(base, get_peft_config(config))
    if cell["peft"] == "BOFT":
        factors = next(len(weights) for name, weights in network.named_parameters() if "boft_R" in name)
        if factors != network.active_peft_config.boft_n_butterfly_factor:
            raise AdapterError(
                f"adapter.boft_n_butterfly_factor: PEFT takes {factors} here, without asking, for it cannot compile "
                "its CUDA extension; install the CUDA toolkit and ninja, or write 1"
            )
    if moves(cell) and PartialState().is_main_process:
        network.save_pretrained(folder / "initial")
    return network


def in_float32(network: "PeftModel") -> None:
    """Keep what is trained in float32, whatever the base's bits.

    TRL would train adapters on quantized bases in bfloat16, those on others in float32: not the bits alone would
    differ then, and steps of a thousandth from a factor that starts at one would be rounded away.
    """
    for parameter in network.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def gathered(network: "PeftModel") -> "dict[str, Tensor] | None":
    """Return an adapter's weights whole where processes hold parts of them, else None; every process must call this.

    The frozen base stays in its parts.
    """
    from torch.distributed.tensor import DTensor

    if not any(isinstance(parameter, DTensor) for parameter in network.parameters()):
        return None
    trained = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    return {
        name: value.full_tensor() if isinstance(value, DTensor) else value
        for name, value in network.state_dict().items()
        if name in trained or not isinstance(value, DTensor)
    }


def save(network: "PeftModel", folder: Path) -> None:
    """Save the adapter to `folder` (safetensors), as what is to be added to the untouched base.

    One that started with a part of the base's weights is saved as the plain LoRA, of twice the rank, that is the
    difference of its end and its start. Loaded on other bits than it was trained on it would otherwise take another
    part out of the base. Every process of a training calls this, for each may hold a part; the first one writes.
    """
    import shutil

    from accelerate import PartialState

    weights = gathered(network)
    if not PartialState().is_main_process:
        return
    config = network.active_peft_config
    if isinstance(getattr(config, "target_modules", None), set):
        config.target_modules = sorted(config.target_modules)  # a set would be written in another order each time
    initial = folder / "initial"
    if not initial.is_dir():
        network.save_pretrained(folder, safe_serialization=True, state_dict=weights)
        return
    network.save_pretrained(folder, safe_serialization=True, path_initial_model_for_weight_conversion=str(initial))
    shutil.rmtree(initial)


def orthogonality(network: "PeftModel") -> "Tensor":
    """Return how far AdaLoRA's singular vectors are from orthonormal: the mean of ||P P^T - I|| in Frobenius norms.

    As PEFT has it; the paper squares the norms (arXiv 2303.10512, equation 4).
    """
    import torch

    distances = []
    for name, parameter in network.named_parameters():
        if "lora_A" in name or "lora_B" in name:
            rows = parameter if "lora_A" in name else parameter.T
            distances.append(torch.linalg.norm(rows @ rows.T - torch.eye(len(rows), device=rows.device)))
    return torch.stack(distances).mean()


def callbacks(network: "PeftModel") -> "list[TrainerCallback]":
    """Return what the trainer must call: AdaLoRA's regularization and its allocation of ranks, else nothing.

    PEFT adds the regularization to the loss that a model returns; SFTTrainer computes its own from log-probabilities,
    so that it would be left out. Its gradients are laid down before a step's batches add theirs, which is the same sum.
    """
    from transformers import TrainerCallback

    config = network.active_peft_config
    if config.peft_type != "ADALORA":
        return []

    class Allocation(TrainerCallback):
        def on_step_begin(self, args, state, control, **kwargs):
            (config.orth_reg_weight * orthogonality(network)).backward()

        def on_optimizer_step(self, args, state, control, **kwargs):  # the gradients are still there
            network.base_model.update_and_allocate(state.global_step)

    return [Allocation()]
