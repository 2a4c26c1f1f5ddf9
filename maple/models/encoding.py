"""The one place where text becomes tokens, for training and for evaluation alike."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from maple.runtime.files import read_json

if TYPE_CHECKING:
    from tokenizers import Tokenizer


# Bactrian-X's frame (arXiv 2305.15011). MAPLE's own is not published; this one is documented and comes closest.
FRAME = "### Input:\n{prompt}\n\n### Output:\n"


def instruction_prompt(instruction: str, input: str = "") -> str:
    """Return the framed prompt of an instruction example; `input`, if there is one, starts a new line."""
    return FRAME.format(prompt=f"{instruction}\n{input}" if input else instruction)


def evaluation_prompt(text: str) -> str:
    """Return the framed prompt of an evaluation item: the same frame as in training."""
    return FRAME.format(prompt=text.strip())


class PromptError(ValueError):
    """The tokenizer cannot encode prompts safely; the message says which file and key to change."""


@dataclass(frozen=True)
class Encoder:
    """A model's tokenizer and the ids of its special tokens; `bos` is None for a model without one.

    The `tokenizers` library is used directly: it loads in a tenth of a second, transformers takes seconds.
    """

    tokenizer: "Tokenizer"
    bos: int | None
    eos: int
    pad: int

    @classmethod
    def of(cls, model: str | Path) -> "Encoder":
        """Read `tokenizer.json` and the special tokens of the Hub-style folder `model`.

        The padding token is the tokenizer's own, else its unknown token. It is never the EOS: padding is masked out of
        the loss, and a model that never learns the EOS never ends its answer. Raises PromptError if a token is missing.
        """
        from tokenizers import Tokenizer

        model = Path(model)
        tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        special = read_json(model / "tokenizer_config.json")

        def token_id(name: str) -> int | None:
            token = special.get(name)
            content = token["content"] if isinstance(token, dict) else token
            return None if content is None else tokenizer.token_to_id(content)

        bos, eos = token_id("bos_token"), token_id("eos_token")
        if eos is None:
            raise PromptError(f"{model}/tokenizer_config.json: no eos_token; a model must be able to end its answer")
        pad = next((pad for pad in map(token_id, ("pad_token", "unk_token")) if pad is not None and pad != eos), None)
        if pad is None:
            raise PromptError(f"{model}/tokenizer_config.json: set pad_token to a token that is not eos_token")
        return cls(tokenizer, bos, eos, pad)

    def prompt(self, text: str) -> list[int]:
        """Return the tokens of a framed prompt: one BOS, then the text."""
        ids = self.piece(text)
        return ids if self.bos is None else [self.bos, *ids]

    def piece(self, text: str) -> list[int]:
        """Return the tokens of a text that stands within a prompt or after it: no BOS."""
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def pieces(self, texts: list[str]) -> list[list[int]]:
        """Return what `piece` returns for each of the texts, faster."""
        return [encoding.ids for encoding in self.tokenizer.encode_batch(texts, add_special_tokens=False)]

    def text(self, tokens: list[int]) -> str:
        """Return the text of completion tokens, without special tokens."""
        return self.tokenizer.decode(tokens, skip_special_tokens=True)
