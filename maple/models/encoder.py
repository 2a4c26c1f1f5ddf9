"""Encoders as classifiers: how they are loaded, encoded for, trained and built. Imported by name, as a kind of model.

A classifier is an encoder with a head, which reads a text or a pair and gives each label a logit. A base has no head:
maple.models.head_folder draws one for a task, and `load` takes the folder that it leaves.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from maple.definitions.frame import Frame
from maple.definitions.local_model import BuildSettings, LocalModel
from maple.models.classifier_text import ClassifierEncoder, prepare_classifier_tokenizer
from maple.models.empty import empty_network
from maple.models.example import MASKED, EncodedExample
from maple.models.heads import head_modules
from maple.models.precision import load_pretrained
from maple.models.tiny import Pretraining, pretrain
from maple.models.tiny_encoder import masked_token_loss, text_rows, train_tokenizer
from maple.models.unpadded import remove_padding

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import Tensor
    from transformers import PreTrainedModel

AUTO_CLASS: str = "AutoModelForSequenceClassification"
PEFT_TASK: str = "SEQ_CLS"
# Of BERT and ALBERT classifier and pooler, of DeBERTa the same; of RoBERTa, XLM-R and ELECTRA classifier; of DistilBERT
# pre_classifier and classifier; of ModernBERT head and classifier; score is that of classifiers on other networks. All
# of them are the head, whether a base has them or not: what is trained then does not depend on how a base was made.
NEW_HEADS: tuple[str, ...] = ("classifier", "head", "pooler", "pre_classifier", "score")
MEASURE: str = "bits_per_label"
PACKS: bool = False
CORPUS: str = "corpus"
ONE_TEXT_A_ROW = "a classifier gives one label to all of a row"


def load(
    folder: str | Path, bits: int, *, trust_remote_code: bool = False, sharded: bool = False, dtype: str = "auto"
) -> "PreTrainedModel":
    """Load a classifier in 4, 8 or 16 bits, as maple.models.precision says; its head stays in 32 bits.

    Raises BaseError for a folder without a head.
    """
    from transformers import AutoConfig, AutoModelForSequenceClassification

    config = AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code)
    network = empty_network(config, AUTO_CLASS, trust_remote_code=trust_remote_code)
    model = load_pretrained(
        AutoModelForSequenceClassification,
        folder,
        bits,
        trust_remote_code=trust_remote_code,
        sharded=sharded,
        dtype=dtype,
        heads=head_modules(network, NEW_HEADS),
    )
    remove_padding(model)
    return model


def prepare_tokenizer(folder: Path, tokens: Mapping[str, str], *, trust_remote_code: bool = False) -> None:
    """Make the tokenizer of a base's folder agree with itself, as maple.models.classifier_text does."""
    prepare_classifier_tokenizer(folder, tokens, trust_remote_code=trust_remote_code)


def encoder_of(folder: str | Path, model: LocalModel, frame: Frame | None = None) -> ClassifierEncoder:
    """Return the text encoding of a classifier, which has no frame."""
    return ClassifierEncoder.of(folder)


def encode(example: Mapping[str, Any], encoder: ClassifierEncoder) -> EncodedExample:
    """Return the tokens of a labelled example (keys language, texts, label): one text or two."""
    input_ids, segments = encoder.texts(example["texts"])
    return EncodedExample(
        language=example["language"],
        input_ids=np.array(input_ids, dtype=np.int32),
        labels=np.array([encoder.label(example["label"])], dtype=np.int32),
        units=1,
        segments=np.array(segments, dtype=np.int32),
    )


def collate(examples: Sequence[EncodedExample], pad: int, *, packing: bool = False) -> dict:
    """Return a micro-batch as a classifier reads it, each example a row.

    It has `input_ids`, `attention_mask` and `token_type_ids`, [rows, length], and `labels` and `weights`, [rows].
    """
    import torch

    if packing:
        raise ValueError(ONE_TEXT_A_ROW)
    shape = (len(examples), max(map(len, examples)))
    input_ids, mask, segments = np.full(shape, pad), np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for number, example in enumerate(examples):
        input_ids[number, : len(example)] = example.input_ids
        mask[number, : len(example)] = 1
        segments[number, : len(example)] = 0 if example.segments is None else example.segments
    return {
        "input_ids": torch.from_numpy(input_ids),
        "attention_mask": torch.from_numpy(mask),
        "token_type_ids": torch.from_numpy(segments),
        "labels": torch.tensor([int(example.labels[0]) for example in examples]),
        "weights": torch.tensor([example.weight for example in examples]),
    }


def separate_packed_examples(model: "PreTrainedModel", max_length: int) -> str | None:
    """Return why examples cannot share a row."""
    return ONE_TEXT_A_ROW


def label_logits(model: "PreTrainedModel | PeftModel", batch: Mapping[str, Any]) -> "Tensor":
    """Return the logits of a micro-batch of `collate`, [rows, labels] in float32.

    A model that is 16-bit beside a 32-bit head computes as in training, where autocast lets them work together.
    """
    import torch
    from accelerate.utils import extract_model_from_parallel, send_to_device

    inner: Any = extract_model_from_parallel(model)
    names = ["input_ids", "attention_mask"]
    if (getattr(inner.config, "type_vocab_size", None) or 0) > 1:  # XLM-R knows one, DistilBERT none
        names.append("token_type_ids")
    inputs: Any = send_to_device({name: batch[name] for name in names}, inner.device)
    is_half = inner.get_input_embeddings().weight.dtype == torch.bfloat16
    with torch.autocast(
        inner.device.type, torch.bfloat16, enabled=is_half or torch.is_autocast_enabled(inner.device.type)
    ):
        return model(**inputs).logits.float()


def losses(model: "PreTrainedModel | PeftModel", batch: dict, smoothing: float = 0.0) -> "tuple[Tensor, Tensor]":
    """Return -ln p of the label of every row of a micro-batch, in float32, and the rows; masked rows are left out."""
    from torch.nn.functional import cross_entropy

    logits = label_logits(model, batch)
    labels = batch["labels"].to(logits.device)
    learnt = labels != MASKED
    losses = cross_entropy(logits[learnt], labels[learnt].long(), reduction="none", label_smoothing=smoothing)
    return losses, learnt.nonzero()[:, 0]


def parts_of(network: "PreTrainedModel") -> None:
    """Return None: methods address all of the model."""


def completion_logits(model: "PreTrainedModel | PeftModel", example: EncodedExample) -> "Tensor":
    """Return the logits of an example's labels, [1, labels] in float32.

    One example per call: padding would change what LLM.int8 rounds.
    """
    import torch

    with torch.inference_mode():
        return label_logits(model, collate([example], 0))


def build(
    settings: BuildSettings,
    texts: Sequence[str],
    folder: Path,
    *,
    prompt_words: Sequence[str] = (),
    threads: int,
    progress: Callable[[Iterable], Iterable],
) -> dict:
    """Pretrain a tiny encoder from scratch by masked language modelling, as maple.models.tiny_encoder does."""
    from transformers import AutoModelForMaskedLM

    way = Pretraining(AutoModelForMaskedLM, train_tokenizer, text_rows, masked_token_loss)
    return pretrain(way, settings, texts, folder, prompt_words=prompt_words, threads=threads, progress=progress)
