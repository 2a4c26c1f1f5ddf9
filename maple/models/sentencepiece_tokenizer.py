"""M2M100's tokenizer, which transformers has in Python alone: pieces of a SentencePiece model, ids of a vocabulary."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from maple.models.language_tags import M2M100
from maple.models.special_tokens import json_of
from maple.models.tiny import BaseError

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor

PIECES, VOCABULARY = "sentencepiece.bpe.model", "vocab.json"
EOS, PAD, UNKNOWN = "</s>", "<pad>", "<unk>"


@dataclass(frozen=True)
class SentencePieceTokenizer:
    """The tokenizer of a folder without tokenizer.json. A text reaches no special token by spelling it."""

    pieces: "SentencePieceProcessor"
    ids: dict[str, int]
    """The id of each piece."""
    tags: dict[str, int]
    """The id of each language's token; they stand behind the pieces."""

    @classmethod
    def of(cls, folder: Path) -> "SentencePieceTokenizer":
        """Read the tokenizer of a folder; raises BaseError for a tokenizer of another form."""
        from sentencepiece import SentencePieceProcessor

        missing = [name for name in (PIECES, VOCABULARY) if not (folder / name).is_file()]
        if missing or json_of(folder / "tokenizer_config.json").get("language_codes", "m2m100") != "m2m100":
            raise BaseError(
                f"{folder}: has neither a tokenizer.json nor M2M100's files ({PIECES}, {VOCABULARY}); name a revision "
                "that has them"
            )
        ids = json_of(folder / VOCABULARY)
        tags = {f"__{short}__": len(ids) + place for place, short in enumerate(M2M100.values())}
        return cls(SentencePieceProcessor(model_file=str(folder / PIECES)), ids, tags)

    @cached_property
    def control(self) -> dict[str, int]:
        """The tokens that no text has, {text: id}."""
        return {**{text: self.ids[text] for text in ("<s>", PAD, EOS, UNKNOWN) if text in self.ids}, **self.tags}

    @property
    def eos(self) -> int:
        """The token that ends a text."""
        return self.ids[EOS]

    @property
    def pad(self) -> int:
        """The token that fills a micro-batch."""
        return self.ids[PAD]

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text alone."""
        unknown = self.ids[UNKNOWN]
        return [self.ids.get(piece, unknown) for piece in self.pieces.encode(text, out_type=str)]

    def encode_batch(self, texts: Iterable[str]) -> list[list[int]]:
        """Return what `encode` returns for each of the texts."""
        return [self.encode(text) for text in texts]

    def text(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens, without special tokens."""
        special = {*self.control.values()}
        return self.pieces.decode([self.token(id) for id in tokens if id not in special]).strip()

    def token_id(self, text: str) -> int | None:
        """Return the id of a token by its text; None for a text that is no token."""
        return self.tags.get(text, self.ids.get(text))

    def token(self, id: int) -> str:
        """Return the text of a token by its id; the unknown token's for ids beyond the vocabulary."""
        return self._names.get(id, UNKNOWN)

    @cached_property
    def _names(self) -> dict[int, str]:
        return {id: piece for piece, id in {**self.ids, **self.tags}.items()}
