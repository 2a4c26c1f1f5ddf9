"""A model in one GGUF file, llama.cpp's format, as a Hub-style folder: transformers reads it, we write it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from maple.models.tiny import BaseError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def convert(file: Path, folder: Path, *, name: str) -> None:
    """Write the causal model of a GGUF file into `folder`: weights in bfloat16, config, tokenizer and chat template.

    Weights that the file has in 4 bits are dequantized: what rounding to them lost stays lost. `name` says where the
    model is from. Raises BaseError for a file that transformers cannot read.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, GgufConfig

    place: dict[str, Any] = {"gguf_file": file.name}
    try:
        tokenizer = AutoTokenizer.from_pretrained(file.parent, **place)
        # Else transformers keeps the file's own blocks, which PEFT, bitsandbytes and `save_pretrained` cannot take.
        dequantized = GgufConfig(dequantize=True)
        model: Any = AutoModelForCausalLM.from_pretrained(
            file.parent, dtype=torch.bfloat16, quantization_config=dequantized, **place
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise BaseError(f"{file}: transformers cannot read it: {' '.join(str(error).split())[:500]}") from error
    _begin_with_bos(tokenizer, file)
    model.config._model_name_or_path = name  # else the file's own title, which no other program knows
    special = ("bos_token_id", "eos_token_id", "pad_token_id")
    tokens = {key: value for key in special if (value := getattr(tokenizer, key)) is not None}
    model.config.update(tokens)
    model.generation_config = GenerationConfig(**tokens)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _begin_with_bos(tokenizer: "PreTrainedTokenizerBase", file: Path) -> None:
    """Let the tokenizer put its BOS before a text if llama.cpp would: transformers loses that, and Gemma breaks."""
    from tokenizers.processors import TemplateProcessing

    bos: Any = tokenizer.bos_token
    if bos is None or tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id] or not _wants_bos(file):
        return
    backend: Any = tokenizer.backend_tokenizer
    backend.post_processor = TemplateProcessing(
        single=f"{bos} $A", pair=f"{bos} $A {bos}:1 $B:1", special_tokens=[(bos, tokenizer.bos_token_id)]
    )


def _wants_bos(file: Path) -> bool:
    """Return what the file says of a BOS; if nothing, what llama.cpp does: one before sentencepiece's tokens."""
    from gguf import GGUFReader

    reader = GGUFReader(file)
    said = reader.get_field("tokenizer.ggml.add_bos_token")
    if said is not None:
        return bool(said.contents())
    kind = reader.get_field("tokenizer.ggml.model")
    return kind is not None and kind.contents() == "llama"
