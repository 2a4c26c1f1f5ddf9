"""The texts of a classifier as tokens: one text or a pair, with special tokens where the tokenizer puts them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maple.models.special_tokens import json_of
from maple.models.text_tokenizer import TextTokenizer
from maple.models.tiny import BaseError
from maple.models.tokenizer_folder import PROBES, check_ids, load_tokenizer, write_tokenizer

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

    def label(self, name: str) -> int:
        """Return the number of a label; raises BaseError for one that the model does not have."""
        if name not in self.labels:
            known = ", ".join(sorted(self.labels, key=self.labels.__getitem__))
            raise BaseError(
                f"the label {name!r} is none of the model's: {known}; a task's labels are the keys of its choices"
            )
        return self.labels[name]


def prepare_classifier_tokenizer(folder: Path, tokens: Mapping[str, str], *, trust_remote_code: bool = False) -> None:
    """Make the tokenizer in `folder` agree with itself: transformers and the `tokenizers` library give the same ids.

    What stands before, between and after texts stays as the tokenizer has it. Raises BaseError for a tokenizer that
    cannot be made to agree, for one without a padding token, for ids beyond the embedding, and for `tokens` of the
    model's file that no text of a classifier has.
    """
    if other := sorted(tokens.keys() - {"pad"}):
        raise BaseError(
            f"{folder}: {other[0]}: the texts of a classifier begin and end as its tokenizer says; leave it out"
        )
    tokenizer = load_tokenizer(folder, trust_remote_code)
    if pad := tokens.get("pad"):
        tokenizer.pad_token = pad
    if tokenizer.pad_token_id is None:
        raise BaseError(f"{folder}: the tokenizer names no padding token; write pad: with its text in the model's file")
    if pad or not _agrees(tokenizer, folder):
        write_tokenizer(tokenizer, folder)
        if not _agrees(load_tokenizer(folder, trust_remote_code), folder):
            raise BaseError(
                f"{folder}: transformers makes other tokens of a text than its tokenizer.json says; take a copy whose "
                "tokenizer.json was saved again"
            )
    check_ids(folder, json_of(folder / "config.json"), ENDS)


def _agrees(tokenizer: Any, folder: Path) -> bool:
    """Return True if transformers' tokenizer and ours make the same tokens of texts and of pairs of texts."""
    ours = TextTokenizer.of(folder, ENDS)
    pairs = [(text,) for text in PROBES] + [(text, "a b") for text in PROBES]
    return all(tokenizer(*texts)["input_ids"] == ours.encode_texts(texts)[0] for texts in pairs)
