"""Examples whose tokens one can count."""

import numpy as np

from maple.models.example import MASKED, EncodedExample


def example(length, first=10, prompt=2):
    """An example of `length` tokens that count up from `first`; those after the prompt are labelled."""
    ids = np.arange(first, first + length, dtype=np.int32)
    return EncodedExample("eng_Latn", ids, np.where(np.arange(length) < prompt, MASKED, ids), units=1)
