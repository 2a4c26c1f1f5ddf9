"""What can make training faster, and the reasons against it: Liger's kernels and torch.compile."""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from maple.runtime import devices
from maple.training.preflight import FinetuningError

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel


def uses_liger(setting: bool | Literal["auto"], model_type: str) -> bool:
    """Return True if Liger's kernels are to be used; raises FinetuningError if they are wanted and cannot be."""
    if setting is False:
        return False
    reason = _reason_against_liger(model_type)
    if reason and setting is True:
        raise FinetuningError(f"finetune.liger: {reason}; write auto or false")
    return reason is None


def _reason_against_liger(model_type: str) -> str | None:
    if devices.device() != "cuda":
        return "Liger's kernels are for GPUs, and the job has none"
    if find_spec("liger_kernel") is None:
        return "Liger's kernels are not installed here (`pip install liger-kernel`)"
    table = import_module("liger_kernel.transformers.monkey_patch").MODEL_TYPE_TO_APPLY_LIGER_FN
    return None if model_type in table else f"Liger has no kernels for {model_type}"


def compile_layers(
    network: "PeftModel | PreTrainedModel", base: "PreTrainedModel", *, packing: bool, sharded: bool
) -> None:
    """Compile every layer of the adapted `network` in its place, by torch.compile; `base` is the model within it.

    Not the model as a whole: the output layer is computed at other tokens in each micro-batch (ModelKind.losses), which
    a compiled model would not see. Raises FinetuningError where nothing could be compiled.
    """
    import torch
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    if sharded:
        raise FinetuningError("finetune.compile: layers that FSDP divides are not compiled; write false")
    if packing and not str(network.config._attn_implementation).startswith("flash"):
        raise FinetuningError(
            "finetune.compile: without flash attention a packed row is computed example by example, and each row would "
            "be compiled anew; write packing: false, or compile: false"
        )
    if devices.device() == "cpu":
        try:
            get_cpp_compiler()
        except InvalidCxxCompiler:
            raise FinetuningError("finetune.compile: no C++ compiler is here; install one, or write false") from None
    names = set(base._no_split_modules or ())  # transformers' names of the classes of layers
    layers = [module for module in network.modules() if type(module).__name__ in names]
    if not layers:
        raise FinetuningError(f"finetune.compile: {type(base).__name__} names no layers; write false")
    torch.compiler.reset()
    for layer in layers:
        layer.compile()
