"""Answers that are sets, from the row to the score: gold answers score one, and one with a negation never does."""

from pathlib import Path

import polars as pl
import pytest
from project import ROOT

from maple.data.sources import RowFolders
from maple.definitions.language import read_languages
from maple.definitions.reading import read_definitions, read_yaml
from maple.definitions.run import RunKey
from maple.definitions.task import Reading, Task, TaskSettings
from maple.embedded.tasks import rows as embedded_rows
from maple.evaluation.benchmark_rows import read_task, row_places
from maple.evaluation.prompt_words import task_words
from maple.evaluation.prompts import render, render_row
from maple.evaluation.scoring import score_items
from maple.text.lists import entries, joined

LANGUAGES = read_languages(ROOT / "config/languages.tsv")
PHRASES = read_yaml(ROOT / "config/phrases.yaml")
TASKS = {
    name: task for name, task in read_definitions(ROOT / "config/tasks", Task).items() if task.gold != "alternatives"
}
SHARED = ROOT.parent / "shared/data/classification/masakhaner2"
RUN = RunKey("m", "d", "lora", 1)
EMBEDDED = [
    (name, code) for name, task in TASKS.items() if task.sources.embedded for code in task.sources.embedded.languages
]
each_embedded = pytest.mark.parametrize(("task", "code"), EMBEDDED)
# Words that deny what stands before them.
NEGATIONS = {
    "eng": "not",
    "deu": "nicht",
    "spa": "no",
    "rus": "не",
    "arb": "لا",
    "hin": "नहीं",
    "zho": "不",
    "swh": "si",
}


def made(task, code, items=40):
    return embedded_rows(task, LANGUAGES[code].identity.params() | PHRASES[code], items, 0)


def answered(task, code, rows, change=lambda text: text):
    """The scores of gold answers as demonstrations show them, each after `change`."""
    definition = TASKS[task]
    spec, words = definition.prompt_spec(), task_words(definition, LANGUAGES[code], LANGUAGES["eng_Latn"], "own")
    golds = [render_row(spec, row, words, number, code).gold_answer for number, row in enumerate(rows)]
    prompts = render(spec, TaskSettings(shots=0), task=task, language=code, rows=rows, words=words)
    completion = {"answer": "generate", "finish_reason": "stop", "completion_tokens": 1, "log_likelihoods": []}
    counts = {"prompt_tokens": 9, "item_tokens": 9, "shots": 0, "shots_dropped": 0}
    completions = pl.DataFrame(
        [
            {**prompt, "completion": change(gold), **completion, **counts}
            for prompt, gold in zip(prompts.to_dicts(), golds, strict=True)
        ],
        infer_schema_length=None,
        schema_overrides={"targets": pl.List(pl.String), "log_likelihoods": pl.List(pl.Float64)},
    )
    readings = {task: Reading(**definition.reading)}
    return score_items(completions, {task: definition.metrics}, RUN, LANGUAGES[code], readings=readings)


def means(scores):
    return dict(scores.group_by("metric").agg(pl.mean("value")).rows())


@each_embedded
def test_gold_sets_score_one_by_every_metric(task, code):
    rows = made(task, code)
    scores = answered(task, code, rows)
    assert means(scores) == pytest.approx(dict.fromkeys(TASKS[task].metrics, 1.0), abs=1e-12)
    assert scores["parsed"].all()
    for change in (str.upper, lambda text: f"{text}.", lambda text: f'"{text}"', lambda text: f"\n{text}\n\nText: x"):
        assert means(answered(task, code, rows, change)) == means(scores)


@each_embedded
def test_a_set_with_a_negation_never_scores_one(task, code):
    rows = [row for row in made(task, code) if row["kinds"]]
    word = NEGATIONS[code[:3]]
    for change in (lambda text: f"{text} {word}", lambda text: f"{word} {text}", lambda text: f"{text}, {word}"):
        scores = answered(task, code, rows, change)
        assert max(means(scores).values()) < 1
        assert not TASKS[task].multi or not scores["parsed"].any()


def test_an_item_without_labels_is_right_if_nothing_is_named():
    rows = [row for row in made("kinds-in-text", "eng_Latn", 200) if not row["kinds"]]
    assert rows and set(answered("kinds-in-text", "eng_Latn", rows)["prediction"]) == {"-"}
    wrong = answered("kinds-in-text", "eng_Latn", rows, lambda text: "country")
    assert set(wrong.filter(metric="subset_accuracy")["value"]) == {0.0}


def test_an_answer_that_cannot_be_read_names_nothing_and_scores_zero():
    rows = made("kinds-in-text", "eng_Latn", 30)
    scores = answered("kinds-in-text", "eng_Latn", rows, lambda text: "maybe")
    assert not scores["parsed"].any() and means(scores) == dict.fromkeys(TASKS["kinds-in-text"].metrics, 0.0)


def test_counts_and_the_signature_stand_beside_the_scores_of_sets():
    scores = answered("names-in-text", "eng_Latn", made("names-in-text", "eng_Latn", 12))
    counts = scores.filter(metric="entity_f1")
    assert counts["counts"].list.len().unique().to_list() == [3]
    assert counts["signature"].unique().to_list() == ["match:type+text|repeated:counted|zero_division:1"]


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_list_in_every_language_has_the_entries_that_were_joined(code):

    text = joined(["1", "2", "3"], code)
    assert [text[start:end] for start, end in entries(text, code)] == ["1", "2", "3"]


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"real rows are not there: {SHARED}")
@pytest.mark.parametrize("code", ["swh_Latn", "hau_Latn", "yor_Latn"])
def test_gold_entities_of_real_sentences_score_one(code, tmp_path):
    local = TASKS["masakhaner2"].sources.local
    folder = tmp_path / "masakhaner2" / local.languages[code]
    folder.mkdir(parents=True)
    for split, file in (("test", "test"), ("dev", "valid")):
        Path(folder, f"{split}.txt").symlink_to(SHARED / local.languages[code] / f"{file}.conll")
    places = row_places(local, LANGUAGES, code, RowFolders(data=str(tmp_path), fetched="hub"), repair=None, dev=True)
    rows = read_task("masakhaner2", places, repair=None, phrases=None, items=None)
    assert (len(rows.test), len(rows.dev)) == (200, 100)
    scores = answered("masakhaner2", code, rows.test)
    assert means(scores) == pytest.approx(dict.fromkeys(TASKS["masakhaner2"].metrics, 1.0), abs=1e-12)
    for change in (lambda text: f"{text} not", lambda text: f"not {text}", lambda text: f"{text}; not"):
        assert means(answered("masakhaner2", code, rows.test, change))["entity_f1"] < 1
