"""Translators (mBART-50, M2M100, NLLB, MADLAD), which read a text by one network and write another by a second one.

Imported by name, as a kind of model. What the decoder reads is made here for all of them: transformers' own helpers
differ from model to model, and mBART's takes the last token of a row for its first.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from maple.definitions.frame import Frame
from maple.definitions.local_model import BuildSettings, LocalModel
from maple.embedded.translations import Translation
from maple.models.example import MASKED, EncodedExample
from maple.models.precision import load_pretrained
from maple.models.tiny import pretrain
from maple.models.tiny_seq2seq import pretraining
from maple.models.translation_text import Seq2SeqEncoder, prepare_translation_tokenizer
from maple.runtime import devices

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import Tensor
    from transformers import PreTrainedModel

AUTO_CLASS: str = "AutoModelForSeq2SeqLM"
PEFT_TASK: str = "SEQ_2_SEQ_LM"
NEW_HEADS: tuple[str, ...] = ()
MEASURE: str = "bits_per_byte"
PACKS: bool = False
CORPUS: str = "translations"
ONE_PAIR_A_ROW = "every target attends to all of the source in its row"


def load(
    folder: str | Path, bits: int, *, trust_remote_code: bool = False, sharded: bool = False, dtype: str = "auto"
) -> "PreTrainedModel":
    """Load the Hub-style folder in 4, 8 or 16 bits, as maple.models.precision says.

    No layer is dropped in training: M2M100's config asks for 5 % of them (layerdrop), so that the micro-batches of a
    step would be of different models, and the adapter of a dropped layer would learn nothing. Dropout is the config's.
    """
    from transformers import AutoModelForSeq2SeqLM

    network = load_pretrained(
        AutoModelForSeq2SeqLM, folder, bits, trust_remote_code=trust_remote_code, sharded=sharded, dtype=dtype
    )
    for module in network.modules():
        if hasattr(module, "layerdrop"):
            setattr(module, "layerdrop", 0.0)  # noqa: B010 (a module's attributes are tensors and modules to pyright)
    return network


def prepare_tokenizer(folder: Path, tokens: Mapping[str, str], *, trust_remote_code: bool = False) -> None:
    """Make the tokenizer of a base's folder agree with itself, as maple.models.translation_text does."""
    prepare_translation_tokenizer(folder, tokens, trust_remote_code=trust_remote_code)


def encoder_of(folder: str | Path, model: LocalModel, frame: Frame | None = None) -> Seq2SeqEncoder:
    """Return the text encoding of a translator, with the tags of the model's file; it has no frame."""
    return Seq2SeqEncoder.of(folder, model.tags, model.new_tags)


def encode(example: Mapping[str, Any], encoder: Seq2SeqEncoder) -> EncodedExample:
    """Return the tokens of a translation (keys language, texts, output, source_language, target_language).

    The decoder reads its start, the tag of the target and the words, and learns the words and their end. The tag, where
    a model has it there, has no label: it is given in translating, too, and would be no part of what the text takes in
    bits.
    """
    (source,), into = example["texts"], example["target_language"]
    start, target = encoder.forced_start(into), encoder.target(example["output"])
    return EncodedExample(
        language=example["language"],
        input_ids=np.array(encoder.source(source, example["source_language"], into), dtype=np.int32),
        labels=np.array([MASKED] * (len(start) - 1) + target, dtype=np.int32),
        units=len(example["output"].encode()),
        decoder_ids=np.array([*start, *target[:-1]], dtype=np.int32),
    )


def collate(examples: Sequence[EncodedExample], pad: int, *, packing: bool = False) -> dict:
    """Return a micro-batch as a translator reads it, each example a row.

    It has `input_ids` and `attention_mask`, [rows, source tokens], and `decoder_input_ids` and `labels`, [rows, target
    tokens]. The decoder needs no mask: it attends to earlier tokens alone, and padding comes last.
    """
    import torch

    if packing:
        raise ValueError(ONE_PAIR_A_ROW)
    sources = [example.input_ids for example in examples]
    targets = [example.input_ids[:0] if example.decoder_ids is None else example.decoder_ids for example in examples]
    return {
        "input_ids": torch.from_numpy(_padded(sources, pad)),
        "attention_mask": torch.from_numpy(_padded([np.ones_like(source) for source in sources], 0)),
        "decoder_input_ids": torch.from_numpy(_padded(targets, pad)),
        "labels": torch.from_numpy(_padded([example.labels for example in examples], MASKED)),
    }


def _padded(rows: Sequence[np.ndarray], filling: int) -> np.ndarray:
    """Return rows of different lengths as an array [rows, longest], filled up behind."""
    padded = np.full((len(rows), max(map(len, rows))), filling, dtype=np.int64)
    for number, row in enumerate(rows):
        padded[number, : len(row)] = row
    return padded


def separate_packed_examples(model: "PreTrainedModel", max_length: int) -> str | None:
    """Return why examples cannot share a row."""
    return ONE_PAIR_A_ROW


def losses(model: "PreTrainedModel | PeftModel", batch: dict, smoothing: float = 0.0) -> "tuple[Tensor, Tensor]":
    """Return -ln p of every labelled token of a micro-batch, [labelled tokens] in float32, and the row of each.

    The output layer is computed at these tokens alone: its vocabulary is most of a translator's arithmetic. Label
    smoothing is over the whole vocabulary, tags and unused rows included, as torch and transformers have it.
    """
    from accelerate.utils import extract_model_from_parallel, send_to_device
    from torch.nn.functional import cross_entropy

    inner = extract_model_from_parallel(model)
    inputs: Any = send_to_device(batch, inner.device)
    labels = inputs["labels"]
    labelled = labels != MASKED

    def select_labelled(_, arguments: tuple) -> tuple:
        return (arguments[0][:, -labels.shape[1] :][labelled],)  # virtual tokens of an adapter stand before the text

    handle = inner.get_output_embeddings().register_forward_pre_hook(select_labelled)
    try:
        logits = model(**{name: inputs[name] for name in inputs if name != "labels"}, use_cache=False).logits
    finally:
        handle.remove()
    logits = logits.reshape(-1, logits.shape[-1])
    losses = cross_entropy(logits.float(), labels[labelled], reduction="none", label_smoothing=smoothing)
    return losses, labelled.nonzero()[:, 0]


def parts_of(network: "PreTrainedModel") -> None:
    """Return None: methods address all of the model."""


def completion_logits(model: "PreTrainedModel | PeftModel", example: EncodedExample) -> "Tensor":
    """Return the logits of an example's translation, [tokens, vocabulary] in float32.

    One example per call: padding would change what LLM.int8 rounds.
    """
    import torch

    batch = collate([example], 0)
    learnt = batch.pop("labels")[0] != MASKED
    # As in training: some of PEFT's layers on quantized weights mix dtypes if nothing casts them.
    casts = torch.autocast(devices.device(), torch.bfloat16, enabled=devices.compute_dtype() == torch.bfloat16)
    inputs = {name: values.to(model.device) for name, values in batch.items()}
    with torch.inference_mode(), casts:
        logits = model(**inputs, use_cache=False).logits[0]
        return logits[-len(learnt) :][learnt.to(logits.device)].float()


def build(
    settings: BuildSettings,
    texts: Sequence[Translation],
    folder: Path,
    *,
    prompt_words: Sequence[str] = (),
    threads: int,
    progress: Callable[[Iterable], Iterable],
) -> dict:
    """Pretrain a tiny translator from scratch on translations, as maple.models.tiny_seq2seq does.

    It reads no prompts, so that their words are no tokens.
    """
    return pretrain(pretraining(settings), settings, texts, folder, threads=threads, progress=progress)
