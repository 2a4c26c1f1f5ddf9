"""The texts of a classifier as tokens: one text or a pair, with special tokens where the tokenizer puts them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from maple.models.special_tokens import json_of
from maple.models.text_tokenizer import TextTokenizer

# What ends a text: BERT's [SEP] is no EOS, and XLM-R's is both.
ENDS = ("sep", "eos")


@dataclass(frozen=True)
class ClassifierEncoder:
    """A model's tokenizer, and the labels that the model has learnt or will learn."""

    tokenizer: TextTokenizer
    labels: Mapping[str, int]
    """The number of each label's logit; empty for a base without a head."""

    @classmethod
    def of(cls, folder: str | Path) -> "ClassifierEncoder":
        """Read the tokenizer and the labels of a Hub-style folder."""
        labels = json_of(Path(folder) / "config.json").get("label2id") or {}
        return cls(TextTokenizer.of(Path(folder), ENDS), labels)

    @property
    def pad(self) -> int:
        """The token that fills a micro-batch; nothing attends to it."""
        return self.tokenizer.pad

    def piece(self, text: str) -> list[int]:
        """Return the tokens of a text alone, without special tokens."""
        return self.tokenizer.encode(text)

    def texts(self, texts: Sequence[str]) -> tuple[list[int], list[int]]:
        """Return the tokens of one or two texts as the model reads them, and for each token its text, 0 or 1."""
        return self.tokenizer.encode_texts(texts)
