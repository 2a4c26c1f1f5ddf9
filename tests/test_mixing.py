import polars as pl

from maple.examples import EXAMPLE_SCHEMA
from maple.mixing import mix, shares


def rows(language, count):
    empty = dict.fromkeys(EXAMPLE_SCHEMA, "") | {"seed": 1, "language": language}
    return pl.DataFrame([empty | {"id": f"{language}-{n:03}"} for n in range(count)], schema=EXAMPLE_SCHEMA)


def test_a_small_alpha_lifts_the_small_language():
    sizes = {"big": 900, "small": 100}
    assert shares(sizes, 100, alpha=1.0) == {"big": 90, "small": 10}
    assert shares(sizes, 100, alpha=0.5) == {"big": 75, "small": 25}
    assert shares(sizes, 100, alpha=0.0) == {"big": 50, "small": 50}


def test_what_a_language_lacks_the_others_give():
    assert shares({"big": 900, "small": 10}, 100, alpha=0.0) == {"big": 90, "small": 10}
    assert shares({"big": 5, "small": 5}, 100, alpha=0.0) == {"big": 5, "small": 5}


def test_shares_add_up_to_what_was_asked():
    assert sum(shares({"a": 7, "b": 7, "c": 7}, 10, alpha=0.3).values()) == 10


def test_no_row_is_repeated():
    mixture = mix([rows("a", 5), rows("b", 50)], rows=40, alpha=0.0, seed=1)
    assert mixture["id"].n_unique() == mixture.height == 40


def test_a_mixture_does_not_depend_on_the_order_of_its_parts():
    first, second = rows("a", 20), rows("b", 20)
    assert mix([first, second], 20, 0.0, 1).equals(mix([second, first], 20, 0.0, 1))


def test_another_seed_is_another_mixture():
    assert not mix([rows("a", 50)], 20, 0.0, 1).equals(mix([rows("a", 50)], 20, 0.0, 2))
