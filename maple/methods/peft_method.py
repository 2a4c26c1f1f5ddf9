"""PEFT's methods: adapters around a base, and what each type needs to be trained and saved rightly.

Imported by name, as a method (maple.methods.method).
"""

import logging
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maple.definitions.method import PeftVariant
from maple.definitions.parts import NetworkParts
from maple.methods.adapted_layers import adapted_layers, all_linear, has_unadapted_experts
from maple.methods.adapter_files import AdapterError, attach_saved, name_base
from maple.methods.heads import within
from maple.methods.lora_init import init_changes_base
from maple.methods.own_types import OWN_TYPES, register
from maple.methods.places import check_biases, check_places, check_whole, default_targets, trained_whole
from maple.methods.reach import Reach
from maple.methods.sharded import full_state_dict
from maple.methods.targets import reason_against_tied
from maple.runtime import devices

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import Tensor
    from transformers import PreTrainedModel, TrainerCallback

# Of the protocol, and the same for all methods or for all adapters.
__all__ = ["full_state_dict", "name_base"]


class TypeBehaviour:
    """How a PEFT type is trained; types with other needs override this."""

    gradient_checkpointing = True
    reason_against_fsdp: str | None = None

    def resumes(self, method: PeftVariant) -> bool:
        """Return True if PEFT saves all that training goes on from."""
        return True

    def config(self, method: PeftVariant) -> dict:
        """Return arguments of the type's config class beside those of the method's file."""
        return {}

    def targets(self, base: "PreTrainedModel", heads: Sequence[str]) -> dict:
        """Return the layers that are adapted if the method's file names none; empty: PEFT's choice."""
        return {}

    def check(self, network: "PeftModel") -> None:
        """Raise AdapterError if PEFT has built something else than the method's file says."""

    def callbacks(self, network: "PeftModel") -> "list[TrainerCallback]":
        """Return the trainer callbacks that the type needs."""
        return []


class AdaLora(TypeBehaviour):
    """LoRA whose ranks are reallocated during training (arXiv 2303.10512)."""

    reason_against_fsdp = "PEFT's AdaLoRA cannot divide its ranks"

    def resumes(self, method: PeftVariant) -> bool:
        """Return False: PEFT saves nothing of how much each rank matters."""
        return False

    def config(self, method: PeftVariant) -> dict:
        """Return the schedule of the budget: a tenth of the steps at the first one, half of them at the last.

        The shares are our choice, near the paper's for MNLI.
        """
        steps = method.training.steps
        return {"total_step": steps, "tinit": steps // 10, "tfinal": steps // 2}

    def callbacks(self, network: "PeftModel") -> "list[TrainerCallback]":
        """Return the regularization and the allocation of ranks.

        PEFT adds the regularization to the loss that a model returns. Our trainer computes the loss from logits, so
        that the regularization would be lost. Here its gradients are computed before those of the step's micro-batches,
        which are added to them: the sum is the same.
        """
        from transformers import TrainerCallback

        config: Any = network.active_peft_config
        adalora: Any = network.base_model

        class Allocation(TrainerCallback):
            def on_step_begin(self, args, state, control, **kwargs):
                (config.orth_reg_weight * orthogonality(network)).backward()

            def on_optimizer_step(self, args, state, control, **kwargs):  # the gradients are still there
                adalora.update_and_allocate(state.global_step)

        return [Allocation()]


class LnTuning(TypeBehaviour):
    """The weights of normalizations."""

    def targets(self, base: "PreTrainedModel", heads: Sequence[str]) -> dict:
        """Return all normalizations outside of the heads: PEFT knows those of few architectures."""
        names = [name for name, layer in base.named_modules() if type(layer).__name__.endswith("Norm")]
        return {"target_modules": [name for name in names if not within(name, heads)]}


class Boft(TypeBehaviour):
    """Butterfly factorization of an orthogonal matrix."""

    def check(self, network: "PeftModel") -> None:
        """Refuse fewer factors than the method's file asks for."""
        config: Any = network.active_peft_config
        factors = next(len(weights) for name, weights in network.named_parameters() if "boft_R" in name)
        if factors != config.boft_n_butterfly_factor:
            raise AdapterError(
                f"adapter.boft_n_butterfly_factor: PEFT takes {factors} here, without asking, for it cannot compile "
                "its CUDA extension; install the CUDA toolkit and ninja, or write 1"
            )


class PrefixTuning(TypeBehaviour):
    """Keys and values of virtual tokens in front of every layer's."""

    gradient_checkpointing = False  # it disables the key-value cache, which holds the prefix

    def resumes(self, method: PeftVariant) -> bool:
        """Return False with an MLP: PEFT saves what it computes, and not the MLP."""
        return not method.adapter.get("prefix_projection")


class PTuning(TypeBehaviour):
    """Virtual tokens that an MLP or an LSTM computes."""

    def resumes(self, method: PeftVariant) -> bool:
        """Return False: PEFT saves what is computed, which it would load as the input of the computation."""
        return False


class OwnType(TypeBehaviour):
    """The types of maple.methods.own_types."""

    reason_against_fsdp = "adapters of our own types were not measured on weights that FSDP divides"


OVERRIDES = {
    "ADALORA": AdaLora(),
    "BOFT": Boft(),
    "LN_TUNING": LnTuning(),
    "PREFIX_TUNING": PrefixTuning(),
    "P_TUNING": PTuning(),
    **dict.fromkeys(OWN_TYPES, OwnType()),
}
DEFAULT = TypeBehaviour()


def _type(peft: str) -> TypeBehaviour:
    return OVERRIDES.get(peft, DEFAULT)


def reason_against_fsdp(method: PeftVariant) -> str | None:
    """Return why this method cannot train with FSDP, or None if it can."""
    if init_changes_base(method):
        start = method.adapter["init_lora_weights"]
        return f"init_lora_weights={start} needs the base's weights whole, and no process holds them so"
    if method.adapter.get("trainable_token_indices"):
        return "adapter.trainable_token_indices needs the embedding whole, and no process holds it so"
    if method.bits == 8:
        return "bitsandbytes cannot divide 8-bit weights"
    return _type(method.peft).reason_against_fsdp


def reason_against_packing(network: "PeftModel") -> str | None:
    """Return why examples cannot share a row with this adapter, or None if they can."""
    if network.active_peft_config.is_prompt_learning:
        return "the method's virtual tokens stand before a row, not before each example in it"
    return None


def resumes(method: PeftVariant) -> bool:
    """Return True if training can resume from a checkpoint."""
    return _type(method.peft).resumes(method)


def uses_gradient_checkpointing(method: PeftVariant) -> bool:
    """Return True if gradient checkpointing is used: on a GPU, to save memory, for types that work with it."""
    return devices.device() == "cuda" and _type(method.peft).gradient_checkpointing


def attach(
    base: "PreTrainedModel",
    method: PeftVariant,
    peft_task: str,
    folder: Path,
    heads: Sequence[str] = (),
    parts: NetworkParts | None = None,
) -> "PeftModel":
    """Attach a new adapter to a loaded base and freeze the base, all but the modules `heads`.

    Of a base with `parts` the language model is adapted, and the connector trained whole if the method says so. An
    adapter that starts with a part of the base's weights is saved to `folder`/initial first, for `save`. Raises
    AdapterError if biases are to be trained and there are none, if a rank is above a side of its layer, and if PEFT
    would build something else than the method's file says.
    """
    from accelerate import PartialState
    from peft import prepare_model_for_kbit_training

    register(method.peft)
    check_biases(base, method, parts)
    if base.config.is_encoder_decoder and (reason := reason_against_tied(method.adapter)):
        raise AdapterError(reason)
    if method.bits < 16:
        base = prepare_model_for_kbit_training(base, use_gradient_checkpointing=uses_gradient_checkpointing(method))
    keys = _config(base, method, heads, parts)
    network = _built(base, method, {"peft_type": method.peft, "task_type": peft_task, **keys})
    _type(method.peft).check(network)
    check_whole(network, keys.get("modules_to_save") or ())
    check_places(network, method, parts)
    check_ranks(network)
    check_merge(network)
    _say_what_is_adapted(network)
    if init_changes_base(method) and PartialState().is_main_process:
        network.save_pretrained(str(folder / "initial"))
    return network


def _config(
    base: "PreTrainedModel", method: PeftVariant, heads: Sequence[str], parts: NetworkParts | None
) -> dict[str, Any]:
    """Return the arguments of the type's config class for this base."""
    peft_type, reach = _type(method.peft), Reach.of(method, parts)
    chosen = peft_type.config(method)
    if heads or base.config.is_encoder_decoder:  # PEFT names the layers of causal models alone
        chosen |= peft_type.targets(base, heads)
    elif reach:
        chosen |= default_targets(method.peft, parts.text_type if parts else base.config.model_type)
    keys = {**chosen, **method.adapter}
    linear = all_linear(base, method, heads, reach)
    if reach and not linear and keys.get("target_modules"):
        keys["target_modules"] = reach.pattern(keys["target_modules"])
    return {**keys, **linear, **trained_whole(base, method, heads, parts)}


def _built(base: "PreTrainedModel", method: PeftVariant, keys: dict[str, Any]) -> "PeftModel":
    from peft import get_peft_config, get_peft_model

    try:
        return get_peft_model(base, get_peft_config(keys))
    except ValueError as error:
        if not re.search("target.modules", str(error), re.IGNORECASE):
            raise
        told = f"adapter.target_modules: {method.peft} on a {base.config.model_type} model: {error}"
        raise AdapterError(f"{told}; name the layers to adapt in the method's file") from None


def base_of(network: "PeftModel") -> "PreTrainedModel":
    """Return the model within an adapted one."""
    base: Any = network.get_base_model()
    return base


def parameters(network: "PeftModel") -> tuple[int, int]:
    """Return how many parameters are trained, and how many there are."""
    return network.get_nb_trainable_parameters()


def write_checkpoint(network: "PeftModel", folder: Path, weights: "dict[str, Tensor] | None") -> None:
    """Write the adapter as it is to the folder of a checkpoint."""
    network.save_pretrained(str(folder), state_dict=weights)


def _say_what_is_adapted(network: "PeftModel") -> None:
    """Write to the log which layers are adapted, and that experts are not."""
    log = logging.getLogger(__name__)
    log.info("adapted: %s", ", ".join(f"{name} ({count})" for name, count in adapted_layers(network).items()) or "none")
    if has_unadapted_experts(network):
        log.warning("no expert is adapted: the experts are parameters, which all-linear or target_parameters reaches")


def check_ranks(network: "PeftModel") -> None:
    """Refuse a LoRA whose rank is above the smaller side of a layer: the rest of it could change nothing."""
    from peft.tuners.lora import LoraLayer

    for name, layer in network.named_modules():
        if isinstance(layer, LoraLayer):
            side = min(filter(None, (layer.in_features, layer.out_features)))
            if (rank := max(layer.r.values())) > side:
                raise AdapterError(
                    f"{name}: rank {rank} is above its smaller side, {side}; "
                    f"leave {rank} out of the ranks of the grid, or the layer out of the method's target_modules"
                )


def check_merge(network: "PeftModel") -> None:
    """Refuse before training what does not fold: a tied embedding would be changed twice, a bias has no place to go."""
    from peft.tuners.lora import LoraLayer
    from peft.tuners.tuners_utils import BaseTunerLayer

    base: Any = network.get_base_model()
    ends = (base.get_input_embeddings(), base.get_output_embeddings())
    configs = (base.config, base.config.get_text_config())  # of a model with parts the one or the other says it
    tied = any(getattr(config, "tie_word_embeddings", False) for config in configs)
    if tied and any(isinstance(end, BaseTunerLayer) for end in ends):
        raise AdapterError(
            "adapter.target_modules: the input embedding is the output layer at once, so that a fold would change "
            "both; leave it out of the method's file"
        )
    for name, layer in network.named_modules():
        biased = isinstance(layer, LoraLayer) and any(layer.lora_bias.values())
        if biased and getattr(layer.get_base_layer(), "bias", None) is None:
            raise AdapterError(f"adapter.lora_bias: {name} has no bias to fold it into; leave lora_bias out")


def adapted(network: "PeftModel") -> dict[str, int]:
    """Count the layers that the adapter changes, by name without their numbers."""
    return adapted_layers(network)


def callbacks(network: "PeftModel") -> "list[TrainerCallback]":
    """Return the trainer callbacks that the adapter needs: AdaLoRA's regularization and its allocation of ranks."""
    config: Any = network.active_peft_config
    return _type(config.peft_type).callbacks(network)


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


def save(network: "PeftModel", base: str | Path, folder: Path) -> None:
    """Save the adapter to `folder` (safetensors), as what is to be added to the untouched base.

    An adapter that started with a part of the base's weights is saved as a plain LoRA of twice the rank, the difference
    between its end and its start: loaded on other bits than it was trained on, it would otherwise take another part out
    of the base. All ranks must call this, because each may hold a part; the first one writes.
    """
    from accelerate import PartialState

    weights = full_state_dict(network)
    if not PartialState().is_main_process:
        return
    config: Any = network.active_peft_config
    for key in ("target_modules", "target_parameters"):
        if isinstance(getattr(config, key, None), set):
            setattr(config, key, sorted(getattr(config, key)))  # a set would be written in another order each time
    initial = folder / "initial"
    if not initial.is_dir():
        network.save_pretrained(str(folder), safe_serialization=True, state_dict=weights)
        return
    network.save_pretrained(str(folder), safe_serialization=True, path_initial_model_for_weight_conversion=str(initial))
    shutil.rmtree(initial)


def load(base: "PreTrainedModel", folder: str | Path) -> "PeftModel":
    """Attach the adapter in `folder` to a loaded base, for evaluation; raises AdapterError if it does not fit."""
    return attach_saved(base, folder)


def merge(network: "PeftModel") -> "PreTrainedModel":
    """Fold the adapter into the weights of the 16-bit base it is attached to, and round them to bfloat16.

    The fold is in the dtype of the arithmetic: float32 on a CPU, which rounds once; bfloat16 on a GPU, which rounds the
    adapter's part as well (docs/merging.md: within a third of one rounding's error).
    """
    import torch

    return fold(network).to(torch.bfloat16)


def fold(network: "PeftModel") -> Any:
    """Return the base with the adapter folded in, by PEFT, and with the trained heads.

    The heads are put in first: of a module of several layers PEFT (0.21) looks for a weight of its own, and fails.
    """
    from peft.utils.other import ModulesToSaveWrapper

    base: Any = network.get_base_model()
    for name, module in list(base.named_modules()):
        if isinstance(module, ModulesToSaveWrapper):
            base.set_submodule(name, module.modules_to_save[module.active_adapters[0]])
    return network.merge_and_unload(safe_merge=True)
