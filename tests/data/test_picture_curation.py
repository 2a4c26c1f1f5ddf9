"""Rows with pictures: what is dropped. A picture's digest is a letter; those of one colour look alike."""

import polars as pl
import pytest

from maple.data.examples import PICTURE_COLUMN, RAW_LABELLED_SCHEMA, RAW_SCHEMA
from maple.data.picture_curation import curate_pictures
from maple.data.picture_index import INDEX, INDEX_SCHEMA, PictureIndex
from maple.runtime.files import write_parquet
from maple.runtime.pictures import Picture


def looks(bits):
    """A perceptual hash of which so many bits are set: 20 of them may differ, 21 not."""
    return (2**bits - 1).to_bytes(16) + bytes(32)


def index(**pictures_of):
    """An index of {split or task of test rows: {digest: bits of its hash}}."""
    rows = []
    for of, pictures in pictures_of.items():
        place = {"task": "own", "split": of} if of in ("train", "dev") else {"task": of, "split": "test"}
        for digest, bits in pictures.items():
            known = {"name": digest, "digest": digest, "file": f"{digest}.png", "hash": looks(bits)}
            rows.append({**place, "language": "swh_Latn", **known})
    return PictureIndex(pl.DataFrame(rows, schema=INDEX_SCHEMA))


def raw(*rows):
    """Rows of (digests, question, answer), or with split and fault behind; train rows without a fault by default."""
    blank = dict.fromkeys(RAW_SCHEMA, "") | {"seed": 0, "texts": None, "label": None}
    made = []
    for number, row in enumerate(rows):
        digests, question, answer, split, fault = (*row, "train", "")[:5] if len(row) == 3 else (*row, "")[:5]
        pictures = [{"file": f"{digest}.png", "digest": digest} for digest in digests]
        row = {"id": str(number), "instruction": question, "output": answer, "split": split, "fault": fault}
        made.append(blank | row | {"pictures": pictures})
    return pl.DataFrame(made, schema={**RAW_LABELLED_SCHEMA, **PICTURE_COLUMN})


def reasons(rows, known, near=True):
    kept, dropped = curate_pictures(rows, known, near=near)
    assert kept.height + dropped.height == rows.height
    return dict(dropped.select("id", "reason").iter_rows())


def test_the_picture_of_a_test_row_of_any_task_is_not_learnt():
    known = index(train={"a": 0, "b": 64, "c": 128}, own={"a": 0}, other={"b": 64})
    rows = raw("a?1", "b?2", "c?3")
    assert reasons(rows, known) == {"0": "a picture of a test row: own", "1": "a picture of a test row: other"}


def test_one_of_two_pictures_is_enough():
    known = index(train={"a": 0, "b": 64, "c": 128}, own={"b": 64})
    assert reasons(raw(("ab", "?", "1"), ("ac", "?", "1")), known) == {"0": "a picture of a test row: own"}


def test_a_picture_that_looks_like_a_test_row_s_is_not_learnt_unless_near_is_false():
    known = index(train={"a": 20, "b": 21}, own={"x": 0})
    rows = raw("a?1", "b?2")
    assert reasons(rows, known) == {"0": "a picture like one of a test row: own"}
    assert reasons(rows, known, near=False) == {}


def test_the_same_file_is_named_before_one_that_looks_the_same():
    known = index(train={"a": 0}, first={"x": 0}, second={"a": 0})
    assert reasons(raw("a?1"), known) == {"0": "a picture of a test row: second"}


def test_one_question_stands_on_many_pictures_and_one_picture_under_many_questions():
    known = index(train={"a": 0, "b": 64})
    assert reasons(raw("a?1", "b?1", "a!1", "a?2"), known) == {}


def test_the_same_pictures_question_and_answer_are_a_duplicate():
    known = index(train={"a": 0, "b": 64})
    rows = raw(("ab", "?", "1"), ("ba", "?", "1"), ("ab", "?", "1"))
    assert reasons(rows, known) == {"2": "duplicate"}


def test_a_dev_row_may_not_show_a_train_row_s_picture_wherever_it_stands():
    known = index(train={"a": 0}, dev={"a": 0, "b": 64})
    rows = raw(("a", "?", "1", "dev"), ("b", "?", "1", "dev"), ("a", "!", "2"))
    assert reasons(rows, known) == {"0": "a picture of a train row"}


def test_a_row_with_a_fault_keeps_it_and_teaches_no_picture():
    known = index(train={"a": 0}, dev={"a": 0})
    rows = raw(("", "?", "1", "train", "no picture"), ("a", "?", "1", "dev"))
    assert reasons(rows, known) == {"0": "no picture"}


def test_kept_rows_have_their_pictures_and_no_fault():
    kept, dropped = curate_pictures(raw("a?1"), index(train={"a": 0}), near=True)
    assert kept["pictures"].to_list() == [[{"file": "a.png", "digest": "a"}]]
    assert "fault" not in kept.columns and dropped.schema["pictures"] == kept.schema["pictures"]


@pytest.mark.parametrize("near", [True, False])
def test_nothing_is_curated_as_nothing(near):
    assert reasons(raw(), index(), near) == {}


def test_an_index_knows_the_pictures_of_a_language_and_those_of_all_languages(tmp_path):
    rows = [
        {"task": "own", "language": "swh_Latn", "split": "test", "name": "1.jpg", "digest": "a", "file": "a.jpg"},
        {"task": "own", "language": "", "split": "test", "name": "drawn", "digest": "b", "file": "b.png"},
        {"task": "own", "language": "deu_Latn", "split": "test", "name": "2.jpg", "digest": "c", "file": "c.jpg"},
        {"task": "own", "language": "swh_Latn", "split": "train", "name": "3.jpg", "digest": "d", "file": "d.jpg"},
        {"task": "own", "language": "swh_Latn", "split": "test", "name": "empty"},
    ]
    write_parquet(pl.DataFrame(rows, schema=INDEX_SCHEMA), tmp_path / INDEX)
    assert PictureIndex.read([tmp_path]).of_rows("own", "test", "swh_Latn") == {
        "1.jpg": Picture(f"{tmp_path}/a.jpg", "a"),
        "drawn": Picture(f"{tmp_path}/b.png", "b"),
        "empty": None,
    }
    assert PictureIndex.read([]).of_rows("own", "test", "swh_Latn") == {}
