"""Loading a model in 4, 8 or 16 bits."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maple.models.attention import loaded_implementation
from maple.models.tiny import BaseError
from maple.runtime import devices

if TYPE_CHECKING:
    from transformers import PreTrainedModel

BITS = (4, 8, 16)


def load_pretrained(
    auto_class: Any,
    folder: str | Path,
    bits: int,
    *,
    trust_remote_code: bool = False,
    sharded: bool = False,
    dtype: str = "auto",
    heads: Sequence[str] = (),
    unquantized: Sequence[str] = (),
) -> "PreTrainedModel":
    """Load the Hub-style folder by one of transformers' Auto classes.

    4 bits is NF4 with double quantization (QLoRA, arXiv 2305.14314), 8 bits LLM.int8 (arXiv 2208.07339), 16 bits the
    stored weights. `dtype` is that of the arithmetic, as `devices.compute_dtype` names it. A model that is
    to be `sharded` is loaded to the CPU's memory, its 4-bit weights packed into the dtype of the arithmetic, because
    FSDP divides floating-point tensors only (bitsandbytes' guide to FSDP-QLoRA). The modules `heads`, by their whole
    names, stay in 32 bits, and those of `unquantized` in 16. Raises ValueError for other bits, and BaseError for a
    model of which they would leave most weights as they are, those of `unquantized` aside, and for a folder that lacks
    some, which transformers would draw at random.
    """
    from transformers import AutoConfig

    if bits not in BITS:
        raise ValueError(f"bits: {bits} is not one of {', '.join(map(str, BITS))}")
    config = AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code)
    model, report = auto_class.from_pretrained(
        folder,
        dtype=devices.compute_dtype(dtype),
        use_safetensors=True,
        trust_remote_code=trust_remote_code,
        attn_implementation=loaded_implementation(config),
        device_map={"": devices.local_rank() if devices.device() == "cuda" and not sharded else "cpu"},
        output_loading_info=True,
        **_quantization(bits, sharded, dtype, [*heads, *unquantized]),
    )
    if missing := sorted(report["missing_keys"]):
        raise BaseError(
            f"{folder}: lacks {len(missing)} of the weights of a {type(model).__name__}, which would be random and "
            f"others each time: {', '.join(missing[:3])}; make the folder again"
        )
    for head in heads:
        model.get_submodule(head).float()
    if hasattr(model.config, "use_cache"):
        model.config.use_cache = False
    if bits < 16:
        _check_quantized(model, bits, unquantized)
    if bits == 4:
        _keep_one_arithmetic(model)
    if bits == 8:  # else it warns in every layer and micro-batch that LLM.int8 rounds in float16
        logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
    return model


def dequantized(model: "PreTrainedModel") -> "PreTrainedModel":
    """Return a quantized model with the weights that its codes stand for, as layers of the types that it had before.

    transformers makes linear layers of them all, so that GPT-2's transposed Conv1D weights would be saved turned round.
    """
    import torch
    from transformers.pytorch_utils import Conv1D

    transposed = [name for name, layer in model.named_modules() if getattr(layer, "source_cls", None) is Conv1D]
    plain: Any = model.dequantize()
    for name in transposed:
        linear = plain.get_submodule(name)
        layer = Conv1D(linear.out_features, linear.in_features)
        layer.weight, layer.bias = torch.nn.Parameter(linear.weight.data.T.contiguous()), linear.bias
        plain.set_submodule(name, layer)
    # transformers leaves these as they were, and PEFT's IA3 folds into no model that is marked as quantized.
    plain.is_loaded_in_4bit = plain.is_loaded_in_8bit = False
    return plain


def _check_quantized(model: "PreTrainedModel", bits: int, unquantized: Sequence[str]) -> None:
    """Refuse a model of whose weights less than half are quantized: embedding, output layer and `unquantized` aside.

    bitsandbytes quantizes linear layers, and passes by what is none for it, such as experts in one 3-D parameter and
    Falcon's own linear layers, with a warning at most. The bound, a half, is our choice: all models keep small parts.
    """
    from bitsandbytes.nn.modules import Linear4bit, Linear8bitLt

    ends = {id(end.weight) for end in (model.get_input_embeddings(), model.get_output_embeddings()) if end is not None}
    layers = [layer for layer in model.modules() if isinstance(layer, Linear4bit | Linear8bitLt)]
    packed = sum(layer.in_features * layer.out_features for layer in layers)
    quantized = {id(layer.weight) for layer in layers} | ends
    kept = tuple(f"{name}." for name in unquantized)
    others = sum(
        each.numel()
        for name, each in model.named_parameters()
        if each.dim() > 1 and id(each) not in quantized and not name.startswith(kept)
    )
    if packed < others:
        raise BaseError(
            f"bits: {bits}: {packed / (packed + others):.0%} of the weights of a {model.config.model_type} model would "
            "be quantized, for bitsandbytes takes plain linear layers alone, neither experts that are one parameter "
            f"nor linear layers of a model's own; leave {bits} out of the bits of the grid for this model"
        )


def _quantization(bits: int, sharded: bool, dtype: str, unquantized: Sequence[str]) -> dict:
    from transformers import BitsAndBytesConfig

    if bits == 16:
        return {}
    # Patterns that transformers (5.19) matches from the start of a module's whole name.
    kept = [rf"{re.escape(name)}(\.|$)" for name in unquantized] or None  # None: its own choice, the output layer
    if bits == 8:
        return {"quantization_config": BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=kept)}
    computed = devices.compute_dtype(dtype)
    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=computed,
        bnb_4bit_quant_storage=computed if sharded else None,
        llm_int8_skip_modules=kept,
    )
    return {"quantization_config": config}


def _keep_one_arithmetic(model: "PreTrainedModel") -> None:
    """Keep bitsandbytes (0.50) from repacking NF4 weights, which it does on CPUs with AVX512-BF16.

    It repacks them at the first evaluation, to compute in bfloat16. Thereafter logits differ from those in training, no
    gradient passes the layer, and dequantized weights are wrong, all without an error.
    """
    from bitsandbytes.nn.modules import Linear4bit

    for layer in model.modules():
        if isinstance(layer, Linear4bit):
            layer.support_avx512bf16_for_cpu = False
