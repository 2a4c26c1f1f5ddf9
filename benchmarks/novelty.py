"""How fast is "is this instruction new?", against comparing it with every one, as Self-Instruct and Alpaca do?

    python benchmarks/novelty.py [--data FILE]

FILE holds instructions, JSON lines with a field `instruction`; without one, sentences of this project's documents
serve. Instructions for the pools are drawn from a chain of the words that follow each other there; a quarter of the
candidates are texts of the pool with a fifth of the words left out. Both sides get the same tokens, are asked of the
same candidates, a few at each size since comparing with every one takes seconds, and must decide the same.
"""

import argparse
import json
import random
import sys
import time
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
POOLS = (1_000, 10_000, 52_000)
LIMIT = 0.7
CANDIDATES, REPEATS = 16, 10  # ours is asked ten times, to be long enough for the clock
LONGEST = 40


def sentences_of(data: Path | None) -> list[list[str]]:
    """Return the tokens of real instructions, or of the project's documents."""
    from maple.text.segmentation import tokens
    from maple.text.words import sentences

    if data:
        with open(data, encoding="utf-8") as lines:
            texts = [json.loads(line)["instruction"] for line in lines]
    else:
        documents = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
        texts = [sentence for path in documents for sentence in sentences(path.read_text(encoding="utf-8"))]
    return [text for text in map(tokens, texts) if len(text) >= 4]


def drawn(rng: random.Random, follows: dict[str, list[str]]) -> list[str]:
    """Draw a text of 4 to LONGEST tokens."""
    while True:
        text, token = [], ""
        while len(text) < LONGEST and (token := rng.choice(follows[token])):
            text.append(token)
        if len(text) >= 4:
            return text


def main() -> int:
    """Print both sides at each size of the pool; end with 1 if they decide differently."""
    from rouge_score.rouge_scorer import _score_lcs

    from maple.text.similarity import Novelty

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    follows = defaultdict(list)
    for text in sentences_of(parser.parse_args().data):
        for token, after in zip(["", *text], [*text, ""], strict=True):
            follows[token].append(after)
    rng = random.Random(0)
    texts = [drawn(rng, follows) for _ in range(max(POOLS))]
    differ = 0
    print(f"{CANDIDATES} candidates at each size of the pool; times are of one candidate")
    print(f"{'pool':>7}{'every one, ms':>15}{'ours, ms':>10}{'times faster':>14}{'same decisions':>16}{'new':>6}")
    for size in POOLS:
        kept = texts[:size]
        candidates = [
            [token for token in rng.choice(kept) if rng.random() > 0.2] if number % 4 == 3 else drawn(rng, follows)
            for number in range(CANDIDATES)
        ]
        pool = Novelty(LIMIT)
        for text in kept:
            pool.add(text)
        start = time.perf_counter()
        for _ in range(REPEATS):
            ours = [pool.is_new(text) for text in candidates]
        fast = (time.perf_counter() - start) / (REPEATS * CANDIDATES)
        start = time.perf_counter()
        theirs = [max(_score_lcs(text, other).fmeasure for other in kept) < LIMIT for text in candidates]
        slow = (time.perf_counter() - start) / CANDIDATES
        differ += ours != theirs
        print(f"{size:7}{1000 * slow:15.2f}{1000 * fast:10.3f}{slow / fast:14.0f}{ours == theirs!s:>16}{sum(ours):6}")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
