"""The frame of a task with a layout of its own: one text, from the description to the answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from maple.definitions.layout import Layout
from maple.models.text_tokenizer import TextTokenizer


def plain_text(layout: Layout, prompt: str, demonstrations: Sequence[Mapping[str, str]]) -> str:
    """Return a prompt after the description and the demonstrations (keys prompt and answer)."""
    shown = (f"{each['prompt']}{layout.delimiter}{each['answer']}{layout.separator}" for each in demonstrations)
    return "".join((layout.description, *shown, prompt))


@dataclass(frozen=True)
class PlainFrame:
    """Encodes a prompt and its answer as one text, as the LM Evaluation Harness does.

    White space that ends a prompt is ranked with the answer, which so begins as a word does within a text.
    """

    tokenizer: TextTokenizer
    layout: Layout

    def prompt(self, text: str) -> list[int]:
        """Return the tokens of a whole prompt: what the tokenizer puts before a text, and the text.

        A prompt without any token is one BOS, or the EOS of a tokenizer without one: the first token of an answer needs
        one before it.
        """
        tokenizer = self.tokenizer
        first = tokenizer.eos if tokenizer.bos is None else tokenizer.bos
        return [*tokenizer.start, *tokenizer.encode(text)] or [first]

    def ranked(self, text: str, answer: str) -> tuple[list[int], list[int]]:
        """Return the tokens of a whole prompt, and those of an answer after it.

        They are those of the one text, cut where the prompt ends; if its last token reaches into the answer, those of
        the answer alone.
        """
        prompt = text.rstrip()
        answered = text[len(prompt) :] + self.layout.delimiter + answer
        return self.prompt(prompt), self.tokenizer.encode_after(prompt, answered)
