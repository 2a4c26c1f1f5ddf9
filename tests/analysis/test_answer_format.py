"""Format and answers told apart: changes are split, and questions are answered on scores that no format moves."""

import numpy as np
import polars as pl
import pytest
from toy_questions import LANGUAGES, SETTINGS, base, tuned
from toy_scores import BASE, LORA, OFFERED, in_both, scored, summary_of, together

from maple.analysis.answer_format import if_parsed, without_format
from maple.analysis.item_scores import item_scores
from maple.analysis.questions.answer import answer_questions
from maple.analysis.questions.records import NO_DIFFERENCE, SUPPORTED
from maple.analysis.statistics import Items, average
from maple.analysis.summary import summarize
from maple.definitions.question import questions_of
from maple.definitions.run import Run
from maple.definitions.task import TaskMetrics

SPLIT = ["change", "change_by_parsing", "change_by_answers"]


def answered(run, right, wrong, unparsed, **columns):
    """So many right, wrong and unparsed answers."""
    values = [1] * right + [0] * (wrong + unparsed)
    frame = scored(run, values, **columns)
    return frame.with_columns(parsed=pl.int_range(pl.len()) < right + wrong)


def split_of(*frames):
    row = summary_of(*frames).filter(method=LORA.method, language="eng_Latn").row(0, named=True)
    return [row[name] for name in SPLIT]


def test_a_run_whose_parsed_answers_are_as_right_as_its_base_s_gains_only_by_parsing():
    # Half of the parsed answers are right on both sides; the base parses two of eight, the run all eight.
    assert split_of(answered(BASE, 1, 1, 6), answered(LORA, 4, 4, 0)) == pytest.approx([3 / 8, 3 / 8, 0])


def test_a_run_that_parses_as_well_as_its_base_gains_only_by_answers():
    assert split_of(answered(BASE, 1, 3, 4), answered(LORA, 3, 1, 4)) == pytest.approx([2 / 8, 0, 2 / 8])
    assert split_of(answered(BASE, 1, 7, 0), answered(LORA, 3, 5, 0)) == [0.25, 0, 0.25]


def test_the_two_parts_add_up_to_the_change():
    # The base parses half and has half of these right, the run parses all and has three quarters right.
    change, by_parsing, by_answers = split_of(answered(BASE, 2, 2, 4), answered(LORA, 6, 2, 0))
    assert (change, by_parsing, by_answers) == pytest.approx((4 / 8, 0.5 * (0.5 + 0.75) / 2, 0.25 * (0.5 + 1) / 2))
    assert by_parsing + by_answers == pytest.approx(change)


def test_nobody_knows_how_right_answers_of_a_base_would_be_that_parses_nothing():
    row = summary_of(answered(BASE, 0, 0, 8), answered(LORA, 6, 2, 0)).filter(
        method=LORA.method, language="eng_Latn"
    ).row(0, named=True)  # fmt: skip
    assert (row["change"], row["if_parsed"], row["base_if_parsed"]) == (0.75, 0.75, None)
    assert row["change_by_parsing"] is None and row["change_by_answers"] is None


def test_a_mean_over_cells_has_the_means_of_their_parts_if_all_are_known():
    def cells(*unparsed):
        return summary_of(
            *(answered(BASE, 8 - none, 0, none, language=code) for code, none in unparsed), in_both(LORA, [1] * 8)
        ).filter(task="all", method=LORA.method)

    known = cells(("eng_Latn", 4), ("swh_Latn", 2))
    assert known.select(SPLIT).row(0) == pytest.approx((3 / 8, 3 / 8, 0))
    assert cells(("eng_Latn", 4), ("swh_Latn", 8)).select(SPLIT).row(0) == (0.75, None, None)


def test_a_score_of_a_set_is_no_share_times_a_mean():
    tasks = {"xnli": TaskMetrics(metrics=["macro_f1"], headline="macro_f1", chance=None, languages=OFFERED)}

    def split(base):
        frames = [base, answered(LORA, 6, 2, 0, metric="macro_f1")]
        scores = item_scores(pl.concat(frames), (BASE, LORA), tasks)
        return summarize(scores).filter(method=LORA.method, language="eng_Latn").select(SPLIT).row(0)

    assert split(answered(BASE, 2, 2, 4, metric="macro_f1")) == (0.5, None, None)
    assert split(answered(BASE, 4, 4, 0, metric="macro_f1")) == (0.25, 0, 0.25)


def test_guessing_counts_nothing_where_a_score_is_corrected_for_chance():
    # Chance is a third in the first task, and none in the second: (2/3 - 1/3) / (2/3) and 1/2.
    both = [scored(BASE, [1, 1, 0]), scored(BASE, [0.5] * 3, "xquad", metric="f1")]
    rows = summary_of(*both).filter(language="all").select("task", "corrected_for_chance").rows()
    assert dict(rows) == {"all": pytest.approx(0.5, abs=1e-3), "xnli": pytest.approx(0.5, abs=1e-3), "xquad": 0.5}
    exact = summary_of(scored(BASE, [1, 1, 0], "xquad", metric="exact_match"))
    assert exact["corrected_for_chance"].is_null().all()


def test_pseudo_values_have_the_mean_and_the_variance_of_the_ratio():
    rng = np.random.default_rng(3)
    parsed = rng.random((500, 2)) < [0.4, 0.9]
    values = np.where(parsed, rng.random((500, 2)) < 0.7, 0.0).astype(float)
    pseudo = if_parsed(values, parsed, np.zeros(500, int), np.ones(1, bool))
    # Cochran's variance of a ratio of means, computed directly from the residuals y - q x.
    for column in range(2):
        y, x = values[:, column], parsed[:, column].astype(float)
        ratio = y.sum() / x.sum()
        direct = ((y - ratio * x) ** 2).sum() / (500 - 1) / 500 / x.mean() ** 2
        assert pseudo[:, column].mean() == pytest.approx(ratio)
        assert pseudo[:, column].var(ddof=1) / 500 == pytest.approx(direct)


def test_intervals_of_the_parsed_answers_contain_the_truth():
    # Two thousand runs of 500 items: three in ten answers are parsed, and six in ten of these are right.
    rng, items = np.random.default_rng(5), 500
    parsed = rng.random((items, 2000)) < 0.3
    values = (parsed & (rng.random(parsed.shape) < 0.6)).astype(float)
    pseudo = if_parsed(values, parsed, np.zeros(items, int), np.ones(1, bool))
    low, high = average(pseudo, Items(np.zeros(items, int), np.arange(items), np.ones(1, int)), np.ones(1)).interval(
        0.95
    )
    assert 0.93 < np.mean((low < 0.6) & (high > 0.6)) < 0.97


def test_a_run_that_parsed_hardly_anything_has_no_score_of_its_parsed_answers():
    few, enough = np.arange(200) < 9, np.arange(200) < 20
    pseudo = if_parsed(np.ones((200, 2)) * 0, np.stack([few, enough], axis=1), np.zeros(200, int), np.ones(1, bool))
    assert np.isnan(pseudo[:, 0]).all() and not np.isnan(pseudo[:, 1]).any()


def test_a_run_that_parsed_all_keeps_its_scores():
    scores = together(scored(BASE, [1, 0, 1] * 8), scored(LORA, [1, 1, 0] * 8))
    assert np.array_equal(without_format(scores).values, scores.values)


CHOICES = {
    name: TaskMetrics(
        metrics=["accuracy", "rank_accuracy"], headline="accuracy", chance=0.5, languages=OFFERED
    )
    for name in ("xcopa", "xnli")
}  # fmt: skip
CHANGE = {"asks": "Is it so?", "unit": "points", "shape": "change", "baseline": "untouched"}
RANK = {"asks": "Is it so?", "unit": "points", "shape": "slope", "axis": "rank"}
TOY, TUNED = base(), tuned(8)


def runs_of(*ranks):
    return [Run.baseline("toy"), *(tuned(rank) for rank in ranks)]


def asked(frames, runs, **question):
    scores = item_scores(pl.concat(frames), runs, CHOICES)
    answers = answer_questions(
        scores, LANGUAGES, SETTINGS.changed(smallest_effect=2.0), questions_of({"one": question}), {}
    )
    return answers.questions[0]


def half_right(run, metric, task="xcopa"):
    """Every second of two thousand items is right, apart from two that differ between runs."""
    values = np.arange(2000) % 2
    values[: 2 * (not run.is_baseline)] = [1, 0][: 2 * (not run.is_baseline)]
    return scored(run, values, task, metric=metric)


def test_what_finetuning_taught_is_format_where_the_base_ranks_as_well_and_parses_nothing():
    # Generated, the base scores 0 and the run 50; ranked, both are right half of the time.
    frames = [
        answered(TOY, 0, 0, 2000, task="xcopa"), half_right(TUNED, "accuracy"),
        half_right(TOY, "rank_accuracy"), half_right(TUNED, "rank_accuracy"),
    ]  # fmt: skip
    found = asked(frames, [TOY, TUNED], **CHANGE)
    assert found.effect == pytest.approx(50) and found.verdict == SUPPORTED
    other = found.without_format
    assert (other.scores, other.effect, other.verdict) == ("ranked", pytest.approx(0), NO_DIFFERENCE)
    assert other.unparsed == {"the untouched bases": 1.0, "the runs": 0.0} and other.left_out == {}
    assert (
        "; 100 % of the answers of the untouched bases could not be parsed; on ranked answers: 0.0 (" in found.because
    )


def test_without_ranked_answers_cells_of_a_base_that_parses_nothing_are_left_out_and_named():
    frames = [answered(TOY, 0, 0, 2000, task="xcopa"), half_right(TUNED, "accuracy")]
    found = asked(frames, [TOY, TUNED], **CHANGE)
    assert found.without_format.scores is None and found.without_format.effect is None
    assert found.without_format.left_out == {"xcopa": ["eng_Latn"]}
    assert found.because.endswith("and no cell has scores that do not depend on it")
    # Beside a task in which both parse enough, that one is told.
    frames += [answered(TOY, 300, 300, 1400, task="xnli"), answered(TUNED, 900, 900, 200, task="xnli")]
    found = asked(frames, [TOY, TUNED], **CHANGE)
    assert found.without_format.scores == "right if parsed" and found.without_format.effect == pytest.approx(0)
    assert found.without_format.left_out == {"xcopa": ["eng_Latn"]}
    assert "on the parsed answers alone (one cell has no such score): 0.0" in found.because


def test_a_base_that_parses_nothing_is_no_matter_to_a_slope_over_ranks():
    # One of ten answers does not parse at rank 8; of the parsed ones, half are right at both ranks.
    low, high = tuned(4), tuned(8)
    frames = [
        answered(TOY, 0, 0, 2000, task="xcopa"),
        answered(low, 1000, 1000, 0, task="xcopa"),
        answered(high, 900, 900, 200, task="xcopa"),
    ]
    found = asked(frames, [TOY, low, high], **RANK)
    assert found.effect == pytest.approx(-5)
    assert found.without_format.unparsed == {"the runs": 0.05}
    assert found.without_format.effect == pytest.approx(0) and found.without_format.left_out == {}
    assert "parsed" not in found.because  # a twentieth is little


def test_nothing_is_told_twice_where_all_answers_parse():
    frames = [half_right(run, metric) for run in (TOY, TUNED) for metric in ("accuracy", "rank_accuracy")]
    assert asked(frames, [TOY, TUNED], **CHANGE).without_format is None


def test_a_task_that_some_run_did_not_rank_is_compared_on_its_parsed_answers():
    frames = [
        answered(TOY, 500, 500, 1000, task="xcopa"), half_right(TUNED, "accuracy"), half_right(TUNED, "rank_accuracy")
    ]  # fmt: skip
    found = asked(frames, [TOY, TUNED], **CHANGE)
    assert found.without_format.scores == "right if parsed" and found.without_format.effect == pytest.approx(0)


def test_parts_by_task_average_to_the_whole_where_tasks_have_as_many_cells():
    frames = [
        scored(run, np.arange(40) % 10 < right, task, language=code)
        for code in ("eng_Latn", "swh_Latn")
        for run, task, right in ((TOY, "xcopa", 5), (TUNED, "xcopa", 6), (TOY, "xnli", 5), (TUNED, "xnli", 9))
    ]
    found = asked(frames, [TOY, TUNED], **CHANGE)
    assert [(one.task, one.cells, one.effect) for one in found.by_task] == [
        ("xcopa", 2, pytest.approx(10)), ("xnli", 2, pytest.approx(40)),
    ]  # fmt: skip
    assert found.effect == pytest.approx(np.mean([one.effect for one in found.by_task]))
    one = asked([frame for frame in frames if frame["task"][0] == "xnli"], [TOY, TUNED], **CHANGE)
    (alone,) = one.by_task
    assert (alone.effect, alone.low, alone.se) == (one.effect, one.low, one.se)
