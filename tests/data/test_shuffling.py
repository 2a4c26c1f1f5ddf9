"""Which row gets the pictures of which: no row its own, and the seed decides."""

from collections import Counter

import pytest

from maple.data.shuffling import shuffled


def rows(names):
    """Rows with a picture each: "aab" are two rows about one picture and one about another."""
    return [(name,) for name in names]


def shown(names, seed=1):
    """Return what each row shows afterwards."""
    return "".join(names[place] for place in shuffled(rows(names), seed))


@pytest.mark.parametrize("names", ["ab", "abc", "aabb", "aabbc", "aaabcd", "abcdefgh"])
@pytest.mark.parametrize("seed", range(8))
def test_no_row_keeps_its_pictures_and_each_is_shown_as_often_as_before(names, seed):
    after = shown(names, seed)
    assert Counter(after) == Counter(names)
    assert all(before != now for before, now in zip(names, after, strict=True))


def test_where_most_rows_have_one_picture_as_few_as_possible_keep_it():
    after = shown("aaaab")
    # Four of five show a: one of them gets b, and the row with b one of the a.
    assert after[4] == "a" and Counter(after[:4]) == {"a": 3, "b": 1}


@pytest.mark.parametrize(("names", "after"), [("", ""), ("a", "a"), ("aa", "aa")])
def test_without_two_different_pictures_nothing_changes(names, after):
    assert shown(names) == after


def test_rows_with_two_pictures_keep_them_together():
    assert shuffled([("a", "b"), ("b", "a")], seed=1) == [1, 0]


def test_the_seed_decides_and_the_order_of_rows_does_not():
    names = "abcdefghij"
    assert shown(names) == shown(names) != shown(names, seed=2)
    by_name = dict(zip(names, shown(names), strict=True))
    assert dict(zip(names[::-1], shown(names[::-1]), strict=True)) == by_name
