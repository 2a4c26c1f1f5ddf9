from itertools import pairwise

import polars as pl
import pytest

from maple.data.examples import EXAMPLE_SCHEMA
from maple.data.mixing import (
    LanguageCount,
    LearntTask,
    MixError,
    hold_out,
    mix,
    mix_card,
    rows_per_language,
)
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


def labelled(language, count, labels=("a", "b"), dev=0):
    """Rows of a task: `count` train rows, whose labels take turns, and `dev` dev rows."""
    examples = rows(language, count + dev, name="{n}", recipe="task")
    names = [f"dev-{n}" if n >= count else f"train-{n}" for n in range(count + dev)]
    return examples.with_columns(
        id=pl.Series(names),
        texts=pl.Series([[name] for name in names]),
        label=pl.Series([labels[n % len(labels)] for n in range(count + dev)]),
        split=pl.Series([name.split("-")[0] for name in names]),
    )


def learnt_ids(examples, rows, alpha=1.0, held_out=0):
    mixture, _ = mix(examples, MixSettings(rows=rows, alpha=alpha, seed=1, held_out=held_out))
    return set(mixture.select("language", "id").iter_rows())


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_a_smaller_labelled_mixture_is_part_of_every_larger_one(alpha):
    examples = [labelled("a", 40), labelled("b", 13), labelled("c", 4)]
    nested = [learnt_ids(examples, count, alpha) for count in range(1, 58)]
    assert [len(ids) for ids in nested] == list(range(1, 58))
    assert all(smaller < larger for smaller, larger in pairwise(nested))


def test_the_rows_of_a_labelled_mixture_are_proportional_to_the_languages_rows():
    examples = [labelled("a", 90), labelled("b", 10)]
    counts = {
        alpha: [sum(language == name for language, _ in learnt_ids(examples, 20, alpha)) for name in "ab"]
        for alpha in (0.0, 1.0)
    }
    assert counts == {0.0: [10, 10], 1.0: [18, 2]}


def test_parallel_rows_are_learnt_in_all_languages_together():
    ids = learnt_ids([labelled("a", 30), labelled("b", 30)], 10)
    assert {id for language, id in ids if language == "a"} == {id for language, id in ids if language == "b"}


def test_dev_rows_are_held_out_and_never_learnt():
    examples = [labelled("a", 20, dev=6)]
    mixture, held = mix(examples, MixSettings(rows=None, alpha=1.0, seed=1, held_out=4))
    assert mixture.height == 20 and mixture["split"].unique().to_list() == ["train"]
    assert held.height == 4 and held["split"].unique().to_list() == ["dev"]


def test_a_language_without_dev_rows_holds_out_a_tenth_of_its_train_rows_in_no_language_learnt():
    examples = [labelled("a", 40, dev=6), labelled("b", 40)]
    mixture, held = mix(examples, MixSettings(rows=None, alpha=1.0, seed=1, held_out=50))
    of_b = set(held.filter(language="b")["id"])
    assert len(of_b) == 4 and not of_b & set(mixture["id"])
    assert held.filter(language="a")["split"].unique().to_list() == ["dev"]


def test_a_back_translated_row_is_never_held_out_and_its_target_not_learnt_if_the_pair_is_held_out():
    pairs = labelled("a", 40)
    translated = pairs.with_columns(id=pl.col("id") + "-back", parent=pl.col("id"), recipe=pl.lit("back_translation"))
    mixture, held = mix([pairs, translated], MixSettings(rows=None, alpha=1.0, seed=1, held_out=50))
    assert held.height == 4 and held["recipe"].unique().to_list() == ["task"]
    learnt = set(mixture["id"])
    assert len(learnt) == 72 and not {name for id in held["id"] for name in (id, f"{id}-back")} & learnt


def test_a_translation_that_shares_a_side_with_a_held_out_train_row_is_not_learnt():
    columns = {"source_language": "eng_Latn", "target_language": "b", "domain": "news"}
    pairs = labelled("b", 40).with_columns(
        texts=pl.concat_list(pl.col("id")),
        output=pl.col("id") + "!",
        **{key: pl.lit(text) for key, text in columns.items()},
    )
    same_source = pairs.with_columns(
        id="s" + pl.col("id"), output="another " + pl.col("id"), recipe=pl.lit("back_translation")
    )
    mixture, held = mix([pairs, same_source], MixSettings(rows=None, alpha=1.0, seed=1, held_out=50))
    assert held.height == 4 and mixture.height == 72
    assert not set(held["texts"].list.first()) & set(mixture["texts"].list.first())


def test_a_label_that_no_train_row_has_is_refused_by_name():
    task, settings = LearntTask("opinions", ["a", "b", "c"]), MixSettings(rows=None, alpha=1.0, seed=1, held_out=2)
    dev_alone = labelled("a", 10, dev=2).with_columns(
        label=pl.when(pl.col("split") == "dev").then(pl.lit("c")).otherwise("label")
    )
    with pytest.raises(MixError, match=r"config/tasks/opinions\.yaml: choices: no train row has the label c;"):
        mix([dev_alone], settings, task)
    mix([dev_alone, labelled("b", 3, labels=("c",))], settings, task)  # another language has it


def test_more_rows_than_there_are_to_learn_are_refused():
    with pytest.raises(MixError, match="rows: 11: curation and held-out rows leave 10 rows"):
        learnt_ids([labelled("a", 10, dev=2)], 11, held_out=2)


def test_a_card_counts_the_labels_that_are_learnt():
    examples = [labelled("a", 5, labels=("x", "y"))]
    mixture, held = mix(examples, MixSettings(rows=None, alpha=1.0, seed=1, held_out=0))
    assert mix_card("d", examples, mixture, held).languages["a"].labels == {"x": 3, "y": 2}


def test_a_row_that_shares_a_picture_with_a_held_out_train_row_is_not_learnt():
    examples = labelled("a", 40).with_columns(
        pictures=pl.Series([[{"file": f"{n % 20}.png", "digest": str(n % 20)}] for n in range(40)])
    )
    mixture, held = mix([examples], MixSettings(rows=None, alpha=1.0, seed=1, held_out=2))
    shown = {picture[0]["digest"] for picture in held["pictures"]}
    assert held.height == 2 and mixture.height == 40 - 2 * len(shown)
    assert not shown & {picture[0]["digest"] for picture in mixture["pictures"]}
    assert mixture.schema["pictures"] == examples.schema["pictures"]
