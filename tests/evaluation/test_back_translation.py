"""Back-translation by a translator that writes backwards."""

import json
from itertools import pairwise

import pytest

from maple.data.parallel import curate_parallel
from maple.data.sources import RowFolders
from maple.definitions.curation import ParallelCuration
from maple.definitions.language import LanguageIdentity, LanguagePair
from maple.definitions.task import LocalRows, Pair, PromptSpec, Splits
from maple.evaluation.back_translation import BackTranslated, back_translated, rows_with_back_translated
from maple.evaluation.training_rows import TrainedTask, labelled_rows, training_places

SWAHILI = LanguageIdentity("swh_Latn", "Swahili", "sw", "Latn")
ENGLISH = LanguageIdentity("eng_Latn", "English", "en", "Latn")
LANGUAGES = {"swh_Latn": SWAHILI, "eng_Latn": ENGLISH}
SPEC = PromptSpec(
    item="id",
    prompt="Translate. {{ source }}",
    texts=["{{ source }}"],
    targets="target",
    pair=Pair(source="eng_Latn", target="own"),
    fields=["source", "target"],
    max_new_tokens=9,
    max_faulty=0.5,
)
WORDS = {"words": {}, "own": {}, "english": {}}
TASK = TrainedTask("greetings", SPEC, WORDS, SWAHILI, None, LanguagePair(ENGLISH, SWAHILI), "talk")


def reversed_texts(texts, language, source):
    assert (language.code, source) == ("eng_Latn", "swh_Latn")
    return [(text[::-1], "") for text in texts]


def places_of(folder, *rows, split="train"):
    lines = [json.dumps({"id": f"n{number}", **row}) for number, row in enumerate(rows)]
    (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    splits = Splits(test="test", train="train")
    source = LocalRows(path="{data}/{split}.jsonl", languages=["swh_Latn"], splits=splits)
    return training_places(source, SWAHILI, RowFolders(data=str(folder), fetched="hub"))


def back(folder, *targets, max_rows=None, translate=reversed_texts):
    places = places_of(folder, *({"target": target} for target in targets))
    return back_translated(TASK, places.train, max_rows, "mirror", translate)


def test_a_row_is_its_target_and_the_translation_of_that_into_the_source_language(tmp_path):
    (row,) = back(tmp_path, "Mvua").to_dicts()
    assert (row["texts"], row["output"], row["instruction"]) == (["auvM"], "Mvua", "Translate. auvM")
    assert (row["source_language"], row["target_language"], row["domain"]) == ("eng_Latn", "swh_Latn", "talk")
    assert (row["recipe"], row["teacher"], row["split"]) == ("back_translation", "mirror", "train")
    assert (row["id"], row["parent"]) == ("train-greetings-n0-back", "train-greetings-n0")


def test_sources_of_the_rows_are_not_read_and_the_pairs_of_a_task_may_stand_beside(tmp_path):
    places = places_of(tmp_path, {"source": "Rain", "target": "Mvua"})
    pair, translated = (
        labelled_rows(TASK, places, None),
        back_translated(TASK, places.train, None, "mirror", reversed_texts),
    )
    assert pair.schema == translated.schema
    assert (pair["texts"].to_list(), translated["texts"].to_list()) == ([["Rain"]], [["auvM"]])


def test_no_target_an_incomplete_translation_and_a_copy_of_the_target_are_faults(tmp_path):
    def translate(texts, language, source):
        assert texts == ["Mvua", "Jua", "Siku", "ana"]
        return [("Ra", "cut off"), ("", "empty translation"), ("Day", ""), ("ana", "")]

    rows = back(tmp_path, "Mvua", "Jua", "Siku", "ana", "", translate=translate)
    faults = ["cut off", "empty translation", "", "source equals target", "no gold answer"]
    assert rows["fault"].to_list() == faults
    kept, dropped = curate_parallel(rows, {}, ParallelCuration(), LANGUAGES)
    assert kept["output"].to_list() == ["Siku"]
    assert dropped["reason"].to_list() == [fault for fault in faults if fault]


def test_a_translation_that_is_a_side_of_a_test_row_is_dropped_and_so_is_one_of_its_target(tmp_path):
    rows = back(tmp_path, "Mvua", "Jua", "Siku")
    _, dropped = curate_parallel(rows, {"news": ["auvM", "Jua"]}, ParallelCuration(), LANGUAGES)
    assert dropped["output"].to_list() == ["Mvua", "Jua"]
    assert set(dropped["reason"]) == {"a side is a test row: news"}


def test_pairs_of_some_tasks_stand_before_what_is_translated_back_of_others(tmp_path):
    places = places_of(tmp_path, {"source": "Rain", "target": "Mvua"}, {"source": "Sun", "target": "Jua"})
    what = BackTranslated(pairs=["greetings"], tasks=["greetings"], max_rows=1)
    rows = rows_with_back_translated([(TASK, places)], what, None, "mirror", reversed_texts)
    assert rows["recipe"].to_list() == ["parallel", "parallel", "back_translation"]
    none = BackTranslated(pairs=["greetings"], tasks=[], max_rows=None)
    assert rows_with_back_translated([(TASK, places)], none, 1, "mirror", reversed_texts).height == 1


def test_only_the_sample_is_translated_and_a_smaller_one_is_part_of_a_larger_one(tmp_path):
    targets, asked = [f"neno {number}" for number in range(9)], []

    def translate(texts, language, source):
        asked.append(set(texts))
        return reversed_texts(texts, language, source)

    for count in (2, 5, 9):
        assert back(tmp_path, *targets, max_rows=count, translate=translate).height == count
    assert [len(texts) for texts in asked] == [2, 5, 9]
    assert all(smaller < larger for smaller, larger in pairwise(asked))


def test_a_target_that_stands_twice_is_translated_once(tmp_path):
    def translate(texts, language, source):
        assert texts == ["Mvua"]
        return reversed_texts(texts, language, source)

    assert back(tmp_path, "Mvua", "Mvua", translate=translate)["texts"].to_list() == [["auvM"], ["auvM"]]


@pytest.mark.parametrize("split", ["dev", "test"])
def test_other_splits_are_not_translated_back(tmp_path, split):
    places_of(tmp_path, {"target": "Jua"}, split=split)
    assert back(tmp_path, "Mvua")["output"].to_list() == ["Mvua"]
