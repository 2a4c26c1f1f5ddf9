"""Metrics of answers that are labels."""


def accuracy(prediction: str, targets: list[str], language: str) -> float:
    """Return 1 if the chosen label is the gold one, else 0."""
    return float(prediction in targets)
