"""From examples to batches: which examples a step learns from, and how they are cut into micro-batches."""

import itertools
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from maple.models.behaviour import ExampleEncoder, ModelKind
from maple.models.example import MASKED, EncodedExample


def encode(
    examples: pl.DataFrame, kind: ModelKind, encoder: ExampleEncoder, max_length: int
) -> tuple[list[EncodedExample], int]:
    """Encode examples (columns of EXAMPLE_SCHEMA); return them, and the number that is too long.

    An example of more than `max_length` tokens is left out whole: one that is cut would teach the model not to end.
    """
    encoded = [kind.encode(example, encoder) for example in examples.iter_rows(named=True)]
    fitting = [example for example in encoded if len(example) <= max_length]
    return fitting, len(encoded) - len(fitting)


def balanced(examples: Sequence[EncodedExample]) -> list[EncodedExample]:
    """Return examples of one label each with weights by which all labels count alike.

    A label's weight is n / (k n_c), of n examples in k labels, n_c of this one (King and Zeng 2001, Logistic regression
    in rare events data; scikit-learn calls it balanced). Over all examples the weights have the mean 1.
    """
    counts = Counter(int(example.labels[0]) for example in examples)
    share = len(examples) / len(counts) if counts else 0.0
    return [replace(example, weight=share / counts[int(example.labels[0])]) for example in examples]


def sample_steps(lengths: Sequence[int], *, steps: int, tokens: int, seed: int) -> list[list[int]]:
    """Return the numbers of the examples that each step learns from; `lengths` are those of all examples, in tokens.

    The order depends on the seed alone, and every example comes once before any comes again. A step begins with the
    first example that starts beyond a multiple of `tokens`: all steps together learn from steps * tokens, give or take
    one example, and no step is empty if no example is longer than `tokens`.
    """
    sampled: list[list[int]] = [[] for _ in range(steps)]
    start = 0
    for example in _epochs(len(lengths), seed):
        if start >= steps * tokens:
            break
        sampled[start // tokens].append(example)
        start += lengths[example]
    return sampled


def _epochs(count: int, seed: int) -> Iterator[int]:
    """Yield the numbers below `count` without end, in another random order each epoch."""
    for epoch in itertools.count():
        order = list(range(count))
        random.Random(f"{seed} {epoch}").shuffle(order)
        yield from order


def split_over_ranks(examples: Sequence[EncodedExample], count: int) -> list[list[EncodedExample]]:
    """Split a step's examples over `count` ranks, balanced by tokens; the order of each rank's examples stays.

    The longest example is assigned first, each to the rank with the fewest tokens.
    """
    numbers_by_rank: list[list[int]] = [[] for _ in range(count)]
    tokens = [0] * count
    for number in sorted(range(len(examples)), key=lambda number: -len(examples[number])):
        rank = tokens.index(min(tokens))
        numbers_by_rank[rank].append(number)
        tokens[rank] += len(examples[number])
    return [[examples[number] for number in sorted(numbers)] for numbers in numbers_by_rank]


def masked(example: EncodedExample) -> EncodedExample:
    """Return the example with all labels masked: a micro-batch of it alone has no loss.

    Ranks with fewer micro-batches run it, so that the collective operations of all ranks match.
    """
    return replace(example, labels=np.full_like(example.labels, MASKED))


def micro_batches(examples: Iterable[EncodedExample], *, tokens: int, packing: bool) -> list[list[EncodedExample]]:
    """Cut a step's examples into micro-batches of at most `tokens` tokens.

    With `packing` a micro-batch is one row of its examples, in the order in which they come, without padding. Without,
    each example is a row, padded to the longest of the micro-batch (of a translator source and target, each to its
    longest); padding counts, so examples of similar length come together.
    """
    batches: list[list[EncodedExample]] = []
    for example in examples if packing else sorted(examples, key=len, reverse=True):
        if not batches or _size([*batches[-1], example], packing) > tokens:
            batches.append([])
        batches[-1].append(example)
    return batches


def _size(examples: Sequence[EncodedExample], packing: bool) -> int:
    if packing:
        return sum(map(len, examples))
    return len(examples) * sum(map(max, zip(*(example.lengths for example in examples), strict=True)))
