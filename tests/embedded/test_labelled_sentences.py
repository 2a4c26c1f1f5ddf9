from collections import Counter

import pytest
from project import ROOT

from maple.definitions.language import read_languages
from maple.definitions.reading import read_definitions, read_yaml
from maple.definitions.task import Task
from maple.embedded.classification import CLASSIFICATION, OPINIONS, SPLITS, codes_of
from maple.embedded.cldr import KINDS, names
from maple.embedded.speech import SENTENCES_OF_SOME
from maple.embedded.tasks import rows

LANGUAGES = read_languages(ROOT / "config/languages.tsv")
WORDS = {
    code: LANGUAGES[code].identity.params() | phrases
    for code, phrases in read_yaml(ROOT / "config/phrases.yaml").items()
}
TASKS = read_definitions(ROOT / "config/tasks", Task)
every_task = pytest.mark.parametrize("task", CLASSIFICATION)
of_one_label = pytest.mark.parametrize("task", [task for task in CLASSIFICATION if TASKS[task].one_label])
LEARNT = {task: TASKS[task].sources.embedded.languages for task in CLASSIFICATION}


def rows_of(task, code, split, items=60):
    return rows(task, WORDS[code], items, SPLITS.index(split))


@pytest.mark.parametrize("kind", KINDS)
def test_each_name_is_in_one_split(kind):
    splits = [set(codes_of(kind, split)) for split in SPLITS]
    assert all(splits) and sum(map(len, splits)) == len(set.union(*splits))


@every_task
def test_no_name_of_the_test_rows_is_in_a_train_row(task):
    for code in LEARNT[task]:
        of_language = names(WORDS[code]["iso639_1"], WORDS[code]["script"])
        tested = {of_language[kind].get(one) for kind in ("day", "month") for one in codes_of(kind, "test")}
        learnt = " ".join(row["text"] for row in rows_of(task, code, "train"))
        assert not [name for name in tested if name and name in learnt.replace("、", " ").split()]
        assert not {row["text"] for row in rows_of(task, code, "test")} & {
            row["text"] for row in rows_of(task, code, "train", 400)
        }


@of_one_label
def test_labels_take_turns_and_are_those_of_the_task_s_file(task):
    labels = Counter(row["label"] for row in rows_of(task, "eng_Latn", "test"))
    assert set(labels) == set(TASKS[task].choices) and len(set(labels.values())) == 1


@every_task
def test_items_are_parallel_over_languages(task):
    field = "label" if TASKS[task].one_label else "kinds"
    labels = [{row["id"]: row[field] for row in rows_of(task, code, "dev")} for code in LEARNT[task]]
    for other in labels[1:]:
        assert all(labels[0].get(item, label) == label for item, label in other.items())


@every_task
def test_a_larger_number_of_items_keeps_the_smaller_one_s(task):
    assert rows_of(task, "swh_Latn", "train", 40)[:20] == rows_of(task, "swh_Latn", "train", 20)


def test_the_languages_of_the_tasks_are_those_that_have_the_sentences():
    having = {code for code, words in WORDS.items() if set(SENTENCES_OF_SOME) <= set(words)}
    assert all(set(codes) == having for codes in LEARNT.values())
    with pytest.raises(ValueError, match=r"yor_Latn: names_label is missing, which task kind-of-name needs"):
        rows_of("kind-of-name", "yor_Latn", "train")


def test_an_opinion_is_the_last_thing_that_is_said():
    said = {row["text"]: row["label"] for row in rows_of("day-sentiment", "eng_Latn", "train")}
    likes = {text: label for text, label in said.items() if "like" in text}
    assert likes and all(label == ("negative" if "not like" in text else "positive") for text, label in likes.items())
    assert set(OPINIONS) == {"positive", "neutral", "negative"}


@pytest.mark.parametrize("code", LEARNT["names-in-text"])
def test_entities_stand_in_their_text_and_days_and_months_are_none(code):
    rows = rows_of("names-in-text", code, "test")
    for row in rows:
        assert all(name in row["text"] for _, name in row["entities"])
        assert {kind.lower() for kind, _ in row["entities"]} == set(row["kinds"])
    assert {len(row["kinds"]) for row in rows} == {0, 1, 2}
