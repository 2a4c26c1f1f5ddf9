"""Similarity of two texts: ROUGE-L over words of any script, and a fast test whether a text is new."""

from collections import Counter, defaultdict

# Bounds are loosened by this much, so that rounding excludes no pair; the F1 itself decides.
TOLERANCE = 1e-9


def lcs_length(first: list[str], second: list[str]) -> int:
    """Return the length of the longest common subsequence (bit-parallel: Hyyrö 2004, AWOCA, pp. 16-27).

    >>> lcs_length(list("abcd"), list("acbd"))
    3
    """
    positions: dict[str, int] = defaultdict(int)
    for position, token in enumerate(first):
        positions[token] |= 1 << position
    full = (1 << len(first)) - 1
    row = full
    for token in second:
        matches = row & positions.get(token, 0)
        row = ((row + matches) | (row - matches)) & full
    return len(first) - row.bit_count()


def rouge_l(first: list[str], second: list[str]) -> float:
    """Return the ROUGE-L F1 of two token lists (Lin 2004, W04-1013); 0.0 if one of them is empty.

    >>> rouge_l(["one", "two"], ["one", "three"])
    0.5
    """
    common = lcs_length(first, second) if first and second else 0
    return 2 * common / (len(first) + len(second)) if common else 0.0


class NoveltyFilter:
    """The texts kept so far, and an exact test whether another text has a ROUGE-L of `limit` or more with one of them.

    Comparing each new text with every kept one would cost the square of their number, but most pairs can be excluded
    without computing an LCS. F1 = 2 LCS / (n + m), and the LCS is no longer than the shorter text, and no longer than
    the overlap of the two bags of tokens. So a similar kept text has between
    n limit / (2 - limit) and n (2 - limit) / limit tokens, and shares at least the former number of tokens with the new
    text: it must hold one of the new text's rarest tokens, and only kept texts with one of these are candidates (the
    prefix filter of Chaudhuri et al. 2006, doi 10.1109/ICDE.2006.9). The LCS is computed for the few that remain.

    >>> kept = NoveltyFilter(0.7)
    >>> kept.add(["name", "the", "capital", "of", "kenya"])
    >>> kept.is_new(["name", "the", "capital", "of", "peru"])
    False
    >>> kept.is_new(["write", "a", "poem"])
    True
    """

    def __init__(self, limit: float):
        self.limit = limit
        self._kept: list[tuple[list[str], Counter]] = []
        self._indices: dict[str, list[int]] = defaultdict(list)

    def add(self, text: list[str]) -> None:
        """Keep a text."""
        for token in set(text):
            self._indices[token].append(len(self._kept))
        self._kept.append((text, Counter(text)))

    def is_new(self, text: list[str]) -> bool:
        """Return True if ROUGE-L with every kept text is below the limit."""
        bag = Counter(text)
        min_shared = self.limit * len(text) / (2 - self.limit) - TOLERANCE
        candidates: set[int] = set()
        remaining = len(text)
        for token in sorted(bag, key=lambda token: len(self._indices.get(token, ()))):
            if remaining < min_shared:
                break
            candidates.update(self._indices.get(token, ()))
            remaining -= bag[token]
        for number in candidates:
            kept, kept_bag = self._kept[number]
            min_common = self.limit * (len(text) + len(kept)) / 2 - TOLERANCE
            if min(len(text), len(kept)) < min_common:
                continue
            common = sum(min(count, kept_bag[token]) for token, count in bag.items() if token in kept_bag)
            if common >= min_common and rouge_l(text, kept) >= self.limit:
                return False
        return True
