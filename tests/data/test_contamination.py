import json
import random

import polars as pl
import pytest

from maple.data.contamination import (
    BenchmarkTexts,
    ContaminationError,
    DecontaminationTests,
    GuardCard,
    TaskOverlap,
    guard,
    overlapping_tasks,
    overlaps,
)
from maple.data.examples import EXAMPLE_SCHEMA, LABELLED_COLUMNS
from maple.data.sources import LocalSource, RowFile
from maple.runtime.files import write_json
from maple.text.words import words as words_of

WORDS = [f"word{number}" for number in range(40)]
PASSAGE = " ".join(WORDS)
CHINESE = "今天早上所有的孩子都很早就去学校了因为那里有一个很大的节日庆祝活动大家都非常高兴"


def example(name, output, instruction="Say it."):
    return {**dict.fromkeys(EXAMPLE_SCHEMA, ""), "id": name, "instruction": instruction, "output": output, "seed": 0}


def examples(*rows):
    return pl.DataFrame(rows, schema=EXAMPLE_SCHEMA)


def overlap(output, text, words=13):
    return overlaps(examples(example("a", output)), {"test": [text]}, words).rows() == [(0, "test")]


def test_thirteen_words_in_a_row_are_an_overlap_and_twelve_are_not():
    for start in range(28):
        assert overlap(" ".join(WORDS[start : start + 13]), PASSAGE)
        assert not overlap(" ".join(WORDS[start : start + 12]), PASSAGE)


def test_words_must_stand_in_a_row_and_in_one_example():
    assert not overlap(" ".join([*WORDS[:7], "other", *WORDS[7:14]]), PASSAGE)
    parted = examples(example("a", " ".join(WORDS[:7])), example("b", " ".join(WORDS[7:14]), instruction=""))
    assert overlaps(parted, {"test": [PASSAGE]}, 13).is_empty()


def test_case_punctuation_and_field_do_not_matter():
    loud = example("a", "Yes.", instruction=PASSAGE.upper().replace(" ", ", ") + "!")
    assert overlaps(examples(example("b", "No."), loud), {"test": [PASSAGE]}, 13)["row"].to_list() == [1]


@pytest.mark.parametrize(("count", "expected"), [(12, True), (8, True), (7, False)])
def test_a_text_shorter_than_that_counts_whole_from_eight_words_on(count, expected):
    text = " ".join(WORDS[:count])
    assert overlap(f"He said: {text}.", text) == expected
    assert not overlap(" ".join(WORDS[: count - 1]), text)


def test_in_scripts_without_spaces_two_characters_count_as_a_word():
    for start in range(len(CHINESE) - 25):
        assert overlap(f"他说：{CHINESE[start : start + 26]}。", CHINESE)
        assert not overlap(CHINESE[start : start + 25], CHINESE)
    assert overlap(CHINESE, CHINESE[:16]) and not overlap(CHINESE, CHINESE[:15])
    thai = "วันนี้เด็กทุกคนไปโรงเรียนแต่เช้าเพราะมีงานฉลองใหญ่"
    assert overlap(f"เขาพูดว่า {thai}", thai)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("tha_Thai", "เด็กทุกคนไปโรงเรียนแต่เช้าเพราะมีงานฉลองใหญ่และพวกเขามีความสุขมากในวันนี้"),
        ("zho_Hans", "孩子们今天早上很早就去学校因为那里有一个非常盛大的节日庆祝活动"),
    ],
)
def test_where_a_library_finds_words_an_overlap_is_counted_in_words(code, text):
    found = words_of(text, code)
    whole = "".join(found[:13])
    assert len(found) >= 14 and whole == text[: len(whole)]

    def overlaps_with(part):
        rows = pl.DataFrame([example("a", part)], schema=EXAMPLE_SCHEMA).with_columns(language=pl.lit(code))
        return overlaps(rows, {"test": [text]}, 13).height == 1

    assert overlaps_with(f"ABC {whole}") and not overlaps_with("".join(found[:12]))


def test_hashes_find_the_same_as_comparing_all_words():
    rng = random.Random(0)
    texts = [rng.choices("abc", k=rng.randint(0, 16)) for _ in range(60)]
    made = [example(str(number), " ".join(rng.choices("abc", k=30)), instruction="") for number in range(300)]
    wanted = {tuple(text[at : at + 10]) for text in texts for at in range(max(len(text) - 9, 1)) if len(text) >= 8}
    held = [
        number
        for number, row in enumerate(made)
        for words in [row["output"].split()]
        if any(tuple(words[at : at + size]) in wanted for size in (8, 9, 10) for at in range(31 - size))
    ]
    pairs = overlaps(examples(*made), {"test": [" ".join(text) for text in texts]}, 10)
    assert pairs["row"].to_list() == held and 0 < len(held) < 300


def test_examples_are_found_at_their_place_in_parts_of_any_size(monkeypatch):
    made = examples(*(example(str(number), PASSAGE if number in (1, 4, 5) else "No.") for number in range(7)))
    monkeypatch.setattr("maple.data.contamination.EXAMPLES_PER_PART", 2)
    assert overlaps(made, {"test": [PASSAGE]}, 13)["row"].to_list() == [1, 4, 5]


def test_nothing_overlaps_with_nothing():
    assert overlaps(examples(example("a", PASSAGE)), {}, 13).is_empty()
    assert overlaps(examples(example("a", PASSAGE)), {"test": ["", "Two words"]}, 13).is_empty()
    assert overlaps(examples(), {"test": [PASSAGE]}, 13).is_empty()
    assert overlapping_tasks(examples(example("a", PASSAGE)), DecontaminationTests(tests={})) == [""]


@pytest.fixture
def sources(tmp_path):
    rows = {
        "belebele": [{"flores_passage": PASSAGE}, {"flores_passage": None}, {"question": "No passage?"}],
        "xnli": [{"premise": "All the children went to school early this morning.", "label": 1, "note": PASSAGE}],
    }
    for task, of_task in rows.items():
        (tmp_path / f"{task}.jsonl").write_text("\n".join(map(json.dumps, of_task)))
    return {task: [LocalSource(local=RowFile(path=str(tmp_path / f"{task}.jsonl")))] for task in rows}


def test_an_example_belongs_to_the_first_task_whose_fields_it_overlaps(sources):
    tests = {
        "xnli": BenchmarkTexts(sources=sources["xnli"], fields=["premise", "label"]),
        "belebele": BenchmarkTexts(sources=sources["belebele"], fields=["flores_passage"]),
    }
    premise = "all the children went to school early this morning"
    made = examples(example("a", "No."), example("b", PASSAGE), example("c", f"{PASSAGE} {premise}"))
    for words in (13, 41):
        assert overlapping_tasks(made, DecontaminationTests(tests=tests, words=words)) == ["", "belebele", "xnli"]
    assert overlapping_tasks(made, DecontaminationTests(tests={"xnli": tests["xnli"]})) == ["", "", "xnli"]


def test_a_dataset_with_passages_of_a_task_is_refused_by_name(sources):
    texts = BenchmarkTexts(sources=sources["belebele"], fields=["flores_passage"], passage="flores_passage")
    tests = DecontaminationTests(tests={"belebele": texts})
    card = guard(examples(example("clean", "No.")), tests, "mine")
    assert card.tasks == {"belebele": TaskOverlap(items=3, examples=1, overlapping=0, first=[])}
    held = example("bad", " ".join(WORDS[3:16]))
    with pytest.raises(
        ContaminationError, match="dataset mine: 1 examples hold passages of belebele, the first are bad"
    ):
        guard(examples(example("clean", "No."), held), tests, "mine")


def test_overlaps_with_other_tasks_are_counted_and_not_refused(sources, tmp_path):
    tests = DecontaminationTests(tests={"xnli": BenchmarkTexts(sources=sources["xnli"], fields=["premise"])})
    premise = "All the children went to school early this morning"
    made = examples(*(example(str(number), premise if number else "No.") for number in range(8)))
    card = guard(made, tests, "mine")
    assert card.params() == {
        "schema_version": 1,
        "xnli": {"items": 1, "examples": 8, "overlapping": 7, "first": ["1", "2", "3", "4", "5"]},
    }
    write_json(card.params(), tmp_path / "card.json")
    assert GuardCard.read(tmp_path / "card.json") == card


def labelled_example(name, *texts):
    """An example of a task's rows: its prompt has more words than its texts."""
    columns = {"texts": list(texts), "label": "a", "split": "train"}
    return {**example(name, "a", instruction=f"Which topic? {' '.join(texts)}"), **columns}


def labelled(*rows):
    return pl.DataFrame(rows, schema=EXAMPLE_SCHEMA | LABELLED_COLUMNS)


@pytest.mark.parametrize(("start", "count", "found"), [(5, 8, True), (0, 12, True), (32, 8, True), (5, 7, False)])
def test_a_sentence_of_a_passage_is_found_in_a_labelled_example_from_eight_words_on(start, count, found):
    sentence = " ".join(WORDS[start : start + count])
    rows = labelled(labelled_example("a", "Something else."), labelled_example("b", sentence))
    assert overlaps(rows, {"other": ["Nothing."], "test": [PASSAGE]}, 13).rows() == ([(1, "test")] if found else [])


def test_a_sentence_that_differs_from_the_passage_by_a_word_is_not_in_it():
    sentence = " ".join([*WORDS[5:9], "other", *WORDS[10:14]])
    assert overlaps(labelled(labelled_example("a", sentence)), {"test": [PASSAGE]}, 13).is_empty()


def test_a_dataset_of_a_passage_s_sentences_is_refused_and_one_without_them_is_not(tmp_path):
    (tmp_path / "test.jsonl").write_text(json.dumps({"passage": PASSAGE}) + "\n")
    source = LocalSource(local=RowFile(path=str(tmp_path / "test.jsonl")))
    tests = DecontaminationTests(
        tests={"belebele": BenchmarkTexts(sources=[source], fields=["passage"], passage="passage")}
    )
    held = labelled(labelled_example("train-7", " ".join(WORDS[3:12])))
    with pytest.raises(ContaminationError, match=r"dataset sib200: 1 examples hold passages of belebele.*train-7"):
        guard(held, tests, "sib200")
    assert overlapping_tasks(held, tests) == ["belebele"]
    assert guard(labelled(labelled_example("b", "Nothing of it.")), tests, "sib200").tasks["belebele"].overlapping == 0
