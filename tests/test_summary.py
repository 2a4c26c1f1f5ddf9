import math

import polars as pl
import pytest

from maple.scoring import SCORE_SCHEMA
from maple.summary import SummaryError, points, pooled, resource_group, summarize, terminal_table

BASE = {"model": "toy", "dataset": "none", "method": "none", "seed": 0, "rank": None, "bits": None}
TUNED = {"model": "toy", "dataset": "little", "method": "lora-r2-4bit", "seed": 1, "rank": 2, "bits": 4}
TASKS = {
    "xnli": {"metrics": ["accuracy"], "headline": "accuracy", "chance": 0.3333},
    "xquad": {"metrics": ["f1", "exact_match"], "headline": "f1", "chance": None},
}
LANGUAGES = [
    {"code": "eng_Latn", "name": "English", "joshi_class": "5"},
    {"code": "swh_Latn", "name": "Swahili", "joshi_class": "2"},
]


def scored(run, values, task="xnli", language="eng_Latn", metric="accuracy", **columns):
    keys = {name: run[name] for name in ("model", "dataset", "method", "seed")}
    rows = [
        {
            **keys, "task": task, "language": language, "item": str(item), "metric": metric, "value": float(value),
            "parsed": True, "prediction": "x", "finish_reason": "stop", "prompt_tokens": 10, "completion_tokens": 2,
            "wrong_language": None, "wrong_script": None, "tokens_per_word": 2.0, "shots": 0, "shots_dropped": 0,
            **columns,
        }
        for item, value in enumerate(values)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=SCORE_SCHEMA)


def summary_of(*frames, **options):
    return summarize(pl.concat(frames), [BASE, TUNED], TASKS, **options)


def row(summary, method, task="xnli", language="eng_Latn", metric="accuracy"):
    found = summary.filter(method=method, task=task, language=language, metric=metric)
    assert found.height == 1
    return found.row(0, named=True)


def test_half_of_the_items_right_is_a_mean_of_a_half():
    one = row(summary_of(scored(BASE, [1, 0, 1, 0])), "none")
    assert (one["n"], one["mean"], one["chance"], one["headline"]) == (4, 0.5, 0.3333, True)
    assert one["se"] == pytest.approx(math.sqrt(0.25 / 3))


def test_a_share_counts_only_what_can_be_said():
    known = scored(BASE, [1, 1]).with_columns(wrong_language=pl.Series([True, None]))
    one = row(summary_of(known), "none")
    assert (one["wrong_language"], one["wrong_script"]) == (1.0, None)


@pytest.mark.parametrize(
    ("values", "where"), [([1] * 20, "above"), ([0] * 20, "below"), ([1, 0, 0] * 4, "inside"), ([1], "inside")]
)
def test_a_score_is_seen_from_chance(values, where):
    assert row(summary_of(scored(BASE, values)), "none")["against_chance"] == where


def test_no_chance_is_no_place_seen_from_it():
    assert (
        row(summary_of(scored(BASE, [1, 0], "xquad", metric="f1")), "none", "xquad", metric="f1")["against_chance"]
        is None
    )


def test_prompts_that_were_too_long_are_counted():
    frame = scored(BASE, [0, 1]).with_columns(finish_reason=pl.Series(["too_long", "stop"]))
    assert row(summary_of(frame), "none")["too_long"] == 0.5


def test_wilson_s_interval_of_all_right_does_not_end_at_one_alone():
    one = row(summary_of(scored(BASE, [1] * 4)), "none")
    assert one["high"] == 1.0
    assert one["low"] == pytest.approx(4 / (4 + 1.959964**2), abs=1e-6)


def test_a_graded_metric_has_the_normal_interval_within_zero_and_one():
    one = row(summary_of(scored(BASE, [0, 0.5, 1], "xquad", metric="f1")), "none", "xquad", metric="f1")
    assert one["se"] == pytest.approx(0.5 / math.sqrt(3))
    assert (one["low"], one["high"]) == (0.0, 1.0)


def test_a_change_is_paired_by_item():
    # every item gains 0.1: the change has no spread, however much the items differ
    base, tuned = scored(BASE, [0.1, 0.5, 0.9]), scored(TUNED, [0.2, 0.6, 1.0])
    one = row(summary_of(base, tuned.sample(fraction=1, shuffle=True, seed=1)), "lora-r2-4bit")
    assert one["change"] == pytest.approx(0.1)
    assert one["change_se"] == pytest.approx(0, abs=1e-9)
    assert one["base"] == pytest.approx(0.5)


def test_only_shared_items_are_compared():
    one = row(summary_of(scored(BASE, [0.2, 0.4]), scored(TUNED, [0.4, 0.6, 0.9])), "lora-r2-4bit")
    assert one["n"] == 3 and one["base"] == pytest.approx(0.3) and one["change"] == pytest.approx(0.2)


def test_a_base_has_no_change():
    one = row(summary_of(scored(BASE, [1, 0]), scored(TUNED, [1, 1])), "none")
    assert [one[name] for name in ("base", "change", "change_se", "change_low", "change_high")] == [None] * 5


def test_one_item_has_no_standard_error():
    one = row(summary_of(scored(BASE, [1]), scored(TUNED, [0])), "lora-r2-4bit")
    assert one["change"] == -1.0 and one["se"] is None and one["change_low"] is None


def test_translations_of_one_item_are_one_cluster():
    # the same four items in two languages, scored alike, tell no more than in one language
    frames = [scored(run, values, language=code) for run, values in ((BASE, [0, 0, 1, 1]), (TUNED, [0, 1, 1, 1]))
              for code in ("eng_Latn", "swh_Latn")]  # fmt: skip
    summary = summary_of(*frames)
    one, both = row(summary, "lora-r2-4bit"), row(summary, "lora-r2-4bit", language="all")
    assert (both["n"], both["cells"]) == (8, 2)
    assert both["se"] == pytest.approx(one["se"]) and both["change_se"] == pytest.approx(one["change_se"])


def test_languages_that_move_against_each_other_cancel():
    frames = [scored(BASE, [0, 1], language="eng_Latn"), scored(BASE, [1, 0], language="swh_Latn")]
    assert row(summary_of(*frames), "none", language="all")["se"] == pytest.approx(0)


def test_the_macro_score_averages_the_headline_cells_that_every_run_has():
    frames = [
        scored(BASE, [1, 1]), scored(TUNED, [0, 0]),
        scored(BASE, [0.5, 0.5], "xquad", metric="f1"), scored(TUNED, [0.7, 0.7], "xquad", metric="f1"),
        scored(BASE, [1, 1], "xquad", metric="exact_match"), scored(TUNED, [1, 1], "xquad", metric="exact_match"),
        scored(TUNED, [1, 1], language="swh_Latn"),
    ]  # fmt: skip
    summary = summary_of(*frames)
    base, tuned = (row(summary, method, "all", "all", "headline") for method in ("none", "lora-r2-4bit"))
    assert base["cells"] == tuned["cells"] == 2
    assert base["mean"] == pytest.approx(0.75) and tuned["mean"] == pytest.approx(0.35)
    assert tuned["change"] == pytest.approx(-0.4)


def test_quirks_are_shares_of_the_completions():
    bad = scored(BASE, [0], parsed=False, prediction="", finish_reason="length")
    good = scored(BASE, [1, 1, 1]).with_columns(item=pl.col("item") + "b")
    one = row(summary_of(bad, good), "none")
    assert (one["unparsed"], one["empty"], one["truncated"], one["prompt_tokens"]) == (0.25, 0.25, 0.25, 10.0)


def test_a_wider_confidence_is_a_wider_interval():
    frames = scored(BASE, [0, 1, 1, 0]), scored(TUNED, [1, 1, 1, 0])
    narrow, wide = (row(summary_of(*frames, confidence=level), "lora-r2-4bit") for level in (0.5, 0.99))
    assert wide["change_low"] < narrow["change_low"] < narrow["change"] < narrow["change_high"] < wide["change_high"]


def test_runs_without_a_common_cell_have_no_macro_score():
    summary = summary_of(scored(BASE, [1, 0]), scored(TUNED, [1, 0], "xquad", metric="f1"))
    assert summary.filter(task="all").is_empty()
    assert "cannot be compared" in terminal_table(summary)


def test_scores_of_no_run_and_of_no_task_are_refused():
    with pytest.raises(SummaryError, match="no score belongs to a run"):
        summarize(scored(BASE, [1]), [TUNED], TASKS)
    with pytest.raises(SummaryError, match="task \\['xcopa'\\], which is not among xnli, xquad"):
        summary_of(scored(BASE, [1], "xcopa"))


def test_the_interval_of_a_group_of_one_language_is_that_language_s_own():
    summary = summary_of(scored(BASE, [0, 0, 1]), scored(TUNED, [0, 1, 1]))
    one, group = row(summary, "lora-r2-4bit"), pooled(summary, {"eng_Latn": "high"}).row(1, named=True)
    assert group["method"] == "lora-r2-4bit" and group["cells"] == 1
    assert group["change_low"] == pytest.approx(one["change_low"]) and group["mean"] == pytest.approx(one["mean"])


def test_swahili_is_low_resource_and_an_unlisted_language_is_neither():
    assert [resource_group(language) for language in LANGUAGES] == ["high", "low"]
    assert resource_group({"joshi_class": "unknown"}) is None


def test_the_terminal_table_has_a_line_a_run_with_english_and_low_resource():
    frames = [scored(run, values, language=code) for run, values in ((BASE, [0, 1]), (TUNED, [1, 1]))
              for code in ("eng_Latn", "swh_Latn")]  # fmt: skip
    lines = terminal_table(summary_of(*frames), LANGUAGES).splitlines()
    assert "2 cells" in lines[0]
    assert lines[3].split()[:3] == ["toy", "none", "none"] and lines[3].split()[-3:] == ["–", "50.0", "50.0"]
    assert "+50.0 [" in lines[4] and lines[4].endswith("100.0    100.0")


def test_points_have_one_decimal_and_a_real_minus():
    assert [points(0.4123), points(-0.05, True), points(0.05, True), points(-0.0001, True), points(None)] == [
        "41.2", "−5.0", "+5.0", "0.0", "–",
    ]  # fmt: skip
