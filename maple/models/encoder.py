"""Encoders as classifiers: how they are loaded, and how texts are encoded for them. Imported by name, as a kind.

A classifier is an encoder with a head, which reads a text or a pair and gives each label a logit.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from maple.models.classifier_text import ClassifierEncoder
from maple.models.example import EncodedExample
from maple.models.precision import load_pretrained

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import Tensor
    from transformers import PreTrainedModel

AUTO_CLASS: str = "AutoModelForSequenceClassification"
PEFT_TASK: str = "SEQ_CLS"
ONE_TEXT_A_ROW = "a classifier gives one label to all of a row"


def load(
    folder: str | Path, bits: int, *, trust_remote_code: bool = False, sharded: bool = False, dtype: str = "auto"
) -> "PreTrainedModel":
    """Load a classifier in 4, 8 or 16 bits, as maple.models.precision says."""
    from transformers import AutoModelForSequenceClassification

    return load_pretrained(
        AutoModelForSequenceClassification,
        folder,
        bits,
        trust_remote_code=trust_remote_code,
        sharded=sharded,
        dtype=dtype,
    )


def encode(example: Mapping[str, Any], encoder: ClassifierEncoder) -> EncodedExample:
    """Return the tokens of a labelled example (keys language, texts, label), as the model reads them."""
    input_ids, segments = encoder.texts(example["texts"])
    return EncodedExample(
        language=example["language"],
        input_ids=np.array(input_ids, dtype=np.int32),
        labels=np.array([encoder.labels[example["label"]]], dtype=np.int32),
        completion_bytes=1,
        segments=np.array(segments, dtype=np.int32),
    )


def collate(examples: Sequence[EncodedExample], pad: int, *, packing: bool = False) -> dict:
    """Return a micro-batch as a classifier reads it, each example a row.

    It has `input_ids`, `attention_mask` and `token_type_ids`, [rows, length], and `labels`, [rows].
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
    }


def label_logits(model: "PreTrainedModel | PeftModel", batch: Mapping[str, Any]) -> "Tensor":
    """Return the logits of a micro-batch of `collate`, [rows, labels] in float32."""
    from accelerate.utils import extract_model_from_parallel, send_to_device

    inner: Any = extract_model_from_parallel(model)
    names = ["input_ids", "attention_mask"]
    if (getattr(inner.config, "type_vocab_size", None) or 0) > 1:  # XLM-R knows one, DistilBERT none
        names.append("token_type_ids")
    inputs: Any = send_to_device({name: batch[name] for name in names}, inner.device)
    return model(**inputs).logits.float()
