"""A training example as the tokens that a model reads."""

from dataclasses import dataclass

import numpy as np

MASKED = -100  # the label of a token that adds no loss; torch's own default


@dataclass(frozen=True, eq=False)
class EncodedExample:
    """An example as tokens: `input_ids` and `labels` (MASKED on the prompt), and the UTF-8 bytes of its completion.

    `segments` are, for a classifier, the text of each token, 0 or 1.
    """

    language: str
    input_ids: np.ndarray
    labels: np.ndarray
    completion_bytes: int
    segments: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.input_ids)

    @property
    def completion_tokens(self) -> int:
        """The number of tokens that are learnt, the end of the answer among them."""
        return int((self.labels[1:] != MASKED).sum())
