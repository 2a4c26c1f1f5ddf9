"""Changes on the page: how much of them is by parsing, and how much by answers."""

import polars as pl
import pytest
from toy_scores import BASE, LANGUAGES, LORA, LOW, groups_of, scored, summary_of

from maple.report.charts import split
from maple.report.sections.changes import split_changes, split_rows
from maple.report.sections.run_views import order_languages, view_runs


def frame(run, right, wrong, unparsed, task="xnli"):
    values = [1] * right + [0] * (wrong + unparsed)
    metric = {"xnli": "accuracy", "xquad": "f1"}[task]
    return scored(run, values, task, metric=metric).with_columns(parsed=pl.int_range(pl.len()) < right + wrong)


def splits_of(*frames):
    views = view_runs(summary_of(*frames), groups_of(*frames), order_languages(LANGUAGES, LOW), [BASE, LORA])
    return split_changes(summary_of(*frames), views)


def test_a_change_is_shown_by_task_with_both_its_parts():
    (one,) = splits_of(frame(BASE, 1, 1, 6), frame(LORA, 4, 4, 0))
    assert (one.view.key, one.task, one.unparsed, one.base_unparsed) == (LORA.key, "xnli", 0, 0.75)
    assert (one.change, one.by_parsing, one.by_answers) == pytest.approx((3 / 8, 3 / 8, 0))
    assert (one.if_parsed, one.base_if_parsed) == (0.5, 0.5)


def test_a_task_in_which_all_answers_parse_is_left_out():
    parsed = [frame(BASE, 2, 6, 0, "xquad"), frame(LORA, 4, 4, 0, "xquad")]
    assert [one.task for one in splits_of(frame(BASE, 1, 1, 6), frame(LORA, 4, 4, 0), *parsed)] == ["xnli"]
    assert splits_of(*parsed) == [] and split(split_rows([])) is None


def test_a_bar_is_the_mean_of_its_runs_and_what_cannot_be_split_is_a_part_of_its_own():
    (known,) = splits_of(frame(BASE, 1, 1, 6), frame(LORA, 4, 4, 0))
    (unknown,) = splits_of(frame(BASE, 0, 0, 8), frame(LORA, 4, 4, 0))
    assert split_rows([known, unknown]) == [
        {"model": "toy", "task": "xnli", "part": "by parsing", "change": 18.75},
        {"model": "toy", "task": "xnli", "part": "cannot be split", "change": 25.0},
    ]
