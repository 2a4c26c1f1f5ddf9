"""How alike two texts are: ROUGE-L over words of any script, and a fast answer to "is this one new?"."""

from collections import Counter, defaultdict


def lcs_length(first: list[str], second: list[str]) -> int:
    """Return the length of the longest common subsequence (bit-parallel: Hyyrö 2004, doi 10.1016/j.ipl.2004.07.008)."""
    places: dict[str, int] = defaultdict(int)
    for place, token in enumerate(first):
        places[token] |= 1 << place
    full = (1 << len(first)) - 1
    row = full
    for token in second:
        found = row & places.get(token, 0)
        row = ((row + found) | (row - found)) & full
    return len(first) - row.bit_count()


def rouge_l(first: list[str], second: list[str]) -> float:
    """Return the ROUGE-L F1 of two token lists (Lin 2004, W04-1013); 0.0 when one is empty."""
    common = lcs_length(first, second) if first and second else 0
    return 2 * common / (len(first) + len(second)) if common else 0.0


class Novelty:
    """Texts kept so far; answers whether another is at least `limit` alike to any of them, exactly.

    F1 = 2 LCS / (n + m), and an LCS is no longer than the shorter text nor than the overlap of the bags of tokens: both
    bounds are cheap and rule out nearly every pair before the LCS is computed.
    """

    def __init__(self, limit: float):
        self.limit = limit
        self._kept: list[tuple[list[str], Counter]] = []
        self._with: dict[str, list[int]] = defaultdict(list)

    def add(self, text: list[str]) -> None:
        """Keep a text."""
        for token in set(text):
            self._with[token].append(len(self._kept))
        self._kept.append((text, Counter(text)))

    def is_new(self, text: list[str]) -> bool:
        """Return whether ROUGE-L with every kept text is below the limit."""
        bag = Counter(text)
        overlap: Counter[int] = Counter()
        for token, count in bag.items():
            for number in self._with.get(token, ()):
                overlap[number] += min(count, self._kept[number][1][token])
        for number, common in overlap.items():
            kept = self._kept[number][0]
            if 2 * common >= self.limit * (len(text) + len(kept)) and rouge_l(text, kept) >= self.limit:
                return False
        return True
