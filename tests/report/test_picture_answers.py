"""Items with their pictures for the report: which are shown, how they are marked, and what a picture carries."""

import io
from base64 import b64decode
from dataclasses import replace
from hashlib import sha256

import polars as pl
import pytest
from PIL import Image, ImageDraw
from toy_scores import BASE, LORA, scored

from maple.analysis.item_scores import item_scores
from maple.analysis.summary import summarize
from maple.data.examples import PICTURE_COLUMN
from maple.definitions.task import TaskMetrics
from maple.evaluation.prompts import PROMPT_SCHEMA
from maple.report import picture_answers as module
from maple.report.picture_answers import (
    compared_runs,
    data_uri,
    picture_answers,
    read_answers,
    read_scores,
    spread,
    write_answers,
)
from maple.runtime.files import write_parquet
from maple.runtime.pictures import Picture, PictureError

CODES = ["eng_Latn", "arb_Arab"]
TASK = TaskMetrics(metrics=["exact_match"], headline="exact_match", chance=None, languages=CODES)
RUNS = [replace(run, tasks=("looks",)) for run in (BASE, LORA)]
ITEMS = 8
# The base is right on the first two items, the finetuned run on the first three.
RIGHT = {BASE.key: 2, LORA.key: 3}


@pytest.fixture
def album(tmp_path):
    """A picture of a colour of its own for each item."""
    pictures = []
    for item in range(ITEMS):
        content = io.BytesIO()
        Image.new("RGB", (16, 16), (item, 0, 0)).save(content, "PNG")
        file = tmp_path / f"{item}.png"
        file.write_bytes(content.getvalue())
        pictures.append({"file": str(file), "digest": sha256(content.getvalue()).hexdigest()})
    return pictures


def prompts(album, codes=CODES, task="looks", **columns):
    rows = [
        dict.fromkeys(PROMPT_SCHEMA)
        | {"task": task, "language": code, "item": str(item), "prompt": f"{code}: what is {item}?"}
        | {"targets": ["red", "crimson", "crimson"], "labels": [], "verbalizers": [], "pictures": [picture]}
        | columns
        for code in codes
        for item, picture in enumerate(album)
    ]
    return pl.DataFrame(rows, schema={**PROMPT_SCHEMA, **PICTURE_COLUMN})


def scores(runs=RUNS, codes=CODES, task="looks", metric="exact_match", right=RIGHT, **columns):
    return pl.concat(
        scored(run, [item < right[run.key] for item in range(ITEMS)], task, code, metric, **columns)
        for run in runs
        for code in codes
    )


def shown(found, asked, tasks=None, runs=RUNS, languages=CODES):
    tasks = tasks or {"looks": TASK}
    return picture_answers(asked, found, summarize(item_scores(found, runs, tasks)), tasks, runs, languages)


def test_a_parallel_item_stands_once_with_its_answers_in_every_language(album):
    (task,) = shown(scores(), prompts(album))
    assert task.runs == [BASE.path, LORA.path] and task.left_out == 0
    assert len(task.items) == module.ITEMS
    for item in task.items:
        assert [row.language for row in item.languages] == CODES and len(item.pictures) == 1
        assert item.languages[0].question == f"eng_Latn: what is {item.item}?"
        assert item.languages[0].gold == ["crimson", "red"]
    marks = {item.item: [answer.mark for answer in item.languages[1].answers] for item in task.items}
    assert marks["0"] == ["right", "right"] and marks["2"] == ["wrong", "right"]
    assert sorted(marks)[:3] == ["0", "1", "2"], "all items that are answered well"
    assert sum(finetuned == "wrong" for _, finetuned in marks.values()) == 3


def test_items_are_sampled_alike_whatever_the_order_of_the_rows(album):
    few = {run.key: 1 for run in RUNS}
    (one,) = shown(scores(right=few), prompts(album))
    (other,) = shown(scores(right=few).reverse(), prompts(album).reverse())
    assert {item.item for item in one.items} == {item.item for item in other.items}
    assert len(one.items) == module.ITEMS
    assert [answer.mark for item in one.items for answer in item.languages[0].answers[1:]].count("right") == 1


def test_items_of_languages_with_pictures_of_their_own_are_not_joined(album):
    asked = pl.concat([prompts(album, CODES[:1]), prompts(album[::-1], CODES[1:])])
    (task,) = shown(scores(), asked)
    assert len(task.items) == 2 * module.ITEMS
    assert all(len(item.languages) == 1 for item in task.items)


def test_answers_by_another_metric_as_those_to_a_grey_picture_are_not_read(tmp_path):
    found = pl.concat([scores(), scores(metric="blind_exact_match", right=dict.fromkeys(RIGHT, ITEMS))])
    write_parquet(found, tmp_path / "scores.parquet")
    read = read_scores([tmp_path / "scores.parquet"], {"looks": TASK})
    assert read.height == scores().height
    assert read["value"].sum() == scores()["value"].sum()


def test_a_label_is_shown_as_it_is_written_and_is_right_whatever_its_headline_makes_of_all_labels(album):
    yes_no = {"targets": ["yes"], "labels": ["yes", "no"], "verbalizers": [["Ndiyo", "Yes"], ["Hapana"]]}
    task = TASK.changed(metrics=["macro_f1"], headline="macro_f1")
    found = pl.concat(
        scored(run, [0.3] * ITEMS, "looks", "eng_Latn", "macro_f1", prediction=prediction)
        for run, prediction in zip(RUNS, ("yes", "no"), strict=True)
    )
    asked = prompts(album, CODES[:1], **yes_no)
    summary = pl.DataFrame(
        [{**run.key.params(), "task": "looks", "language": "eng_Latn", "headline": True, "mean": 0.3} for run in RUNS]
    )
    (task,) = picture_answers(asked, found, summary, {"looks": task}, RUNS, CODES)
    row = task.items[0].languages[0]
    assert row.gold == ["Ndiyo"]
    assert [(answer.text, answer.mark) for answer in row.answers] == [("Ndiyo", "right"), ("Hapana", "wrong")]


def test_a_caption_has_a_score_and_is_neither_right_nor_wrong(album):
    task = TASK.changed(metrics=["cider"], headline="cider")
    found = scores(metric="cider", right={BASE.key: 0, LORA.key: ITEMS})
    (task,) = shown(found, prompts(album), {"looks": task})
    assert [answer.mark for answer in task.items[0].languages[0].answers] == ["0.0", "100.0"]


def test_a_part_of_a_score_is_told_in_points_and_a_run_without_a_score_has_none(album):
    task = TASK.changed(metrics=["vqa_score"], headline="vqa_score")
    found = pl.concat(
        [
            scored(RUNS[0], [0.3] * ITEMS, "looks", metric="vqa_score"),
            scores(RUNS[1:], ["arb_Arab"], metric="vqa_score"),
        ]
    )
    answers = {row.language: row.answers for row in shown(found, prompts(album), {"looks": task})[0].items[0].languages}
    assert answers["eng_Latn"][0].mark == "30.0" and answers["eng_Latn"][1] is None


def test_the_best_finetuned_run_stands_beside_its_base_and_without_any_the_best_base():
    other = replace(LORA, model="other")
    summary = pl.DataFrame(
        [
            {**run.key.params(), "task": task, "language": language, "headline": True, "mean": mean}
            for run, means in ((BASE, (0.9, 0.1)), (LORA, (0.5, 0.2)), (other, (0.4, 0.9)))
            for task, mean in zip(("looks", "reads"), means, strict=True)
            for language in ("eng_Latn", "swh_Latn")
        ]
    )
    grid = [BASE, LORA, other]
    assert compared_runs(summary, "looks", grid) == [BASE, LORA]
    assert compared_runs(summary, "reads", grid) == [other]
    assert compared_runs(summary, "looks", [BASE]) == [BASE]
    assert compared_runs(summary, "nothing", grid) == []


def test_languages_are_taken_at_even_distances():
    assert spread(list("abcdefghijk"), 6) == list("acegik")
    assert spread(["a", "b"], 6) == ["a", "b"]


def opened(uri):
    return Image.open(io.BytesIO(b64decode(uri.partition("base64,")[2])))


def kept(image, path, **options):
    image.save(path, **options)
    return Picture(str(path), sha256(path.read_bytes()).hexdigest())


def test_a_drawing_stays_as_it_is_and_a_photograph_is_made_small(tmp_path):
    drawing = Image.new("RGB", (64, 64), "white")
    ImageDraw.Draw(drawing).ellipse((10, 10, 40, 40), fill="red")
    uri = data_uri(kept(drawing, tmp_path / "drawing.png"), "here")
    assert uri.startswith("data:image/png;") and opened(uri).tobytes() == drawing.tobytes()
    noise = Image.effect_noise((1200, 600), 80).convert("RGB")
    uri = data_uri(kept(noise, tmp_path / "photo.jpg"), "here")
    assert uri.startswith("data:image/jpeg;") and opened(uri).size == (256, 128)


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_nothing_that_a_picture_carries_beside_its_pixels_reaches_the_page(tmp_path, ending):
    exif = Image.Exif()
    exif[0x010E], exif[0x8298] = "a secret place", "a secret name"
    image = Image.new("RGB", (32, 32), "blue")
    picture = kept(image, tmp_path / f"a.{ending}", exif=exif, icc_profile=b"secret")
    assert b"secret" in (tmp_path / f"a.{ending}").read_bytes()
    content = b64decode(data_uri(picture, "here").partition("base64,")[2])
    assert b"secret" not in content and b"Exif" not in content and not opened(data_uri(picture, "here")).getexif()


def test_a_picture_that_is_missing_or_another_one_is_named_with_task_and_item(album, tmp_path):
    (tmp_path / "1.png").write_bytes((tmp_path / "2.png").read_bytes())
    with pytest.raises(PictureError, match=r"results/prompts/looks: item 1: picture 1\.png has the SHA-256"):
        shown(scores(), prompts(album))
    (tmp_path / "1.png").unlink()
    with pytest.raises(PictureError, match=r"results/prompts/looks: item 1: picture 1\.png is not in"):
        shown(scores(), prompts(album))


def test_pictures_beyond_the_limit_are_left_out_and_counted_and_every_task_keeps_its_first(album, monkeypatch):
    tasks = {"looks": TASK, "sees": TASK}
    runs = [replace(run, tasks=tuple(tasks)) for run in RUNS]
    asked = pl.concat(prompts(album, task=task) for task in tasks)
    found = pl.concat(scores(runs, task=task) for task in tasks)
    whole = shown(found, asked, tasks, runs)
    first = sum(len(task.items[0].pictures[0]) for task in whole)
    monkeypatch.setattr(module, "MOST_BYTES", first)
    cut = shown(found, asked, tasks, runs)
    assert [len(task.items) for task in cut] == [1, 1]
    assert [task.left_out for task in cut] == [module.ITEMS - 1] * 2


def test_a_long_text_is_cut(album):
    (task,) = shown(scores(prediction="no " * 1000), prompts(album))
    text = task.items[0].languages[0].answers[0].text
    assert len(text) == module.CUT and text.endswith("…")


def test_what_is_written_is_read_again(album, tmp_path):
    found = shown(scores(), prompts(album))
    write_answers(found, tmp_path / "answers.json")
    assert read_answers([tmp_path / "answers.json"]) == found and read_answers([]) == []
