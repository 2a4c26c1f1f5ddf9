import polars as pl

from maple.data.examples import EXAMPLE_SCHEMA
from maple.data.mixing import card, hold_out, mix, shares


def rows(language, count, name="{language}-{n:03}", **common):
    empty = dict.fromkeys(EXAMPLE_SCHEMA, "") | {"seed": 1, "language": language} | common
    named = [empty | {"id": name.format(language=language, n=n)} for n in range(count)]
    return pl.DataFrame(named, schema=EXAMPLE_SCHEMA)


def mixed(examples, rows, alpha, seed):
    return mix(examples, rows, alpha, seed, held_out=0)[0]


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
    mixture = mixed([rows("a", 5), rows("b", 50)], rows=40, alpha=0.0, seed=1)
    assert mixture["id"].n_unique() == mixture.height == 40


def test_a_mixture_does_not_depend_on_the_order_of_its_parts():
    first, second = rows("a", 20), rows("b", 20)
    assert mixed([first, second], 20, 0.0, 1).equals(mixed([second, first], 20, 0.0, 1))


def test_another_seed_is_another_mixture():
    assert not mixed([rows("a", 50)], 20, 0.0, 1).equals(mixed([rows("a", 50)], 20, 0.0, 2))


def test_a_language_keeps_nine_tenths_of_its_rows_to_learn_from():
    for count, held in ((100, 5), (30, 3), (9, 0)):
        learnt, kept_out = hold_out(rows("a", count), rows=5, seed=1)
        assert (learnt.height, kept_out.height) == (count - held, held)
        assert not set(learnt["id"]) & set(kept_out["id"])


def test_what_is_held_out_in_one_language_is_learnt_in_none():
    loaded = pl.concat([rows("a", 40, "{n}"), rows("b", 30, "{n}")])
    learnt, held = hold_out(loaded, rows=2, seed=1)
    assert held.group_by("language").len()["len"].to_list() == [2, 2]
    assert not set(learnt["id"]) & set(held["id"])
    translated = loaded.with_columns(
        parent="id", id=pl.format("{}:{}", "id", "language"), recipe=pl.lit("translate_respond")
    )
    learnt, held = hold_out(translated, rows=2, seed=1)
    assert not set(learnt["parent"]) & set(held["parent"])


def test_what_is_held_out_does_not_depend_on_the_order_of_the_parts():
    parts = [rows("a", 40), rows("b", 40)]
    first, second = (mix(order, 20, 0.0, seed=1, held_out=3)[1] for order in (parts, parts[::-1]))
    assert first.equals(second)


def test_a_card_counts_each_language_s_rows_and_what_the_learnt_ones_hold():
    said = {"instruction": "Sema ndiyo.", "input": "", "output": "ndiyo"}
    swahili, thai = rows("swh", 20, **said), rows("tha", 4, **said | {"output": "ใช่"})
    mixture, held = mix([swahili, thai], rows=8, alpha=0.0, seed=1, held_out=2)
    assert card([swahili, thai], mixture, held) == {
        "rows": 8,
        "languages": {
            "swh": {"available": 20, "learnt": 4, "held_out": 2, "words": 12, "characters": 64, "bytes": 64},
            # ใช่ is two tokens (a letter, a letter with its mark), three characters, nine bytes.
            "tha": {"available": 4, "learnt": 4, "held_out": 0, "words": 16, "characters": 56, "bytes": 80},
        },
    }


def test_a_language_that_gives_nothing_stands_in_the_card():
    one, other = rows("a", 3), rows("b", 3)
    counted = card([one, other], one, one.clear())["languages"]
    assert counted["b"] == {"available": 3, "learnt": 0, "held_out": 0, "words": 0, "characters": 0, "bytes": 0}
