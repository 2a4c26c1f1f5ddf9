"""A model without weights: the names, shapes and layers of what a config describes."""

from pathlib import Path
from typing import TYPE_CHECKING

from maple.models.behaviour import ModelKind

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def empty_model(folder: str | Path, kind: ModelKind, *, trust_remote_code: bool = False) -> "PreTrainedModel":
    """Build the model of a Hub-style folder's config on torch's meta device: no memory, no weights.

    An encoder-decoder is built as a translator.
    """
    import torch
    import transformers

    config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code)
    auto_class = "AutoModelForSeq2SeqLM" if config.is_encoder_decoder else kind.AUTO_CLASS
    with torch.device("meta"):
        return getattr(transformers, auto_class).from_config(config, trust_remote_code=trust_remote_code)
