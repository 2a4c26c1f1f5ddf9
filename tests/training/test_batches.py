from collections import Counter

import polars as pl
from toy_examples import example

from maple.models import causal
from maple.models.encoding import Encoder
from maple.training.batches import encode, micro_batches, sample_steps, split_over_ranks


def lengths(batches):
    return [[len(one) for one in batch] for batch in batches]


def test_examples_too_long_are_left_out_whole_and_counted(letters):
    rows = {"language": "eng_Latn", "instruction": ["a", "a" * 90], "input": "", "output": "bé"}
    (fitting,), too_long = encode(pl.DataFrame(rows), causal, Encoder.of(letters), max_length=64)
    assert too_long == 1
    assert (fitting.language, fitting.units, fitting.completion_tokens) == (
        "eng_Latn",
        3,
        3,
    )  # b, é and the end


def test_every_example_is_learnt_once_before_any_again():
    sampled = [number for step in sample_steps([1] * 6, steps=3, tokens=4, seed=1) for number in step]
    assert set(Counter(sampled[:6]).values()) == set(Counter(sampled[6:]).values()) == {1}
    assert sampled[:6] != sampled[6:]


def test_all_steps_together_learn_from_the_tokens_asked_for():
    sizes = [1, 5, 9, 2, 7, 3, 3, 8]
    steps = sample_steps(sizes, steps=50, tokens=10, seed=1)
    assert all(steps)
    assert 500 <= sum(sizes[number] for step in steps for number in step) < 500 + 9


def test_the_order_is_the_seed_s():
    one, same, other = (sample_steps([2] * 20, steps=4, tokens=8, seed=seed) for seed in (1, 1, 2))
    assert one == same != other


def test_a_packed_micro_batch_holds_as_many_tokens_as_there_is_room_for():
    batches = micro_batches([example(length) for length in (3, 9, 6, 8, 2)], tokens=18, packing=True)
    assert lengths(batches) == [[3, 9, 6], [8, 2]]


def test_without_packing_examples_of_like_length_share_a_micro_batch_and_padding_counts():
    batches = micro_batches([example(length) for length in (3, 9, 3, 8, 2)], tokens=18, packing=False)
    assert lengths(batches) == [[9, 8], [3, 3, 2]]


def test_a_step_is_split_evenly_and_in_order():
    step = [example(4, 1), example(3, 2), example(9, 3), example(2, 4)]
    assert [[len(one) for one in part] for part in split_over_ranks(step, 2)] == [[9], [4, 3, 2]]
    assert split_over_ranks(step, 1) == [step]
    assert split_over_ranks(step[:1], 2) == [[step[0]], []]
