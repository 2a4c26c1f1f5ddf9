import math

import polars as pl
import pytest

from maple.definitions.run import RunKey
from maple.evaluation.label_tables import confusion_counts, label_tables, read_label_tables
from maple.metrics.calibration import ReliabilityBin
from maple.runtime.files import write_parquet

RUN = RunKey("m", "d", "full-16bit", 1)
LABELS = ["sports", "politics", "health"]


def rows(language, answer, *answers):
    """Rows of (gold, completion, probabilities)."""
    common = {"task": "news", "language": language, "answer": answer, "finish_reason": "stop", "labels": LABELS}
    common |= {"verbalizers": [[label] for label in LABELS]}
    return [
        common
        | {
            "item": str(item), "targets": [gold], "completion": completion,
            "log_likelihoods": [math.log(share) for share in probabilities],
        }
        for item, (gold, completion, probabilities) in enumerate(answers)
    ]  # fmt: skip


def tables(*groups, tasks=("news",)):
    return label_tables(pl.DataFrame([row for group in groups for row in group]), tasks, RUN)


CLASSIFIED = rows(
    "mar_Deva",
    "classify",
    ("sports", "", [0.5, 0.25, 0.25]),
    ("politics", "", [0.5, 0.25, 0.25]),
    ("politics", "", [0.1, 0.9 - 1e-9, 1e-9]),
)
GENERATED = rows("mar_Deva", "generate", ("sports", "Sports.", []), ("politics", "no idea", []))


def test_answers_are_counted_by_gold_and_predicted_label_and_those_without_a_label_last():
    classified, generated = tables(CLASSIFIED, GENERATED)
    assert (classified.answer, generated.answer) == ("classify", "generate")
    assert classified.confusion == ((1, 0, 0, 0), (1, 1, 0, 0), (0, 0, 0, 0))
    assert generated.confusion == ((1, 0, 0, 0), (0, 0, 0, 1), (0, 0, 0, 0))
    assert classified.without_gold == ("health",)


def test_bins_tell_how_often_answers_of_a_confidence_are_right():
    first, second = tables(CLASSIFIED)[0].reliability
    assert first == ReliabilityBin(7 / 15, 8 / 15, items=2, confidence=pytest.approx(0.5), accuracy=0.5)
    assert (second.items, second.accuracy) == (1, 1.0) and second.low < 0.9 < second.high
    assert tables(GENERATED)[0].reliability == ()


def test_blind_answers_have_a_table_of_their_own_and_no_probabilities():
    blind = rows("mar_Deva", "blind", ("sports", "health", []), ("politics", "", []))
    first, second = tables(blind, GENERATED)
    assert (first.answer, second.answer) == ("blind", "generate")
    assert first.confusion == ((0, 0, 1, 0), (0, 0, 0, 1), (0, 0, 0, 0)) and first.reliability == ()


def test_each_language_has_a_table_and_other_tasks_have_none():
    both = tables(CLASSIFIED, rows("hin_Deva", "classify", ("health", "", [0.2, 0.2, 0.6])))
    assert [(table.task, table.language) for table in both] == [("news", "hin_Deva"), ("news", "mar_Deva")]
    assert tables(CLASSIFIED, tasks=["xquad"]) == []


def test_each_file_of_completions_is_counted_for_its_run(tmp_path):
    files = [tmp_path / name for name in ("one.parquet", "two.parquet")]
    for file, answers in zip(files, (CLASSIFIED, GENERATED), strict=True):
        write_parquet(pl.DataFrame(answers), file)
    other = RunKey("m", "d", "lora-r8-16bit", 2)
    counts = confusion_counts(read_label_tables(files, [RUN, other], ["news"]))
    right = counts.filter(pl.col("gold") == pl.col("predicted")).group_by("method", "seed").agg(pl.col("items").sum())
    assert sorted(right.rows()) == [("full-16bit", 1, 2), ("lora-r8-16bit", 2, 1)]
