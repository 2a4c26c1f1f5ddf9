"""Completions as text: special tokens are left out, except for those that mark a model's thinking.

No part of maple.models.encoding, so that an edit of the marks trains nothing again.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from maple.text.thinking import marks_among, opening_mark, split_thinking

# The last tokens of a prompt, among which is a mark that opens a block: those of gpt-oss are three tokens.
PROMPT_END = 16


class AddedToken(Protocol):
    """A token that a tokenizer has besides its vocabulary, as the library tokenizers has it."""

    @property
    def content(self) -> str:
        """Its text."""
        ...

    @property
    def special(self) -> bool:
        """True if it is left out of a text."""
        ...


@dataclass(frozen=True)
class CompletionDecoder:
    """Decodes the completions of a model."""

    decode: Callable[[list[int]], str]
    """Returns the text of tokens without special tokens."""
    marks: Mapping[int, str]
    """The special tokens that mark thinking, by id; a mark that is no special token is text already."""

    @classmethod
    def of(cls, added: Mapping[int, AddedToken], decode: Callable[[list[int]], str]) -> "CompletionDecoder":
        """Return the decoder of a tokenizer, from its added tokens by id and its function for text."""
        special = {id: token.content for id, token in added.items() if token.special}
        marks = marks_among(set(special.values()))
        return cls(decode, {id: content for id, content in special.items() if content in marks})

    def text(self, tokens: Sequence[int]) -> str:
        """Return the text of completion tokens."""
        parts, start = [], 0
        for place, token in enumerate(tokens):
            if token in self.marks:
                parts += [self.decode(list(tokens[start:place])), self.marks[token]]
                start = place + 1
        return "".join([*parts, self.decode(list(tokens[start:]))])

    def opening_mark(self, prompt: Sequence[int]) -> str:
        """Return the mark by which the tokens of a prompt open a thinking block; "" if they open none."""
        return opening_mark(self.text(prompt[-PROMPT_END:]))

    def thinking_tokens(self, tokens: Sequence[int], *, opened_by: str, cut: bool) -> int | None:
        """Return how many tokens of a completion are thinking, its marks with it; None if the model has not thought.

        The arguments are those of maple.text.thinking.split_thinking. A token that has both the end of a block and the
        beginning of an answer belongs to the block.
        """
        text = self.text(tokens)
        split = split_thinking(text, opened_by=opened_by, cut=cut)
        if not split.thinks:
            return None
        # A beginning of the tokens has a beginning of the text, so that the place of a character can be bisected.
        places = {0: 0, len(text): len(tokens)}
        for place in {place for span in split.spans for place in span} - places.keys():
            places[place] = bisect_left(range(len(tokens)), place, key=lambda count: len(self.text(tokens[:count])))
        return sum(places[end] - places[start] for start, end in split.spans)
