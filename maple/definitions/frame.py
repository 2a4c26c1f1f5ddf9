"""How a prompt is laid out around its text, and what a model's file says about its tokenizer."""

from typing import Literal

Frame = Literal["bactrian", "chat", "none"]
Demonstrations = Literal["turns", "text"]

DEFAULT_FRAME: Frame = "bactrian"
DEFAULT_DEMONSTRATIONS: Demonstrations = "turns"
NO_TOKEN = "none"  # in the key `bos` of a model's file: prompts begin without one
