"""Rows and prompts with their pictures."""

import polars as pl
import pytest
from toy_pictures import SPEC, TWO

from maple.data.examples import PICTURE_COLUMN
from maple.data.picture_index import INDEX_SCHEMA, PictureIndex
from maple.definitions.task import TaskSettings
from maple.evaluation.picture_names import picture_names, pictured
from maple.evaluation.prompts import PROMPT_SCHEMA, RowFault, TaskError, render
from maple.runtime.pictures import PictureError

WORDS = {"words": {}, "own": {}, "english": {}}
TEXT = SPEC.changed(pictures=[])


def index(**digest_of):
    """An index of the pictures of test rows of the task `looks`; the digest of an empty one is None."""
    place = {"task": "looks", "language": "swh_Latn", "split": "test"}
    rows = [
        {**place, "name": f"{name}.png", "digest": digest, "file": digest and f"pictures/{digest}.png"}
        for name, digest in digest_of.items()
    ]
    return PictureIndex(pl.DataFrame(rows, schema=INDEX_SCHEMA))


def row(number, **fields):
    return {"id": str(number), "question": "What?", "answer": "a", **fields}


def prompts(spec, rows, known):
    of_rows = pictured("looks", spec, rows, "test", "swh_Latn", known)
    return render(spec, TaskSettings(shots=0), task="looks", language="swh_Latn", rows=of_rows, words=WORDS)


def test_a_name_is_the_value_of_an_expression_over_a_row():
    assert picture_names(["image"], {"image": "a.png"}, 0) == ["a.png"]
    assert picture_names(["id ~ '.jpg'", "'n' ~ number"], {"id": 7}, 3) == ["7.jpg", "n3"]
    with pytest.raises(RowFault, match="'image' is undefined"):
        picture_names(["image"], {}, 0)
    with pytest.raises(RowFault, match=r"its picture \(image\) is empty"):
        picture_names(["image"], {"image": " "}, 0)


def test_a_prompt_has_the_files_and_digests_of_its_pictures():
    made = prompts(TWO, [row(0, left="a", right="b"), row(1, left="b", right="b")], index(a="1", b="2"))
    first, second = ({"file": f"pictures/{digest}.png", "digest": digest} for digest in "12")
    assert made["pictures"].to_list() == [[first, second], [second, second]]
    assert made.schema == {**PROMPT_SCHEMA, **PICTURE_COLUMN}


def test_prompts_of_a_task_without_pictures_have_no_such_column():
    made = prompts(TEXT, [row(0, image="a.png", pictures="of the set's own")], index())
    assert made.schema == PROMPT_SCHEMA


def test_a_row_without_a_picture_is_a_fault_and_the_others_are_asked():
    rows = [row(0, image="a.png"), row(1, image=None), row(2, image="b.png")]
    made = prompts(SPEC.changed(max_faulty=0.7), rows, index(a="1", b=None))
    assert made["fault"].to_list() == [None, "no picture", "no picture"]
    assert made["pictures"].to_list()[1:] == [None, None]
    with pytest.raises(TaskError, match=r"looks, swh_Latn: 2 of 3 rows cannot be asked.* \(2\): no picture"):
        prompts(SPEC, rows, index(a="1", b=None))


def test_a_picture_that_the_folder_lacks_is_refused_with_its_row():
    with pytest.raises(PictureError, match=r"looks: row 2: picture b\.png is not in results/pictures/looks; make that"):
        prompts(SPEC, [row(0, image="a.png"), row(1, image="b.png")], index(a="1"))
