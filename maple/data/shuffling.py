"""Rows with the pictures of others: the control that tells what a model learns of pictures and what of texts."""

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b


def shuffled(digests: Sequence[tuple[str, ...]], seed: int) -> list[int]:
    """Return for each row the place of the row whose pictures it gets: a permutation that the seed decides.

    `digests` are those of each row's pictures. No row gets the pictures that it has, unless more than half of the rows
    have these; then as few as possible do. The same rows in another language get the same pictures.

    Rows with the same pictures stand together, in a random order of pictures, and all move by the size of the largest
    group: so each leaves its own.

    >>> shuffled([("0a",), ("0a",), ("0b",), ("0b",)], seed=1)
    [2, 3, 0, 1]
    """

    def key(place: int) -> tuple[bytes, int]:
        return blake2b(f"{seed} {' '.join(digests[place])}".encode()).digest(), place

    order = sorted(range(len(digests)), key=key)
    step = max(Counter(digests).values(), default=0)
    given = [0] * len(order)
    for number, place in enumerate(order):
        given[place] = order[(number + step) % len(order)]
    return given
