"""The tasks about pictures of config/tasks/: each row becomes a prompt, whose gold answer is scored as right."""

import json
from functools import cache

import pytest
from project import ROOT

from maple.data.sources import EmbeddedSource
from maple.definitions.language import read_languages
from maple.definitions.reading import read_definitions, read_yaml
from maple.definitions.task import Task, TaskSettings
from maple.embedded.pictures import PICTURES
from maple.evaluation.answer_parsing import parse_choice
from maple.evaluation.benchmark_rows import task_rows
from maple.evaluation.picture_names import picture_names
from maple.evaluation.prompts import render, task_words
from maple.metrics.registry import METRICS

SHARED = ROOT.parent / "shared" / "data" / "images"
LANGUAGES = read_languages(ROOT / "config/languages.tsv")
# The files of the shared folder, of which the sets' own folders have other names.
FILES = {
    "xgqa": "xgqa/{iso639_1}.jsonl",
    "marvl": "marvl/{iso639_1}.jsonl",
    **{f"pope-{kind}": f"pope/coco_{kind}.jsonl" for kind in ("random", "popular", "adversarial")},
}


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
            assert metric.value(row["targets"][0], row["targets"], code) == 1


def test_the_drawn_tasks_are_those_of_the_embedded_world_and_all_others_have_a_folder_of_pictures():
    drawn = {name for name, task in tasks().items() if task.pictures and task.sources.embedded}
    assert drawn == set(PICTURES)
    named = {name: task.sources.local for name, task in tasks().items() if task.pictures and not task.sources.embedded}
    assert set(named) == set(FILES) and all(source.pictures for source in named.values())


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
