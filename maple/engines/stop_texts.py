"""Texts that end a completion, as a stopping criterion of transformers."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

# Tokens of a window before the longest stop text: the first token of a window may be decoded without its space.
_SLACK = 4


class StopTexts:
    """Ends each row with the token that completes one of its texts; `lengths` has the rows' new tokens until there.

    `decode` returns the text of tokens; `texts` are those of each row, none for a row that no text ends.
    """

    def __init__(self, decode: Callable[[list[int]], str], texts: Sequence[Sequence[str]], prompt_length: int):
        self._decode, self._texts, self._prompt_length = decode, texts, prompt_length
        # A token has at least one byte.
        self._windows = [max((len(text.encode()) for text in row), default=0) + _SLACK for row in texts]
        self.lengths: dict[int, int] = {}

    def __call__(self, ids: "torch.Tensor", scores: Any, **_: Any) -> "torch.Tensor":
        """Return for each row of `ids`, [rows, prompt and new tokens], if it has ended."""
        import torch

        new = ids[:, self._prompt_length :]
        for row, (texts, window) in enumerate(zip(self._texts, self._windows, strict=True)):
            if texts and row not in self.lengths:
                end = self._decode(new[row, -window:].tolist())
                if any(text in end for text in texts):
                    self.lengths[row] = new.shape[1]
        return torch.tensor([row in self.lengths for row in range(len(self._texts))], device=ids.device)
