"""The tasks about pictures of config/tasks/: each row becomes a prompt, whose gold answer is scored as right."""

import json
from functools import cache

import polars as pl
import pytest
from project import ROOT

from maple.data.sources import EmbeddedSource, RowFolders, picture_folder, read_rows, resolve
from maple.definitions.language import read_languages
from maple.definitions.reading import read_definitions, read_yaml
from maple.definitions.task import Task, TaskSettings
from maple.embedded.pictures import PICTURES
from maple.evaluation.answer_parsing import parse_choice
from maple.evaluation.benchmark_rows import task_rows
from maple.evaluation.picture_names import picture_names
from maple.evaluation.prompt_words import task_words
from maple.evaluation.prompts import render
from maple.metrics.metric import ItemMetric
from maple.metrics.registry import METRICS

SHARED = ROOT.parent / "shared" / "data" / "images"
LANGUAGES = read_languages(ROOT / "config/languages.tsv")
# The files of the shared folder, of which the sets' own folders have other names.
FILES = {
    "xgqa": "xgqa/{iso639_1}.jsonl",
    "marvl": "marvl/{iso639_1}.jsonl",
    **{f"pope-{kind}": f"pope/coco_{kind}.jsonl" for kind in ("random", "popular", "adversarial")},
}
QUESTION = {"id": "5", "question": "Which is it?", "choices": ["a cat", "a dog"], "answer": 1}
ANSWERS = 3 * [{"answer": "basil", "answer_confidence": "yes"}] + 7 * [{"answer": "unanswerable"}]
# Of each set that is not at hand: a language, its file below the folder of the data, a row as it is published, the
# picture that is meant, and the gold answers.
PUBLISHED = {
    "flickr30k": (
        "eng_Latn", "flickr30k/test.jsonl",
        {"imgid": 7, "filename": "7.jpg", "split": "test", "sentences": [{"raw": "A cat."}, {"raw": "One cat."}]},
        "flickr30k/images/7.jpg", ["A cat.", "One cat."],
    ),
    "iconqa-choose-txt": (
        "eng_Latn", "iconqa/choose_txt/test.jsonl", QUESTION | {"ques_type": "choose_txt"},
        "iconqa/iconqa_data/iconqa/test/choose_txt/5/image.png", ["B"],
    ),
    "iconqa-fill-in-blank": (
        "eng_Latn", "iconqa/fill_in_blank/test.jsonl",
        {"id": "5", "question": "There are (_) cats.", "answer": "4", "ques_type": "fill_in_blank"},
        "iconqa/iconqa_data/iconqa/test/fill_in_blank/5/image.png", ["4"],
    ),
    "maxm": (
        "zho_Hans", "maxm/zh.parquet",
        {"image_id": "a", "question_id": "1", "question": "这是什么?", "answers": ["猫", "小猫"], "language": "zh"}
        | {"image": {"bytes": b"\x89PNG", "path": "a.png"}},
        "zh.parquet: row 1: image", ["猫", "小猫"],
    ),
    "scienceqa": (
        "eng_Latn", "scienceqa/test.jsonl", QUESTION | {"hint": "Look.", "image": "image.png", "split": "test"},
        "scienceqa/images/test/5/image.png", ["B"],
    ),
    "vizwiz": (
        "eng_Latn", "vizwiz/Annotations/val.json",
        {"image": "VizWiz_val_1.jpg", "question": "What is this?", "answers": ANSWERS, "answerable": 1},
        "vizwiz/val/VizWiz_val_1.jpg", 3 * ["basil"] + 7 * ["unanswerable"],
    ),
    "xm3600": (
        "swh_Latn", "xm3600/captions.jsonl",
        {"image/key": "0a1", "image/locale": "th"}
        | {"sw": {"caption": ["Paka.", "Paka mmoja."]}, "fr": {"caption": ["?"]}},
        "xm3600/images/0a1.jpg", ["Paka.", "Paka mmoja."],
    ),
}  # fmt: skip


@cache
def tasks():
    return read_definitions(ROOT / "config/tasks", Task)


@cache
def blocks():
    return read_yaml(ROOT / "config/pictures.yaml")


def prompts(name, code, rows):
    spec = tasks()[name].prompt_spec()
    named = [
        {**row, "pictures": [{"file": file, "digest": "d"} for file in picture_names(spec.pictures, row, number)]}
        for number, row in enumerate(rows)
    ]
    words = task_words(spec, LANGUAGES[code], LANGUAGES["eng_Latn"], "own")
    return render(spec, TaskSettings(shots=0), task=name, language=code, rows=named, words=words)


def check(name, code, made):
    """Every row is asked, and its gold answer is right."""
    assert made["fault"].null_count() == made.height > 0
    for row in made.iter_rows(named=True):
        assert row["prompt"] and len(row["pictures"]) == len(tasks()[name].pictures)
        if row["labels"]:
            gold = row["verbalizers"][row["labels"].index(row["targets"][0])]
            assert parse_choice(gold[0], row["labels"], row["verbalizers"]) == row["targets"][0]
        else:
            metric = METRICS[tasks()[name].headline]
            assert isinstance(metric, ItemMetric) and metric.value(row["targets"][0], row["targets"], code) == 1


def test_the_drawn_tasks_are_those_of_the_embedded_world_and_all_others_have_a_folder_of_pictures():
    drawn = {name for name, task in tasks().items() if task.pictures and task.sources.embedded}
    assert drawn == set(PICTURES)
    named = {name: task.sources.local for name, task in tasks().items() if task.pictures and not task.sources.embedded}
    assert set(named) == {*FILES, *PUBLISHED}
    assert [name for name, source in named.items() if not source.pictures] == ["maxm"], "whose Parquet has them"


@pytest.mark.parametrize("name", PICTURES)
def test_drawn_rows_become_prompts_in_every_language_that_has_words(name):
    assert set(tasks()[name].sources.embedded.languages) == set(blocks())
    for code in blocks():
        words = LANGUAGES[code].identity.params() | blocks()[code]
        made = prompts(name, code, task_rows(name, EmbeddedSource(), phrases=words, items=8))
        assert made.height >= 5  # CLDR lacks a few names of currencies
        check(name, code, made)


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"questions about pictures are not there: {SHARED}")
@pytest.mark.parametrize("name", FILES)
def test_published_rows_become_prompts_in_every_language_of_the_set(name):
    for code in tasks()[name].sources.local.languages:
        file = SHARED / FILES[name].format(iso639_1=LANGUAGES[code].iso639_1)
        made = prompts(name, code, [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()])
        check(name, code, made)
        assert {file.rsplit(".")[-1] for row in made["pictures"] for file in [row[0]["file"]]} == {"jpg"}


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"questions about pictures are not there: {SHARED}")
def test_the_sizes_that_the_files_declare_are_those_of_their_prompts():
    for name in FILES:
        lengths = []
        for code in tasks()[name].sources.local.languages:
            file = SHARED / FILES[name].format(iso639_1=LANGUAGES[code].iso639_1)
            rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
            lengths += [len(prompt.encode()) for prompt in prompts(name, code, rows)["prompt"]]
        assert tasks()[name].size.bytes == pytest.approx(sum(lengths) / len(lengths), abs=1)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_row_in_the_form_of_its_publishers_is_asked_about_its_picture(name, tmp_path):
    code, file, row, picture, gold = PUBLISHED[name]
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    if path.suffix == ".parquet":
        pl.DataFrame([row]).write_parquet(path)
    else:
        path.write_text(json.dumps([row]) if path.suffix == ".json" else json.dumps(row) + "\n")
    task = tasks()[name]
    folders, language = RowFolders(data=str(tmp_path), fetched="hub"), LANGUAGES[code]
    rows = read_rows(resolve(task.sources.local, language, folders, "test"), task.fields)
    (prompt,) = prompts(name, code, rows).to_dicts()
    assert prompt["fault"] is None and prompt["targets"] == gold
    folder = picture_folder(task.sources.local, language, folders, "test").removeprefix(str(tmp_path)).strip("/")
    assert f"{folder}/{prompt['pictures'][0]['file']}".strip("/") == picture


def test_choices_are_listed_by_letters_and_an_answer_may_be_letter_or_text():
    (prompt,) = prompts("scienceqa", "eng_Latn", [PUBLISHED["scienceqa"][2]]).to_dicts()
    assert prompt["prompt"] == "Look.\nWhich is it?\nA. a cat\nB. a dog\nAnswer with the letter of the right choice."
    parsed = [
        parse_choice(text, prompt["labels"], prompt["verbalizers"]) for text in ("B", "B. a dog", "a dog", "A", "E")
    ]
    assert parsed == ["B", "B", "B", "A", "E"]


def test_an_answer_that_three_of_ten_people_gave_is_nearly_right():
    (prompt,) = prompts("vizwiz", "eng_Latn", [PUBLISHED["vizwiz"][2]]).to_dicts()
    assert METRICS["vqa_score"].value("Basil.", prompt["targets"], "eng_Latn") == pytest.approx(0.9)
    assert METRICS["vqa_score"].value("unanswerable", prompt["targets"], "eng_Latn") == 1


def test_a_caption_is_asked_in_the_language_of_its_references():
    rows = [{"image": "0a1", "captions": ["Paka."]}]
    assert prompts("xm3600", "swh_Latn", rows)["prompt"][0] == "Describe the picture in one sentence, in Swahili."
    assert len(tasks()["xm3600"].sources.local.languages) == 36
