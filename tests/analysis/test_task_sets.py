"""Runs that are asked different tasks, and runs without an untouched base."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from toy_scores import BASE, LANGUAGES, LORA, LOW, board_of, in_both, scored, together

from maple.analysis.item_scores import task_sets
from maple.analysis.language_groups import language_groups
from maple.analysis.leaderboard import leaderboard, terminal_table
from maple.analysis.summary import summarize, summarize_by_task, summarize_groups
from maple.definitions.task import TaskMetrics

# A base that is asked both tasks, a run that is asked XNLI alone, and one that is asked XQuAD alone.
NLI = replace(LORA, dataset="nli", tasks=("xnli",))
QA = replace(LORA, dataset="qa", tasks=("xquad",))
RUNS = [BASE, NLI, QA]


def f1(run, values):
    return scored(run, values, "xquad", metric="f1")


def study(*more, runs=RUNS):
    """Of four items a base has two right in XNLI and none in XQuAD, finetuning makes it three of each."""
    frames = [scored(BASE, [1, 1, 0, 0]), f1(BASE, [0, 0, 0, 0]), scored(NLI, [1, 1, 1, 0]), f1(QA, [1, 1, 1, 0])]
    return together(*frames, *more, runs=runs)


def over_all(summary, run):
    (row,) = summary.filter(task="all", **run.key.params()).to_dicts()
    return row


def test_the_sets_of_tasks_stand_in_the_order_of_the_runs():
    assert task_sets(RUNS) == [("xnli", "xquad"), ("xnli",), ("xquad",)]


def test_a_run_is_averaged_over_the_tasks_that_it_is_asked():
    summary = summarize(study())
    assert [(over_all(summary, run)["cells"], over_all(summary, run)["mean"]) for run in RUNS] == [
        (2, 0.25), (1, 0.75), (1, 0.75),
    ]  # fmt: skip


def test_the_base_of_a_run_is_read_on_the_cells_of_the_run():
    summary = summarize(study())
    assert [(over_all(summary, run)["base"], over_all(summary, run)["change"]) for run in RUNS] == [
        (None, None), (0.5, 0.25), (0.0, 0.75),
    ]  # fmt: skip


def test_a_missing_language_shortens_the_mean_only_where_the_same_tasks_are_asked():
    # Both XNLI runs must have Swahili; the run on XQuAD has no say in that.
    other = replace(NLI, method="lora-r4-4bit", axes={"rank": 4, "bits": 4})
    swahili = [scored(run, [1, 1, 1, 1], language="swh_Latn") for run in (BASE, NLI)]
    frames = [scored(other, [0, 0, 0, 0]), *swahili]
    summary = summarize(study(*frames, runs=[*RUNS, other]))
    assert {over_all(summary, run)["cells"] for run in (NLI, other)} == {1}
    assert over_all(summarize(study(*swahili)), NLI)["cells"] == 2


def test_a_cell_is_a_row_of_every_run_that_has_it():
    summary = summarize(study()).filter(task="xnli", language="eng_Latn")
    assert summary.select("dataset", "mean", "change").rows() == [("none", 0.5, None), ("nli", 0.75, 0.25)]


def test_groups_average_only_runs_that_are_asked_the_same():
    groups = summarize_groups(study(), language_groups(LANGUAGES, LOW, {})).filter(kind="resource")
    assert groups.select("dataset", "group", "cells", "mean", "base").rows() == [
        ("none", "high", 2, 0.25, None), ("nli", "high", 1, 0.75, 0.5), ("qa", "high", 1, 0.75, 0.0),
    ]  # fmt: skip
    by_task = summarize_by_task(study(), language_groups(LANGUAGES, LOW, {})).filter(kind="resource")
    assert by_task.select("task", "dataset").rows() == [
        ("xnli", "none"), ("xnli", "nli"), ("xquad", "none"), ("xquad", "qa"),
    ]  # fmt: skip


def test_the_view_of_some_runs_is_the_study_that_has_them_alone():
    whole = study(scored(BASE, [1, 0], language="swh_Latn"))
    view, alone = whole.only([0, 1]), together(
        scored(BASE, [1, 1, 0, 0]), f1(BASE, [0, 0, 0, 0]), scored(NLI, [1, 1, 1, 0]),
        scored(BASE, [1, 0], language="swh_Latn"), runs=[BASE, NLI],
    )  # fmt: skip
    assert view.runs == alone.runs and view.bases.tolist() == [-1, 0]
    assert view.cells.equals(alone.cells)
    assert np.array_equal(view.values, alone.values, equal_nan=True)
    assert summarize(view).equals(summarize(alone))


def test_the_view_of_a_run_has_the_cells_that_it_has():
    view = study().only([2])
    assert view.cells.select("cell", "task", "shared").rows() == [(0, "xquad", True)]
    assert view.bases.tolist() == [-1] and view.shares["cell"].to_list() == [0] and view.shares["run"].to_list() == [0]
    assert view.average_shared_items([0], [1.0]).value.tolist() == [0.75]


def test_items_that_only_other_runs_have_are_not_in_a_view():
    long, short = scored(BASE, [1, 0, 1, 0]), scored(NLI, [1, 1])
    assert together(long, short, runs=[BASE, NLI]).only([1]).values.shape == (2, 1)


def test_runs_without_a_base_have_scores_and_no_changes():
    runs = [replace(NLI, seed=seed) for seed in (1, 2)]
    scores = together(*(in_both(run, [1, 1, run.seed - 1, 0]) for run in runs), runs=runs)
    summary = summarize(scores)
    assert summary["mean"].is_not_null().all() and summary.select("base", "change", "mde").null_count().row(0) == (
        summary.height, summary.height, summary.height,
    )  # fmt: skip
    groups = summarize_groups(scores, language_groups(LANGUAGES, LOW, {})).filter(kind="resource", group="low")
    assert groups["seed"].to_list() == [1, 2, None] and groups["mean"].to_list() == [0.5, 0.75, 0.625]
    assert groups["change"].is_null().all() and groups["p_holm"].is_null().all()


def test_seeds_of_models_with_and_without_a_base_are_averaged_side_by_side():
    runs = [BASE, *(replace(LORA, model=model, seed=seed) for model in ("toy", "bert") for seed in (1, 2))]
    scores = together(
        *(scored(run, [1, 0, run.seed - 1, 0]) for run in runs if run.seed), scored(BASE, [1, 0, 0, 0]), runs=runs
    )
    means = summarize_groups(scores, language_groups(LANGUAGES, LOW, {})).filter(
        pl.col("seed").is_null(), kind="language"
    )
    assert means.select("model", "mean").rows() == [("toy", 0.375), ("bert", 0.375)]
    assert means["change"].to_list() == [pytest.approx(0.125), None]


def test_the_leaderboard_and_the_terminal_part_runs_that_are_asked_different_tasks():
    board = leaderboard(study(), language_groups(LANGUAGES, LOW, {}))
    asked = board.filter(group="all").select("asked", "dataset").rows()
    assert asked == [("xnli, xquad", "none"), ("xnli", "nli"), ("xquad", "qa")]
    text = terminal_table(board)
    assert [part.splitlines()[0].partition(".")[0] for part in text.split("\n\nAsked")[0:1]] == ["Asked xnli, xquad"]
    assert text.count("Asked ") == 3 and "Asked xnli. Mean headline score of one cell" in text
    assert "Asked" not in terminal_table(board_of(scored(BASE, [1, 0]), scored(LORA, [1, 1])))


def test_a_headline_of_which_less_is_better_is_refused():
    with pytest.raises(ValueError, match="headline 'nll' is better when lower"):
        TaskMetrics(metrics=["nll"], headline="nll", chance=None, languages=[], lower_is_better=["nll"])
