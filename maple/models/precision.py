"""Loading a model in 4, 8 or 16 bits."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
) -> "PreTrainedModel":
    """Load the Hub-style folder by one of transformers' Auto classes.

    4 bits is NF4 with double quantization (QLoRA, arXiv 2305.14314), 8 bits LLM.int8 (arXiv 2208.07339), 16 bits the
    stored weights. `dtype` is that of the arithmetic, as `devices.compute_dtype` names it. A model that is
    to be `sharded` is loaded to the CPU's memory, its 4-bit weights packed into the dtype of the arithmetic, because
    FSDP divides floating-point tensors only (bitsandbytes' guide to FSDP-QLoRA). Raises ValueError for other bits.
    """
    if bits not in BITS:
        raise ValueError(f"bits: {bits} is not one of {', '.join(map(str, BITS))}")
    model = auto_class.from_pretrained(
        folder,
        dtype=devices.compute_dtype(dtype),
        use_safetensors=True,
        trust_remote_code=trust_remote_code,
        device_map={"": devices.local_rank() if devices.device() == "cuda" and not sharded else "cpu"},
        **_quantization(bits, sharded, dtype),
    )
    model.config.use_cache = False
    if bits == 4:
        _keep_one_arithmetic(model)
    if bits == 8:  # else it warns in every layer and micro-batch that LLM.int8 rounds in float16
        logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
    return model


def _quantization(bits: int, sharded: bool, dtype: str) -> dict:
    from transformers import BitsAndBytesConfig

    if bits == 16:
        return {}
    if bits == 8:
        return {"quantization_config": BitsAndBytesConfig(load_in_8bit=True)}
    computed = devices.compute_dtype(dtype)
    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=computed,
        bnb_4bit_quant_storage=computed if sharded else None,
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
