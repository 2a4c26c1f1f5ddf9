"""The one place where text becomes tokens, for training and for evaluation alike."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer


# Bactrian-X's frame (arXiv 2305.15011), the best documented stand-in for MAPLE's, which is not known.
FRAME = "### Input:\n{prompt}\n\n### Output:\n"


def instruction_prompt(instruction: str, input: str = "") -> str:
    """Return the framed prompt of an instruction example; `input` stands on its own lines where there is one."""
    return FRAME.format(prompt=f"{instruction}\n{input}" if input else instruction)


def evaluation_prompt(text: str) -> str:
    """Return the framed prompt of an evaluation item: the same frame as in training."""
    return FRAME.format(prompt=text.strip())


class PromptError(ValueError):
    """A tokenizer that cannot encode prompts safely; the message says which file and key to change."""


@dataclass(frozen=True)
class Encoder:
    """A model's tokenizer with its special tokens; it adds exactly one BOS (where the model has one) and one EOS.

    `tokenizers` is used directly: it loads in a tenth of a second where transformers takes seconds.
    """

    tokenizer: "Tokenizer"
    bos: int | None
    eos: int
    pad: int

    @classmethod
    def of(cls, model: str | Path) -> "Encoder":
        """Read `tokenizer.json` and the special tokens of the Hub-style folder `model`.

        The padding token is the tokenizer's own, else its unknown token; never EOS, which would then be masked out of
        every loss and never be learnt.
        """
        from tokenizers import Tokenizer

        model = Path(model)
        tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        special = json.loads((model / "tokenizer_config.json").read_text(encoding="utf-8"))

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
        ids = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids if self.bos is None else [self.bos, *ids]

    def pieces(self, texts: list[str]) -> list[list[int]]:
        """Return the tokens of texts that stand within a prompt: no BOS."""
        return [encoding.ids for encoding in self.tokenizer.encode_batch(texts, add_special_tokens=False)]

    def example(self, instruction: str, input: str, output: str) -> tuple[list[int], list[int]]:
        """Return (input_ids, labels) of a training example: labels are -100 on the prompt, the EOS is learnt."""
        prompt = self.prompt(instruction_prompt(instruction, input))
        answer = [*self.tokenizer.encode(output, add_special_tokens=False).ids, self.eos]
        return prompt + answer, [-100] * len(prompt) + answer

    def text(self, tokens: list[int]) -> str:
        """Return the text of completion tokens, special tokens left out."""
        return self.tokenizer.decode(tokens, skip_special_tokens=True)
