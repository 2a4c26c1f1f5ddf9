"""A model without weights: the names, shapes and layers of what a config describes."""

from pathlib import Path
from typing import TYPE_CHECKING

from maple.models.behaviour import ModelKind

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel


def empty_model(folder: str | Path, kind: ModelKind, *, trust_remote_code: bool = False) -> "PreTrainedModel":
    """Build the model of a Hub-style folder's config on torch's meta device: no memory, no weights."""
    import transformers

    config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code)
    return empty_network(config, kind.AUTO_CLASS, trust_remote_code=trust_remote_code)


def empty_network(config: "PreTrainedConfig", auto_class: str, *, trust_remote_code: bool = False) -> "PreTrainedModel":
    """Build the network of a config by one of transformers' Auto classes, on torch's meta device."""
    import torch
    import transformers

    with torch.device("meta"):
        return getattr(transformers, auto_class).from_config(config, trust_remote_code=trust_remote_code)
