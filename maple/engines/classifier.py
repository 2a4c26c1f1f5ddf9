"""A classifier with its weights: the log-probabilities of its labels, by one forward pass per batch of texts."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from maple.methods.adapter_files import attach_saved
from maple.models.behaviour import behaviour_of
from maple.models.classifier_text import ClassifierEncoder
from maple.models.example import EncodedExample
from maple.runtime.devices import prepare

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import Tensor
    from transformers import PreTrainedModel


class ClassifierKind(Protocol):
    """What the module of a kind of model that classifies has beside maple.models.behaviour.ModelKind."""

    def load(self, folder: str | Path, bits: int, *, trust_remote_code: bool, dtype: str) -> "PreTrainedModel":
        """Load a model with its classification head; `dtype` of arithmetic."""
        ...

    def encode(self, example: Mapping[str, Any], encoder: ClassifierEncoder) -> EncodedExample:
        """Return the tokens of a labelled example (keys language, texts, label)."""
        ...

    def collate(self, examples: Sequence[EncodedExample], pad: int, *, packing: bool) -> dict:
        """Return a batch as the model reads it."""
        ...

    def label_logits(self, model: "PreTrainedModel | PeftModel", batch: Mapping[str, Any]) -> "Tensor":
        """Return the logits of the labels, [rows, labels] in float32."""
        ...


def classifier_kind(name: str) -> ClassifierKind:
    """Return the module of a kind of model that classifies."""
    return cast(ClassifierKind, behaviour_of(name))


class Classifier:
    """A loaded model with a classification head, and the adapter in the folder `adapter` attached, if there is one."""

    def __init__(
        self,
        kind: ClassifierKind,
        folder: str | Path,
        adapter: str | Path | None,
        *,
        pad: int,
        dtype: str,
        threads: int,
        trust_remote_code: bool = False,
    ):
        prepare(threads, seed=0)
        base = kind.load(folder, 16, trust_remote_code=trust_remote_code, dtype=dtype)
        self.model = attach_saved(base, adapter) if adapter else base.eval()
        self.kind, self.pad = kind, pad
        self.seconds = 0.0
        """Of its forward passes so far."""
        self.info: dict[str, str | int] = {
            "dtype": str(base.dtype).removeprefix("torch."),
            "attention": str(base.config._attn_implementation),
        }

    def log_probabilities(self, examples: Sequence[EncodedExample], batch: int) -> list[list[float]]:
        """Return the natural log-probabilities of the labels for each example, in the order of the model's logits.

        `batch` consecutive examples are computed at once; their padding is masked.
        """
        import torch

        begin, computed = time.perf_counter(), []
        for start in range(0, len(examples), batch):
            inputs = self.kind.collate(examples[start : start + batch], self.pad, packing=False)
            with torch.inference_mode():
                computed += self.kind.label_logits(self.model, inputs).double().log_softmax(-1).tolist()
        self.seconds += time.perf_counter() - begin
        return computed
