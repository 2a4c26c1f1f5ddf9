"""Samples of rows that are the same in every language of a parallel set, and that larger samples contain."""

from collections.abc import Hashable, Sequence
from hashlib import blake2b
from itertools import accumulate, chain


def sampled_positions(
    names: Sequence[str], count: int | None, groups: Sequence[Hashable] | None = None
) -> Sequence[int]:
    """Return the positions of `count` rows in their order, sampled by a digest of their names; None: all rows.

    The first rows of a file are no sample: published sets are often sorted by label or by topic. Rows of one group
    (`groups` has one per row; by default each row is its own) are sampled together, so that there can be fewer than
    `count` rows; but there is at least one group.
    """
    if count is None or count >= len(names):
        return range(len(names))
    members: dict[Hashable, list[int]] = {}
    for position, group in enumerate(range(len(names)) if groups is None else groups):
        members.setdefault(group, []).append(position)
    digests = [blake2b(name.encode(errors="replace"), digest_size=16).digest() for name in names]
    order = sorted(members.values(), key=lambda positions: min(digests[position] for position in positions))
    fitting = sum(total <= count for total in accumulate(map(len, order)))
    return sorted(chain.from_iterable(order[: max(1, fitting)]))
