import json

import polars as pl
import pytest

from maple.contamination import ContaminationError, passages_in, refuse_passages
from maple.examples import EXAMPLE_SCHEMA

PASSAGE = " ".join(f"word{number}" for number in range(40))


def example(name, output, instruction="Say it."):
    return {**dict.fromkeys(EXAMPLE_SCHEMA, ""), "id": name, "instruction": instruction, "output": output, "seed": 0}


def examples(*rows):
    return pl.DataFrame(rows, schema=EXAMPLE_SCHEMA)


def test_nineteen_words_of_a_passage_hold_a_stretch_of_ten():
    words = PASSAGE.split()
    held = [example(f"from {start}", " ".join(words[start : start + 19])) for start in range(20)]
    assert len(passages_in(examples(*held), [PASSAGE])) == 20


def test_nine_words_in_a_row_are_chance():
    assert passages_in(examples(example("a", " ".join(PASSAGE.split()[5:14]))), [PASSAGE]) == []


def test_case_punctuation_and_field_do_not_matter():
    loud = example("a", "Yes.", instruction=PASSAGE.upper().replace(" ", ", ") + "!")
    assert passages_in(examples(loud, example("b", "No.")), [PASSAGE]) == ["a"]


def test_scripts_without_spaces_are_cut_by_characters():
    passage = "今天早上所有的孩子都很早就去学校了因为那里有一个很大的节日庆祝活动大家都非常高兴"
    rows = examples(example("a", f"他说：{passage[:39]}。"), example("b", passage[:10]))
    assert passages_in(rows, [passage]) == ["a"]


def test_a_short_passage_has_no_stretch():
    assert passages_in(examples(example("a", "One two.")), ["One two."]) == []


def test_a_dataset_with_passages_of_a_task_is_refused_by_name(tmp_path):
    rows = [{"flores_passage": PASSAGE}, {"flores_passage": None}, {"question": "No passage?"}]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    source = {"local": {"path": str(tmp_path / "rows.jsonl")}}
    guards = {"belebele": {"sources": [source], "field": "flores_passage"}}
    compared = refuse_passages(examples(example("clean", "No.")), guards, "mine")
    assert compared == {"belebele": {"passages": 1, "examples": 1}}
    with pytest.raises(
        ContaminationError, match="dataset mine: 1 examples hold passages of belebele, the first are bad"
    ):
        refuse_passages(examples(example("clean", "No."), example("bad", PASSAGE)), guards, "mine")
