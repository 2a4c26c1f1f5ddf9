import polars as pl
import pytest

from maple.data.examples import RAW_LABELLED_SCHEMA, RAW_SCHEMA
from maple.data.labelled import curate_labelled, text_key

LONG = "one two three four five six seven eight nine ten"


def raw(*rows):
    """Rows of (text, label), or of (text, label, split, fault)."""
    blank = dict.fromkeys(RAW_SCHEMA, "") | {"seed": 0}
    named = []
    for number, (text, label, *more) in enumerate(rows):
        split, fault = (*more, "train", "")[:2] if len(more) < 2 else more
        row = {"id": f"{split}-{number}", "texts": [text], "label": label, "split": split, "fault": fault}
        named.append(blank | {"instruction": f"Which? {text}"} | row)
    return pl.DataFrame(named, schema=RAW_LABELLED_SCHEMA)


def reasons(rows, tests=(), near: float | None = 0.8, **more):
    _, dropped = curate_labelled(rows, tests, near, **more)
    return dict(dropped.select("id", "reason").iter_rows())


def test_a_train_row_with_a_test_row_s_text_is_dropped_however_short_it_is():
    rows = raw(("Good day", "a"), ("good  DAY!", "a"), ("Good night", "a"))
    assert reasons(rows, ["Good day."]) == {"train-0": "is a test row", "train-1": "is a test row"}


def test_who_is_mentioned_and_what_is_linked_makes_no_other_text():
    rows = raw(("@user good day https://example.org/1", "a"))
    assert reasons(rows, ["good day @somebody"]) == {"train-0": "is a test row"}
    assert text_key("@user") != text_key("@other")


def test_an_emoji_makes_another_text():
    assert reasons(raw(("good 😀", "a")), ["good 😡"]) == {}


def test_of_ten_words_one_may_differ_from_a_test_row_s_for_a_row_to_be_dropped():
    rows = raw((LONG.replace("ten", "zehn"), "a"), (LONG.replace("seven eight nine ten", "a b c d"), "a"))
    assert reasons(rows, [LONG]) == {"train-0": "near a test row"}
    assert reasons(rows, [LONG], near=None) == {}


def test_texts_of_less_than_eight_words_are_never_near():
    assert reasons(raw(("I do not like this day", "a")), ["I do not like this month"]) == {}


def test_of_rows_with_one_text_the_first_is_kept():
    kept, dropped = curate_labelled(raw(("Rain.", "a"), ("rain", "a"), ("rain", "a", "dev", "")), [], 0.8)
    assert kept["id"].to_list() == ["train-0"]
    assert dropped["reason"].to_list() == ["duplicate", "duplicate"]


def test_of_a_text_with_two_labels_no_row_is_kept():
    rows = raw(("Rain.", "a"), ("Sun.", "a"), ("rain", "b"), ("rain", "a"))
    assert reasons(rows) == dict.fromkeys(("train-0", "train-2", "train-3"), "two labels")


def test_a_row_without_a_label_contradicts_none():
    rows = raw(("Rain.", "a"), ("rain", None, "train", "no gold answer"))
    assert reasons(rows) == {"train-1": "no gold answer"}


def test_what_another_task_s_test_rows_hold_is_dropped_with_its_name():
    rows = raw(("Rain.", "a"), ("Sun.", "a"))
    assert reasons(rows, in_test_sets=["", "belebele"]) == {"train-1": "in a test set: belebele"}


def test_kept_rows_have_texts_label_and_split_and_no_fault():
    kept, dropped = curate_labelled(raw(("Rain.", "a")), [], 0.8)
    assert set(RAW_LABELLED_SCHEMA) - set(kept.columns) == {"fault", "completion"}
    assert kept.schema["texts"] == pl.List(pl.String) and dropped.schema["texts"] == pl.List(pl.String)


@pytest.mark.parametrize("rows", [raw(), raw(("Rain.", "a", "train", "no text"))])
def test_a_set_of_which_nothing_is_kept_has_the_same_columns(rows):
    kept, _ = curate_labelled(rows, [], 0.8)
    assert kept.is_empty() and "label" in kept.columns
