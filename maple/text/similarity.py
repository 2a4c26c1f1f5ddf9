"""How alike two texts are: ROUGE-L over words of any script, and a fast answer to "is this one new?"."""

from collections import Counter, defaultdict

# Bounds are loosened by it, so that rounding rules out no pair; the F1 itself decides.
ROUNDING = 1e-9


def lcs_length(first: list[str], second: list[str]) -> int:
    """Return the length of the longest common subsequence (bit-parallel: Hyyrö 2004, AWOCA, pp. 16-27)."""
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

    F1 = 2 LCS / (n + m), and an LCS is no longer than the shorter text nor than the overlap of the bags of tokens. So a
    kept text that is alike has between n limit / (2 - limit) and n (2 - limit) / limit tokens and shares at least the
    former number with the text: it shares one of the text's rarest tokens, and only texts with these are looked at (the
    prefix filter of Chaudhuri et al. 2006, doi 10.1109/ICDE.2006.9). The LCS is computed for the few that are left.
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
        fewest = self.limit * len(text) / (2 - self.limit) - ROUNDING
        candidates: set[int] = set()
        unseen = len(text)
        for token in sorted(bag, key=lambda token: len(self._with.get(token, ()))):
            if unseen < fewest:
                break
            candidates.update(self._with.get(token, ()))
            unseen -= bag[token]
        for number in candidates:
            kept, kept_bag = self._kept[number]
            least = self.limit * (len(text) + len(kept)) / 2 - ROUNDING
            if min(len(text), len(kept)) < least:
                continue
            common = sum(min(count, kept_bag[token]) for token, count in bag.items() if token in kept_bag)
            if common >= least and rouge_l(text, kept) >= self.limit:
                return False
        return True
