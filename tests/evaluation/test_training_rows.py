import json

import pytest
import toy_pictures
from toy_pictures import painted, written

from maple.data.examples import PICTURE_COLUMN, RAW_LABELLED_SCHEMA
from maple.data.picture_index import PictureIndex
from maple.data.row_files import SourceError
from maple.data.sources import RowFolders
from maple.definitions.language import LanguageIdentity, LanguagePair
from maple.definitions.task import EmbeddedRows, LocalRows, Pair, PromptSpec, Splits
from maple.evaluation.prompts import TaskError
from maple.evaluation.task_pictures import collect
from maple.evaluation.training_rows import TrainedTask, labelled_rows, sides_of_tests, texts_of_tests, training_places

SWAHILI = LanguageIdentity("swh_Latn", "Swahili", "sw", "Latn")
SPEC = PromptSpec(
    item="id if id is defined else number",
    prompt="Good or bad? {{ text }}",
    texts=["{{ text }}"],
    targets="label",
    choices={"bad": ["baya", "mbaya"], "good": ["nzuri"]},
    fields=["text", "label"],
    max_new_tokens=4,
    max_faulty=0.5,
)
SPLITS = Splits(test="test", dev="dev", train="train")


def task_and_places(folder, spec=SPEC, splits=SPLITS, **rows_of_split):
    for split, rows in rows_of_split.items():
        lines = [json.dumps({"text": text, "label": label}) for text, label in rows]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    source = LocalRows(path="{data}/{split}.jsonl", languages=["swh_Latn"], splits=splits)
    places = training_places(source, SWAHILI, RowFolders(data=str(folder), fetched="hub"))
    return TrainedTask("opinions", spec, {"words": {}, "own": {}, "english": {}}, SWAHILI, None), places


def learnt(folder, max_rows=None, **rows):
    return labelled_rows(*task_and_places(folder, **rows), max_rows)


def test_a_row_is_a_prompt_with_its_answer_and_texts_with_their_label(tmp_path):
    rows = learnt(tmp_path, splits=Splits(test="test", train="train"), train=[("Siku.", "bad")], test=[])
    (row,) = rows.to_dicts()
    assert (row["instruction"], row["input"], row["output"]) == ("Good or bad? Siku.", "", "baya")
    assert (row["texts"], row["label"], row["split"], row["id"]) == (["Siku."], "bad", "train", "train-0")


def test_dev_rows_follow_the_train_rows_and_share_no_id_with_them(tmp_path):
    rows = learnt(tmp_path, train=[("a", "good"), ("b", "bad")], dev=[("c", "good")])
    assert rows["id"].to_list() == ["train-0", "train-1", "dev-0"]


def test_a_header_among_the_rows_is_a_fault_and_so_is_an_empty_label(tmp_path):
    rows = learnt(tmp_path, train=[("a", "good"), ("Text", "Label"), ("b", ""), ("c", "bad")], dev=[("d", "bad")])
    assert rows["fault"].to_list() == ["", "gold 'Label' is none of bad, good", "no gold answer", "", ""]
    assert rows["label"].to_list() == ["good", None, None, "bad", "bad"]


def test_too_many_faulty_rows_are_refused_with_their_file(tmp_path):
    rows = {"train": [("a", "good"), ("b", "fair"), ("c", "fair")], "dev": [("d", "bad")]}
    with pytest.raises(TaskError, match=r"opinions, swh_Latn: 2 of 3 train rows .* \(2\): gold 'fair'.*train\.jsonl"):
        learnt(tmp_path, **rows)


def test_a_file_without_rows_is_refused_with_its_name(tmp_path):
    with pytest.raises(SourceError, match=r"train\.jsonl: has no rows"):
        learnt(tmp_path, train=[], dev=[("d", "bad")])


def test_an_empty_text_is_a_fault(tmp_path):
    rows = learnt(tmp_path, train=[("a", "good"), (" ", "bad")], dev=[("d", "bad")])
    assert rows["fault"].to_list() == ["", "an empty text", ""]


def test_fewer_rows_are_a_sample_of_the_train_rows_and_all_dev_rows(tmp_path):
    train = [(f"word{number}", "good") for number in range(10)]
    few, more = (set(learnt(tmp_path, count, train=train, dev=[("d", "bad")])["id"]) for count in (3, 5))
    assert len(few) == 4 and few < more and "dev-0" in few


def test_test_rows_without_a_label_have_texts_too(tmp_path):
    task, places = task_and_places(tmp_path, test=[("a", "good"), ("b", "")])
    assert texts_of_tests(task, places) == ["a", "b"]


def test_a_task_without_texts_is_compared_by_its_prompts(tmp_path):
    spec = SPEC.changed(texts=[])
    task, places = task_and_places(tmp_path, spec=spec, train=[("a", "good")], dev=[("d", "bad")], test=[("b", "good")])
    assert texts_of_tests(task, places) == ["Good or bad? b"]
    assert labelled_rows(task, places, None)["texts"].to_list() == [None, None]


ENGLISH = LanguageIdentity("eng_Latn", "English", "en", "Latn")
PAIR = PromptSpec(
    item="id",
    prompt="Translate. {{ source }}",
    texts=["{{ source }}"],
    targets="target",
    pair=Pair(source="eng_Latn", target="own"),
    fields=["source", "target"],
    max_new_tokens=9,
    max_faulty=0.5,
)


def translation(name="greetings", spec=PAIR, domain="talk"):
    words = {"words": {}, "own": {}, "english": {}}
    return TrainedTask(name, spec, words, SWAHILI, None, LanguagePair(ENGLISH, SWAHILI), domain)


def places_of(folder, source=None, **rows_of_split):
    for split, rows in rows_of_split.items():
        lines = [json.dumps({"id": f"n{number}", "source": a, "target": b}) for number, (a, b) in enumerate(rows)]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    source = source or LocalRows(path="{data}/{split}.jsonl", languages=["swh_Latn"], splits=SPLITS)
    return training_places(source, SWAHILI, RowFolders(data=str(folder), fetched="hub"))


def test_a_translation_is_its_source_its_target_and_a_prompt_for_causal_models(tmp_path):
    places = places_of(tmp_path, train=[("Rain", "Mvua")], dev=[("Sun", "Jua")], test=[("Moon", "Mwezi")])
    row, dev = labelled_rows(translation(), places, None).to_dicts()
    assert (row["texts"], row["output"], row["instruction"]) == (["Rain"], "Mvua", "Translate. Rain")
    assert (row["source_language"], row["target_language"], row["domain"]) == ("eng_Latn", "swh_Latn", "talk")
    assert (row["recipe"], row["label"]) == ("parallel", None)
    assert (row["id"], dev["id"]) == ("train-greetings-n0", "dev-greetings-n0")


def test_an_empty_side_and_two_sides_of_one_text_are_faults(tmp_path):
    train = [("Rain", "Mvua"), (" ", "Jua"), ("Moon", ""), ("Radio", "Radio"), ("Sun", "Jua"), ("Day", "Siku")]
    rows = labelled_rows(translation(), places_of(tmp_path, train=train, dev=[("Sky", "Mbingu")]), None)
    assert rows["fault"].to_list()[:4] == ["", "an empty text", "no gold answer", "source equals target"]


def test_more_of_them_than_a_task_allows_are_refused_with_file_and_row(tmp_path):
    train = [("Rain", "Mvua"), ("Radio", "Radio"), ("Taxi", "Taxi")]
    with pytest.raises(
        TaskError, match=r"2 of 3 train rows .* source equals target \(first row 2\); mend .*train\.jsonl"
    ):
        labelled_rows(translation(), places_of(tmp_path, train=train, dev=[("Sky", "Mbingu")]), None)


def test_both_sides_of_a_test_row_are_compared_also_if_one_is_empty(tmp_path):
    places = places_of(tmp_path, test=[("Rain", "Mvua"), ("Sun", "")])
    assert sides_of_tests(translation(), places) == ["Rain", "Mvua", "Sun"]


def test_two_files_of_plain_text_are_a_translation_line_by_line(tmp_path):
    (tmp_path / "train.en").write_text("Rain\nSun\n")
    (tmp_path / "train.sw").write_text("Mvua\nJua\n")
    aligned = LocalRows(
        path="{data}/{split}.en",
        target_path="{data}/{split}.{iso639_1}",
        languages=["swh_Latn"],
        splits=Splits(test="test", train="train"),
    )
    rows = labelled_rows(translation(), places_of(tmp_path, aligned), None)
    assert rows.select("id", "output").rows() == [("train-greetings-1", "Mvua"), ("train-greetings-2", "Jua")]
    (tmp_path / "train.sw").write_text("Mvua\n")
    with pytest.raises(SourceError, match=r"train\.en has 2 lines and .*train\.sw 1; each line of one must be"):
        labelled_rows(translation(), places_of(tmp_path, aligned), None)


def test_two_files_of_plain_text_have_no_columns_to_map():
    with pytest.raises(ValueError, match="the lines of two files of plain text have no `columns`"):
        LocalRows(
            path="en", target_path="sw", languages="all", splits=Splits(test="test"), columns={"source": "english"}
        )


def test_embedded_translations_need_no_sentences(tmp_path):
    places = training_places(EmbeddedRows(languages=["swh_Latn"]), SWAHILI, RowFolders(None, "hub"))
    rows = labelled_rows(translation("translate-units"), places, 5)
    assert rows.filter(split="train")["output"].to_list()[0] == "wiki 17"


def pictured_task(name="looks"):
    words = {"words": {}, "own": {}, "english": {}}
    return TrainedTask(name, toy_pictures.SPEC, words, SWAHILI, None)


def test_rows_with_pictures_are_learnt_with_their_files_and_an_id_that_names_their_task(tmp_path):
    for name, colour in {"a": "red", "b": "blue"}.items():
        painted(tmp_path / f"images/{name}.png", colour)
    rows = {"train": [{"image": "a.png"}, {"image": None}, {"image": "b.png"}], "dev": [{"image": "b.png"}]}
    written(tmp_path, **rows, test=[{"image": "a.png"}])
    collect(toy_pictures.task(), toy_pictures.places(tmp_path, "train", "dev"), tmp_path / "out")
    source = LocalRows(path="{data}/{split}.jsonl", languages=["swh_Latn"], splits=SPLITS)
    places = training_places(source, SWAHILI, RowFolders(data=str(tmp_path), fetched="hub"))
    learnt = labelled_rows(pictured_task(), places, None, PictureIndex.read([tmp_path / "out"]))
    assert learnt["id"].to_list() == ["train-looks-0", "train-looks-row-2", "train-looks-2", "dev-looks-0"]
    assert learnt["fault"].to_list() == ["", "no picture", "", ""]
    assert learnt["recipe"].unique().to_list() == ["pictures"]
    first, none, second, dev = learnt["pictures"].to_list()
    assert none is None and second == dev and first[0]["file"] == f"{tmp_path}/out/{first[0]['digest']}.png"
    assert learnt.schema == {**RAW_LABELLED_SCHEMA, **PICTURE_COLUMN}


def test_rows_of_other_tasks_have_no_pictures(tmp_path):
    task, places = task_and_places(tmp_path, train=[("a", "good")], dev=[("d", "bad")], test=[("b", "good")])
    assert labelled_rows(task, places, None, PictureIndex.read([])).schema == RAW_LABELLED_SCHEMA


def test_shuffled_train_rows_have_the_pictures_of_others_and_dev_rows_their_own(tmp_path):
    for name, colour in {"a": "red", "b": "blue", "c": "green", "d": "white"}.items():
        painted(tmp_path / f"images/{name}.png", colour)
    train = [{"image": "a.png"}, {"image": None}, {"image": "b.png"}, {"image": "c.png"}]
    written(tmp_path, train=train, dev=[{"image": "d.png"}, {"image": "c.png"}], test=[{"image": "d.png"}])
    collect(toy_pictures.task(), toy_pictures.places(tmp_path, "train", "dev"), tmp_path / "out")
    source = LocalRows(path="{data}/{split}.jsonl", languages=["swh_Latn"], splits=SPLITS)
    places = training_places(source, SWAHILI, RowFolders(data=str(tmp_path), fetched="hub"))
    index = PictureIndex.read([tmp_path / "out"])
    true, shuffled = (labelled_rows(pictured_task(), places, None, index, seed) for seed in (None, 1))
    assert shuffled.drop("pictures").equals(true.drop("pictures"))
    before, after = (
        [row and row[0]["digest"] for row in rows.filter(split="train")["pictures"].to_list()]
        for rows in (true, shuffled)
    )
    assert after[1] is None and sorted(filter(None, after)) == sorted(filter(None, before))
    assert all(old != new for old, new in zip(before, after, strict=True) if old)
    assert shuffled.filter(split="dev").equals(true.filter(split="dev"))
