from toy_scores import language

from maple.definitions.run import RunKey
from maple.evaluation.label_tables import LabelTable, confusion_counts, reliability_bins
from maple.metrics.calibration import ReliabilityBin
from maple.report.label_charts import labels_chart
from maple.report.sections import labels
from maple.report.sections.labels import ALL, task_labels
from maple.report.sections.run_views import order_languages

LANGUAGES = order_languages([language("eng_Latn", "5", "English"), language("swh_Latn", "2", "Swahili")], (0, 1, 2))
BIN = ReliabilityBin(7 / 15, 8 / 15, items=1, confidence=0.5, accuracy=1.0)


def table(counts, code="eng_Latn", seed=1, answer="classify", bins=()):
    return LabelTable(RunKey("m", "d", "lora-r8-16bit", seed), "news", code, answer, ("a", "b"), counts, bins)


def shown(*tables):
    (one,) = task_labels(confusion_counts(tables), reliability_bins(tables), LANGUAGES)
    return one


def cells(task, language=ALL, answers="m · d · lora-r8-16bit"):
    rows = [row for row in task.confusion if (row["language"], row["answers"]) == (language, answers)]
    return {(row["gold"], row["predicted"]): (row["items"], row["share"]) for row in rows}


def test_seeds_and_languages_are_added_up_and_a_share_is_of_the_items_with_the_gold_label():
    task = shown(table(((2, 1, 0), (0, 4, 0))), table(((1, 0, 0), (0, 2, 2)), code="swh_Latn", seed=2))
    assert task.labels == ["a", "b"]
    assert cells(task) == {
        ("a", "a"): (3, 0.75), ("a", "b"): (1, 0.25), ("b", "b"): (6, 0.75), ("b", "no label"): (2, 0.25)
    }  # fmt: skip
    assert cells(task, "Swahili") == {("a", "a"): (1, 1.0), ("b", "b"): (2, 0.5), ("b", "no label"): (2, 0.5)}


def test_a_point_of_confidence_weighs_each_seed_by_its_items():
    other = ReliabilityBin(7 / 15, 8 / 15, items=3, confidence=0.52, accuracy=0.0)
    task = shown(table(((1, 0, 0), (0, 0, 0)), bins=(BIN,)), table(((0, 3, 0), (0, 0, 0)), seed=2, bins=(other,)))
    (point,) = [row for row in task.reliability if row["language"] == ALL]
    assert (point["items"], point["confidence"], point["accuracy"]) == (4, 0.515, 0.25)


def test_a_run_whose_answers_were_given_in_two_ways_has_two_names():
    task = shown(table(((1, 0, 0), (0, 1, 0)), answer="generate"), table(((1, 0, 0), (1, 0, 0)), answer="rank"))
    names = {row["answers"] for row in task.confusion}
    assert names == {"m · d · lora-r8-16bit, generated", "m · d · lora-r8-16bit, ranked"}


def test_answers_without_the_picture_are_not_what_the_page_shows_first():
    task = shown(table(((1, 0, 0), (0, 1, 0)), answer="blind"), table(((1, 0, 0), (0, 1, 0)), answer="generate"))
    names = [row["answers"] for row in task.confusion]
    assert names[0].endswith(", generated") and names[-1].endswith(", without the picture")


def test_of_very_many_runs_and_languages_only_all_languages_can_be_chosen(monkeypatch):
    monkeypatch.setattr(labels, "MOST_PAIRS", 1)
    task = shown(table(((2, 0, 0), (0, 2, 0))), table(((1, 0, 0), (0, 1, 0)), code="swh_Latn"))
    assert not task.of_each_language and cells(task)["a", "a"] == (3, 1.0)
    assert [one["name"] for one in labels_chart(task)["params"]] == ["chosen_answers"]


def test_generated_answers_have_no_diagram_of_confidence_and_those_of_a_classifier_have_one():
    counts = ((1, 0, 0), (0, 1, 0))
    assert "hconcat" not in labels_chart(shown(table(counts, answer="generate")))
    assert len(labels_chart(shown(table(counts, bins=(BIN,))))["hconcat"]) == 2


def test_no_task_with_labels_has_no_section():
    assert task_labels(confusion_counts([]), reliability_bins([]), LANGUAGES) == []
