import itertools

from maple.data.sampling import sampled_positions

NAMES = [str(number) for number in range(60)]
LABELS = ["positive"] * 20 + ["neutral"] * 20 + ["negative"] * 20


def test_a_sample_of_sorted_rows_has_every_label_and_keeps_their_order():
    positions = list(sampled_positions(NAMES, 20))
    assert len(positions) == 20 and positions == sorted(positions)
    counts = [sum(LABELS[position] == label for position in positions) for label in set(LABELS)]
    assert min(counts) >= 3


def test_the_names_alone_decide_whatever_the_order_of_the_file():
    names = NAMES[::-1]
    assert {NAMES[at] for at in sampled_positions(NAMES, 7)} == {names[at] for at in sampled_positions(names, 7)}


def test_a_larger_sample_contains_a_smaller_one():
    samples = [set(sampled_positions(NAMES, count)) for count in range(1, 61)]
    assert all(small < large for small, large in itertools.pairwise(samples))


def test_rows_of_one_group_are_sampled_together():
    groups = [number // 3 for number in range(60)]
    for count, size in ((1, 3), (3, 3), (10, 9), (59, 57)):
        positions = set(sampled_positions(NAMES, count, groups))
        assert len(positions) == size
        assert all({at // 3 * 3, at // 3 * 3 + 1, at // 3 * 3 + 2} <= positions for at in positions)


def test_without_a_number_or_with_a_large_one_all_rows_are_taken():
    assert list(sampled_positions(NAMES, None)) == list(sampled_positions(NAMES, 60)) == list(range(60))
    assert list(sampled_positions([], 5)) == []
