"""Causal language models: how they are loaded, encoded for, trained and built. Imported by name, as a kind of model."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from maple.definitions.frame import Frame
from maple.definitions.local_model import BuildSettings, LocalModel
from maple.models.attention import reason_against_packing, separate_examples, set_row
from maple.models.encoding import Encoder
from maple.models.example import MASKED, EncodedExample
from maple.models.frames import instruction_text
from maple.models.precision import load_pretrained
from maple.models.tiny import BaseError, Pretraining, next_token_loss, pretrain, token_blocks, train_tokenizer
from maple.models.tokenizer_folder import prepare_tokenizer
from maple.runtime import devices

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import Tensor
    from transformers import PreTrainedModel

AUTO_CLASS: str = "AutoModelForCausalLM"
PEFT_TASK: str = "CAUSAL_LM"
NEW_HEADS: tuple[str, ...] = ()
MEASURE: str = "bits_per_byte"
PACKS: bool = True
CORPUS: str = "corpus"

__all__ = ["prepare_tokenizer"]  # of the protocol


def load(
    folder: str | Path, bits: int, *, trust_remote_code: bool = False, sharded: bool = False, dtype: str = "auto"
) -> "PreTrainedModel":
    """Load the Hub-style folder in 4, 8 or 16 bits, as maple.models.precision says."""
    from transformers import AutoModelForCausalLM

    return load_pretrained(
        AutoModelForCausalLM, folder, bits, trust_remote_code=trust_remote_code, sharded=sharded, dtype=dtype
    )


def encoder_of(folder: str | Path, model: LocalModel, frame: Frame | None = None) -> Encoder:
    """Return the text encoding of a model in a frame; None: the frame of the model's file."""
    return Encoder.of(
        folder,
        frame or model.frame,
        template_arguments=model.template_arguments,
        trust_remote_code=model.trust_remote_code,
    )


def encode(example: Mapping[str, Any], encoder: Encoder) -> EncodedExample:
    """Return the tokens of an instruction example (keys language, instruction, input, output).

    That is the prompt in the encoder's frame, then the output and its end, which alone are labelled.
    """
    prompt, answer = encoder.example(instruction_text(example["instruction"], example["input"]), example["output"])
    input_ids, labels = (np.array(ids, dtype=np.int32) for ids in (prompt + answer, [MASKED] * len(prompt) + answer))
    labels[0] = MASKED  # no token stands before it
    return EncodedExample(example["language"], input_ids, labels, len(example["output"].encode()))


def collate(examples: Sequence[EncodedExample], pad: int, *, packing: bool) -> dict:
    """Return a micro-batch as a model reads it: `input_ids` and `labels`, [rows, length].

    A packed one also has `position_ids`, which restart at 0 in each example, and `example_lengths`: flash attention
    needs the former to keep examples apart, maple.models.attention the latter. The first token of an example is
    never labelled: the token before it belongs to another one. Without packing no token attends to the padding, because
    it comes last.
    """
    import torch

    rows = [list(examples)] if packing else [[example] for example in examples]
    shape = (len(rows), max(sum(map(len, row)) for row in rows))
    input_ids, labels, position_ids = np.full(shape, pad), np.full(shape, MASKED), np.zeros(shape, dtype=np.int64)
    for number, row in enumerate(rows):
        start = 0
        for example in row:
            place = slice(start, start + len(example))
            input_ids[number, place] = example.input_ids
            labels[number, place] = example.labels
            labels[number, start] = MASKED
            position_ids[number, place] = np.arange(len(example))
            start += len(example)
    batch = {"input_ids": torch.from_numpy(input_ids), "labels": torch.from_numpy(labels)}
    if packing:
        lengths = [len(example) for example in examples]
        batch |= {"position_ids": torch.from_numpy(position_ids), "example_lengths": lengths}
    return batch


def separate_packed_examples(model: "PreTrainedModel", max_length: int) -> str | None:
    """Change the model's attention so that no example of a packed row sees another; return why it cannot be, or None.

    `max_length` is that of an example, in tokens.
    """
    if reason := reason_against_packing(model, max_length):
        return reason
    separate_examples(model)
    return None


def losses(model: "PreTrainedModel | PeftModel", batch: dict, smoothing: float = 0.0) -> "tuple[Tensor, Tensor]":
    """Return -ln p of every labelled token of a micro-batch, [labelled tokens] in float32, and the row of each.

    The output layer is computed at these tokens alone: prompts are most of the tokens, and the vocabulary is the larger
    part of a small model. `model` may have an adapter, also one that puts virtual tokens before the text.
    """
    from accelerate.utils import extract_model_from_parallel, send_to_device
    from torch.nn.functional import cross_entropy

    inner = extract_model_from_parallel(model)
    inputs: Any = send_to_device(batch, inner.device)
    labels = inputs["labels"][:, 1:]
    labelled = labels != MASKED

    def select_labelled(_, arguments: tuple) -> tuple:
        return (arguments[0][:, -1 - labelled.shape[1] : -1][labelled],)

    head = inner.get_output_embeddings()
    if head is None:
        raise BaseError(f"{type(inner).__name__} names no output layer, at which its loss would be computed")
    handle = head.register_forward_pre_hook(select_labelled)
    try:
        set_row(inputs.get("example_lengths"))
        text = {name: values for name, values in inputs.items() if name not in ("labels", "example_lengths")}
        logits = model(**text, use_cache=False).logits
    finally:
        handle.remove()
    losses = cross_entropy(logits.float(), labels[labelled], reduction="none", label_smoothing=smoothing)
    return losses, labelled.nonzero()[:, 0]


def parts_of(network: "PreTrainedModel") -> None:
    """Return None: methods address all of the model."""


def completion_logits(model: "PreTrainedModel | PeftModel", example: EncodedExample) -> "Tensor":
    """Return the logits of an example's completion, [tokens, vocabulary] in float32.

    One example per call: padding would change what LLM.int8 rounds.
    """
    import torch

    # As in training: some of PEFT's layers on quantized weights mix dtypes if nothing casts them.
    casts = torch.autocast(devices.device(), torch.bfloat16, enabled=devices.compute_dtype() == torch.bfloat16)
    ids = torch.tensor([example.input_ids.tolist()], device=model.device)
    with torch.inference_mode(), casts:
        return model(input_ids=ids, logits_to_keep=example.completion_tokens + 1).logits[0, :-1].float()


def build(
    settings: BuildSettings,
    texts: Sequence[str],
    folder: Path,
    *,
    prompt_words: Sequence[str] = (),
    threads: int,
    progress: Callable[[Iterable], Iterable],
) -> dict:
    """Pretrain a tiny model from scratch on the next token, as maple.models.tiny does."""
    from transformers import AutoModelForCausalLM

    way = Pretraining(AutoModelForCausalLM, train_tokenizer, token_blocks, next_token_loss)
    return pretrain(way, settings, texts, folder, prompt_words=prompt_words, threads=threads, progress=progress)
