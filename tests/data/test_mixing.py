import polars as pl
import pytest

from maple.data.examples import EXAMPLE_SCHEMA
from maple.data.mixing import LanguageCount, hold_out, mix, mix_card, rows_per_language
from maple.definitions.dataset import MixSettings


def rows(language, count, name="{language}-{n:03}", **common):
    defaults = dict.fromkeys(EXAMPLE_SCHEMA, "") | {"seed": 1, "language": language} | common
    examples = [defaults | {"id": name.format(language=language, n=n)} for n in range(count)]
    return pl.DataFrame(examples, schema=EXAMPLE_SCHEMA)


def mixed(examples, rows, alpha, seed):
    return mix(examples, MixSettings(rows=rows, alpha=alpha, seed=seed, held_out=0))[0]


def test_a_small_alpha_gives_a_small_language_more_rows():
    sizes = {"big": 900, "small": 100}
    assert rows_per_language(sizes, 100, alpha=1.0) == {"big": 90, "small": 10}
    assert rows_per_language(sizes, 100, alpha=0.5) == {"big": 75, "small": 25}
    assert rows_per_language(sizes, 100, alpha=0.0) == {"big": 50, "small": 50}


def test_the_other_languages_give_what_one_lacks():
    assert rows_per_language({"big": 900, "small": 10}, 100, alpha=0.0) == {"big": 90, "small": 10}
    assert rows_per_language({"big": 5, "small": 5}, 100, alpha=0.0) == {"big": 5, "small": 5}


def test_the_rows_of_all_languages_add_up():
    assert sum(rows_per_language({"a": 7, "b": 7, "c": 7}, 10, alpha=0.3).values()) == 10


def test_no_row_is_repeated():
    mixture = mixed([rows("a", 5), rows("b", 50)], rows=40, alpha=0.0, seed=1)
    assert mixture["id"].n_unique() == mixture.height == 40


def test_a_mixture_does_not_depend_on_the_order_of_its_parts():
    first, second = rows("a", 20), rows("b", 20)
    assert mixed([first, second], 20, 0.0, 1).equals(mixed([second, first], 20, 0.0, 1))


def test_another_seed_is_another_mixture():
    assert not mixed([rows("a", 50)], 20, 0.0, 1).equals(mixed([rows("a", 50)], 20, 0.0, 2))


def test_a_language_keeps_nine_tenths_of_its_rows_for_training():
    for count, held in ((100, 5), (30, 3), (9, 0)):
        learnt, kept_out = hold_out(rows("a", count), rows=5, seed=1)
        assert (learnt.height, kept_out.height) == (count - held, held)
        assert not set(learnt["id"]) & set(kept_out["id"])


def test_an_example_held_out_in_one_language_is_trained_on_in_none():
    loaded = pl.concat([rows("a", 40, "{n}"), rows("b", 30, "{n}")])
    learnt, held = hold_out(loaded, rows=2, seed=1)
    assert held.group_by("language").len()["len"].to_list() == [2, 2]
    assert not set(learnt["id"]) & set(held["id"])
    translated = loaded.with_columns(
        parent="id", id=pl.format("{}:{}", "id", "language"), recipe=pl.lit("translate_respond")
    )
    learnt, held = hold_out(translated, rows=2, seed=1)
    assert not set(learnt["parent"]) & set(held["parent"])


def test_held_out_rows_do_not_depend_on_the_order_of_the_parts():
    parts = [rows("a", 40), rows("b", 40)]
    first, second = (
        mix(order, MixSettings(rows=20, alpha=0.0, seed=1, held_out=3))[1] for order in (parts, parts[::-1])
    )
    assert first.equals(second)


def test_a_card_counts_each_language_s_rows_and_the_size_of_its_training_text():
    texts = {"instruction": "Sema ndiyo.", "input": "", "output": "ndiyo"}
    swahili, thai = rows("swh", 20, **texts), rows("tha", 4, **texts | {"output": "ใช่"})
    mixture, held = mix([swahili, thai], MixSettings(rows=8, alpha=0.0, seed=1, held_out=2))
    card = mix_card("mine", [swahili, thai], mixture, held)
    assert (card.stage, card.dataset, card.rows) == ("mix", "mine", 8)
    assert card.languages == {
        "swh": LanguageCount(available=20, learnt=4, held_out=2, words=12, characters=64, bytes=64),
        # ใช่ is two tokens (a letter, a letter with its mark), three characters, nine bytes.
        "tha": LanguageCount(available=4, learnt=4, held_out=0, words=16, characters=56, bytes=80),
    }


def test_a_language_without_training_rows_is_in_the_card():
    one, other = rows("a", 3), rows("b", 3)
    counts = mix_card("mine", [one, other], one, one.clear()).languages
    assert counts["b"] == LanguageCount(available=3, learnt=0, held_out=0, words=0, characters=0, bytes=0)


@pytest.mark.parametrize(("name", "says"), [("same", "5 examples in a have the id 'same'"), (" ", "5 .* the id ''")])
def test_examples_with_one_id_for_all_are_refused(name, says):
    with pytest.raises(ValueError, match=says.replace("''", "' '")):
        mixed([rows("a", 5, name), rows("b", 5)], rows=5, alpha=0.0, seed=1)


def test_an_id_may_stand_in_several_languages():
    assert mixed([rows("a", 5, "{n}"), rows("b", 5, "{n}")], rows=10, alpha=0.0, seed=1).height == 10
