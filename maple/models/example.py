"""A training example as the tokens that a model reads, and what it learns of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

MASKED = -100  # the label of a token that adds no loss; torch's own default


class Pictures(Protocol):
    """The pictures of an example, which are read when a micro-batch is made: no data set's pixels are kept."""

    def inputs(self, batch: "Sequence[EncodedExample]") -> "dict[str, Tensor]":
        """Return what a model reads of the pictures of a micro-batch, of which this example is one."""
        ...


@dataclass(frozen=True, eq=False)
class EncodedExample:
    """An example as tokens and labels.

    A model learns to complete a text, with a label for each token, to label it, with one label for the whole text, or
    to translate it, with a label for each token that its decoder reads.
    """

    language: str
    input_ids: np.ndarray
    labels: np.ndarray
    """What is learnt at each token, MASKED where nothing is, or the one label of the text."""
    units: int
    """What a loss on held-out text is divided by (ModelKind.MEASURE): UTF-8 bytes of a completion, or 1 for a label."""
    segments: np.ndarray | None = None
    """For each token 0 or 1, for the first or the second text of a pair, or for what a vision-language model tells
    apart; None for a model that reads one text."""
    weight: float = 1.0
    """Of its loss in training."""
    decoder_ids: np.ndarray | None = None
    """The tokens that a decoder reads, one per label; None for a model that has only one network."""
    pictures: Pictures | None = None
    """Of a vision-language model, also for an example without any; None for a model that sees nothing."""

    def __len__(self) -> int:
        return sum(self.lengths)

    @property
    def lengths(self) -> tuple[int, ...]:
        """The tokens of each sequence of the example; each is padded by itself."""
        return (len(self.input_ids), *(() if self.decoder_ids is None else (len(self.decoder_ids),)))

    @property
    def completion_tokens(self) -> int:
        """The number of labels that are learnt: tokens of the completion with its end, or 1 for a label of a text."""
        return int((self.labels != MASKED).sum())
