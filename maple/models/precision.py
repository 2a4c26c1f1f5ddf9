"""Loading a base model in 4, 8 or 16 bits."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def load_base(
    folder: str | Path, bits: int, trust_remote_code: bool = False, *, sharded: bool = False
) -> "PreTrainedModel":
    """Load the Hub-style folder as a causal language model.

    4 bits is NF4 with double quantization (QLoRA, arXiv 2305.14314), 8 bits LLM.int8 (arXiv 2208.07339), 16 bits the
    stored weights. Arithmetic is bfloat16 on a GPU and float32 on a CPU, in training as in evaluation. A model that is
    to be `sharded` is loaded to the CPU's memory, its 4-bit weights packed into the dtype of the arithmetic, for FSDP
    cuts floating-point tensors only (bitsandbytes' guide to FSDP-QLoRA). Raises ValueError for other bits.
    """
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    from maple.runtime.devices import compute_dtype, device, local_rank

    dtype = compute_dtype()
    configs = {
        4: BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
            **({"bnb_4bit_quant_storage": dtype} if sharded else {}),
        ),
        8: BitsAndBytesConfig(load_in_8bit=True),
        16: None,
    }
    if bits not in configs:
        raise ValueError(f"bits: {bits} is not one of {', '.join(map(str, configs))}")
    quantized = {"quantization_config": configs[bits]} if configs[bits] else {}
    model = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=dtype,
        use_safetensors=True,
        trust_remote_code=trust_remote_code,
        device_map={"": local_rank() if device() == "cuda" and not sharded else "cpu"},
        **quantized,
    )
    model.config.use_cache = False
    if bits == 4:
        from bitsandbytes.nn import Linear4bit

        # On CPUs with AVX512-BF16 bitsandbytes (0.50) repacks NF4 weights at the first evaluation, to compute in
        # bfloat16. Thereafter logits are others than in training, no gradient passes the layer, and dequantized
        # weights are wrong, all without an error.
        for layer in model.modules():
            if isinstance(layer, Linear4bit):
                layer.support_avx512bf16_for_cpu = False
    if bits == 8:  # else it warns in every layer and pass that LLM.int8 rounds in float16
        logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
    return model
