"""Metrics of answers that are labels."""


def accuracy(prediction: str, targets: list[str], language: str) -> float:
    """Return 1.0 if the predicted label is the gold label, else 0.0.

    >>> accuracy("B", ["A"], "eng_Latn")
    0.0
    """
    return float(prediction in targets)
