import math
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import polars as pl
import pytest
from toy_scores import (
    BASE,
    LANGUAGES,
    LORA,
    LOW,
    TASKS,
    board_of,
    groups_of,
    in_both,
    language,
    scored,
    summary_of,
    together,
)

from maple.analysis.item_scores import SummaryError, item_scores
from maple.analysis.language_groups import language_groups, resource_group
from maple.analysis.leaderboard import decimals, points, terminal_table
from maple.analysis.statistics import t_quantile
from maple.analysis.summary import summarize, summarize_by_task, summarize_groups
from maple.evaluation.clusters import CLUSTER_SCHEMA


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


def test_a_graded_metric_has_an_interval_within_its_own_scores():
    one = row(summary_of(scored(BASE, [0.2, 0.5, 0.8] * 4, "xquad", metric="f1")), "none", "xquad", metric="f1")
    assert one["se"] == pytest.approx(math.sqrt(0.06 * 12 / 11 / 12))
    assert 0.2 < one["low"] < 0.5 < one["high"] < 0.8


def test_a_change_is_paired_by_item():
    # every item gains 0.1: the change has no spread, however much the items differ
    base, tuned = scored(BASE, [0.1, 0.5, 0.9]), scored(LORA, [0.2, 0.6, 1.0])
    one = row(summary_of(base, tuned.sample(fraction=1, shuffle=True, seed=1)), "lora-r2-4bit")
    assert one["change"] == pytest.approx(0.1)
    assert one["change_se"] == pytest.approx(0, abs=1e-9)
    assert one["base"] == pytest.approx(0.5)


def test_only_shared_items_are_compared():
    one = row(summary_of(scored(BASE, [0.2, 0.4]), scored(LORA, [0.4, 0.6, 0.9])), "lora-r2-4bit")
    assert one["n"] == 3 and one["base"] == pytest.approx(0.3) and one["change"] == pytest.approx(0.2)


def test_shares_are_of_answers_and_not_of_cells():
    # One of two answers in English, none of eight in Swahili: one of ten.
    wrong = scored(BASE, [1, 1]).with_columns(wrong_language=pl.Series([True, False]))
    right = scored(BASE, [1] * 8, language="swh_Latn", wrong_language=False)
    one = row(summary_of(wrong, right), "none", language="all")
    assert (one["wrong_language"], one["language_judged"], one["script_judged"]) == (0.1, 10, 0)


def test_a_cell_with_a_handful_of_common_items_counts_as_lacking():
    def view(common, items=30):
        return together(scored(BASE, [1] * items), scored(LORA, [1] * common)).cells["shared"].to_list()

    assert (view(10), view(9), view(30)) == ([True], [False], [True])
    assert (view(3, items=6), view(2, items=6)) == ([True], [False])  # of few items, half


def test_the_largest_text_of_a_cell_is_told():
    texts = pl.DataFrame([("xnli", "eng_Latn", str(item), "long") for item in range(3)], CLUSTER_SCHEMA, orient="row")
    summary = summarize(item_scores(scored(BASE, [1, 0, 1, 0]), [BASE], TASKS, texts))
    assert row(summary, "none")["largest_cluster"] == 0.75
    assert row(summary, "none", language="all")["largest_cluster"] == 0.75  # the mean of one cell


def test_a_base_has_no_change():
    one = row(summary_of(scored(BASE, [1, 0]), scored(LORA, [1, 1])), "none")
    assert [one[name] for name in ("base", "change", "change_se", "change_low", "change_high")] == [None] * 5


def test_a_change_stands_beside_the_minimum_detectable_one():
    # 0.1 and 0.3 by turns: standard error 0.1 * sqrt(10 / 9 / 10)
    base, tuned = scored(BASE, [0.2] * 10), scored(LORA, [0.3, 0.5] * 5)
    one = row(summary_of(base, tuned), "lora-r2-4bit")
    assert one["mde"] == pytest.approx(float(t_quantile(0.05, 9) + t_quantile(0.4, 9)) / 30)
    assert one["change"] > one["mde"]


def test_answers_that_all_stay_right_do_not_prove_that_nothing_changed():
    one = row(summary_of(scored(BASE, [1] * 10), scored(LORA, [1] * 10)), "lora-r2-4bit")
    assert one["change"] == 0 and one["change_low"] < -0.1 and one["change_high"] > 0.1


def test_one_item_has_no_standard_error():
    one = row(summary_of(scored(BASE, [1]), scored(LORA, [0])), "lora-r2-4bit")
    assert one["change"] == -1.0 and one["se"] is None and one["change_low"] is None


def test_translations_of_one_item_are_one_cluster():
    # the same four items in two languages, scored alike, tell no more than in one language
    frames = [scored(run, values, language=code) for run, values in ((BASE, [0, 0, 1, 1]), (LORA, [0, 1, 1, 1]))
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
        scored(BASE, [1, 1]), scored(LORA, [0, 0]),
        scored(BASE, [0.5, 0.5], "xquad", metric="f1"), scored(LORA, [0.7, 0.7], "xquad", metric="f1"),
        scored(BASE, [1, 1], "xquad", metric="exact_match"), scored(LORA, [1, 1], "xquad", metric="exact_match"),
        scored(LORA, [1, 1], language="swh_Latn"),
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


def test_an_answer_chosen_among_labels_is_neither_empty_nor_cut():
    chosen = {"thinking": None, "unfinished_thinking": None, "completion_tokens": 0}
    frames = [scored(BASE, [1], finish_reason="classify", **chosen)]
    frames.append(scored(BASE, [0], parsed=False, prediction="", finish_reason="too_long", **chosen))
    frames[1] = frames[1].with_columns(item=pl.lit("long"))
    one = row(summary_of(*frames), "none")
    assert (one["unparsed"], one["too_long"]) == (0.5, 0.5)
    assert {name: one[name] for name in ("empty", "truncated", "wrong_language", "thinking")} == dict.fromkeys(
        ("empty", "truncated", "wrong_language", "thinking")
    )


def test_the_length_of_thinking_is_a_mean_over_the_answers_that_have_some():
    thought = scored(BASE, [0, 1], thinking=True, unfinished_thinking=True, thinking_tokens=30)
    short = scored(BASE, [1, 1]).with_columns(item=pl.col("item") + "b")
    ranked = scored(BASE, [1], "xquad", metric="f1", thinking=None, unfinished_thinking=None)
    summary = summary_of(thought, short, ranked)
    one, other = row(summary, "none"), row(summary, "none", "xquad", metric="f1")
    assert (one["thinking"], one["unfinished_thinking"], one["thinking_tokens"]) == (0.5, 0.5, 30)
    assert (other["thinking"], other["unfinished_thinking"], other["thinking_tokens"]) == (None, None, None)


def test_a_wider_confidence_is_a_wider_interval():
    frames = scored(BASE, [0, 1, 1, 0]), scored(LORA, [1, 1, 1, 0])
    narrow, wide = (row(summary_of(*frames, confidence=level), "lora-r2-4bit") for level in (0.5, 0.99))
    assert wide["change_low"] < narrow["change_low"] < narrow["change"] < narrow["change_high"] < wide["change_high"]


def test_runs_without_a_common_cell_have_no_macro_score():
    summary = summary_of(scored(BASE, [1, 0]), scored(LORA, [1, 0], "xquad", metric="f1"))
    assert summary.filter(task="all").is_empty()
    frames = scored(BASE, [1, 0]), scored(LORA, [1, 0], "xquad", metric="f1")
    assert "cannot be compared" in terminal_table(board_of(*frames))


def test_scores_of_no_run_and_of_no_task_are_refused():
    with pytest.raises(SummaryError, match="no score belongs to a run"):
        together(scored(BASE, [1]), runs=[LORA])
    with pytest.raises(SummaryError, match="task \\['xcopa'\\], which is not among xnli, xquad"):
        summary_of(scored(BASE, [1], "xcopa"))
    with pytest.raises(SummaryError, match="scores of task xquad in tha_Thai, in which this study does not ask it"):
        summary_of(scored(BASE, [1]), scored(BASE, [1], "xquad", "tha_Thai", metric="f1"))


def test_an_item_that_stands_twice_is_refused():
    with pytest.raises(
        SummaryError, match="toy/none/none/seed0: accuracy of item '0' of xnli in eng_Latn is there twice"
    ):
        together(scored(BASE, [1]), scored(BASE, [0]))


def test_a_mean_over_differing_languages_is_refused():
    scores = together(in_both(BASE, [1, 0]), scored(LORA, [1, 0]))
    with pytest.raises(SummaryError, match="xnli in swh_Latn: toy/little/lora-r2-4bit/seed1 has none"):
        scores.average_shared_items([0, 1], [0.5, 0.5])


def test_runs_without_an_item_in_common_are_not_averaged():
    one, other = scored(BASE, [1, 0]), scored(LORA, [1, 0]).with_columns(item=pl.col("item") + "b")
    summary = summary_of(one, other)
    assert summary.filter(language="all").is_empty() and row(summary, "lora-r2-4bit")["change"] is None
    with pytest.raises(SummaryError, match="xnli in eng_Latn: too few items have one in every run"):
        together(one, other).average_shared_items([0], [1.0])


def group_row(groups, kind, group, **run):
    found = groups.filter(kind=kind, group=group, **({"method": "lora-r2-4bit"} | run))
    assert found.height == 1
    return found.row(0, named=True)


def test_a_group_of_one_cell_is_that_cell():
    frames = scored(BASE, [0, 0, 1]), scored(LORA, [0, 1, 1])
    one, group = row(summary_of(*frames), "lora-r2-4bit"), group_row(groups_of(*frames), "language", "eng_Latn")
    assert group["cells"] == 1
    for name in ("n", "mean", "se", "low", "high", "base", "change", "change_low", "change_high", "mde"):
        assert group[name] == one[name], name


def test_a_group_of_all_languages_is_the_mean_of_all():
    frames = in_both(BASE, [0, 0, 1, 0]), in_both(LORA, [0, 1, 1, 1])
    one = row(summary_of(*frames), "lora-r2-4bit", language="all")
    group = group_row(groups_of(*frames), "script", "Latn")
    for name in ("cells", "n", "mean", "se", "low", "high", "base", "change", "change_se", "change_low", "change_high"):
        assert group[name] == one[name], name


def test_a_group_in_a_task_is_averaged_over_that_task_alone():
    frames = [*(in_both(run, values) for run, values in ((BASE, [0, 0, 1, 0]), (LORA, [0, 1, 1, 1])))]
    alone = summarize_groups(scores := together(*frames), grouped := language_groups(LANGUAGES, LOW, {}))
    other = [scored(run, [0.5], "xquad", metric="f1") for run in (BASE, LORA)]
    by_task = summarize_by_task(together(*frames, *other), grouped)
    assert set(by_task["task"]) == {"xnli", "xquad"} and "language" not in set(by_task["kind"])
    xnli = by_task.filter(task="xnli").drop("task")
    assert xnli.filter(kind="script").equals(alone.filter(kind="script"))
    assert summarize_by_task(scores, grouped).drop("task").equals(alone.filter(pl.col("kind") != "language"))


def test_translations_are_one_item_in_a_group_too():
    # scored alike in two languages, the items tell no more than in one
    groups = groups_of(in_both(BASE, [0, 0.2, 0.4]), in_both(LORA, [0.1, 0.9, 0.5]))
    one, both = group_row(groups, "language", "swh_Latn"), group_row(groups, "script", "Latn")
    assert both["change_se"] == pytest.approx(one["change_se"]) and both["cells"] == 2


def test_languages_are_grouped_by_class_script_family_and_what_was_finetuned_on():
    groups = groups_of(in_both(BASE, [0, 1]), in_both(LORA, [1, 1]), finetuned_in={"little": ["eng_Latn"]})
    found = {(row["kind"], row["group"]) for row in groups.filter(method="lora-r2-4bit").iter_rows(named=True)}
    assert found == {
        ("language", "eng_Latn"), ("language", "swh_Latn"), ("resource", "high"), ("resource", "low"), ("class", "5"),
        ("class", "2"), ("script", "Latn"), ("family", "Indo-European"), ("family", "Atlantic-Congo"), ("seen", "seen"),
        ("seen", "unseen"),
    }  # fmt: skip
    assert groups.filter(kind="seen", method="none").is_empty()  # a base was finetuned on nothing


def test_the_changes_of_a_kind_of_group_are_one_family():
    groups = groups_of(in_both(BASE, [0, 0, 0, 0.1]), in_both(LORA, [0.5, 0.4, 0.5, 0.4]))
    english = group_row(groups, "language", "eng_Latn")
    assert english["p_holm"] == pytest.approx(2 * english["p"])
    script = group_row(groups, "script", "Latn")
    assert script["p_holm"] == pytest.approx(script["p"])


def test_runs_that_differ_only_in_their_seed_are_one_seed_group():
    runs = [BASE, LORA, replace(LORA, seed=2), replace(LORA, method="lora-r4-4bit", axes={"rank": 4, "bits": 4})]
    scores = together(*(scored(run, [1, 0]) for run in runs), runs=runs)
    assert scores.seed_groups.tolist() == [-1, 1, 1, 3] and scores.bases.tolist() == [-1, 0, 0, 0]


def test_seeds_are_averaged_in_a_row_of_their_own_that_knows_how_they_vary():
    # every item gains 0.2 with one seed and 0.4 with the other: nothing varies but the seed
    other = replace(LORA, seed=2)
    base = [0.1, 0.3, 0.5]
    frames = scored(BASE, base), scored(LORA, [x + 0.2 for x in base]), scored(other, [x + 0.4 for x in base])
    groups = groups_of(*frames, runs=[BASE, LORA, other])
    assert groups.filter(kind="language", seed=1)["change_se"].item() == pytest.approx(0, abs=1e-6)
    mean = groups.filter(pl.col("seed").is_null(), kind="language").row(0, named=True)
    assert (mean["method"], mean["seeds"], mean["n"]) == ("lora-r2-4bit", 2, 6)
    assert mean["change"] == pytest.approx(0.3)
    assert mean["change_se"] == pytest.approx(0.1)  # spread 0.14 of two seeds
    assert mean["change_high"] == pytest.approx(0.3 + 12.706 * 0.1, abs=1e-3)


def test_the_summary_s_intervals_cover_ninety_five_in_a_hundred():
    # ten thousand models, right on 60 items in a hundred, finetuned on 65; items are as hard in both languages
    simulations, items = 10_000, 200
    toy = together(*(scored(BASE, [0] * items, language=language.code) for language in LANGUAGES[:2]))
    rng = np.random.default_rng(1)
    hardness = rng.normal(size=(items, 2 * simulations))[toy.items.cluster - 1]
    bound = math.sqrt(2) * np.repeat([NormalDist().inv_cdf(share) for share in (0.6, 0.65)], simulations)
    scores = replace(
        toy,
        runs=[replace(run, model=str(number)) for run in (BASE, LORA) for number in range(simulations)],
        values=(hardness + rng.normal(size=hardness.shape) < bound).astype(float),
        shares=toy.shares.drop("run").join(pl.DataFrame({"run": range(2 * simulations)}), how="cross"),
    )
    summary = summarize(scores).filter(task="xnli", method="lora-r2-4bit")
    for (code,), rows in summary.group_by("language"):
        means = rows.select(pl.lit(0.65).is_between("low", "high")).to_series().mean()
        changes = rows.select(pl.lit(0.05).is_between("change_low", "change_high")).to_series().mean()
        assert 0.94 < means < 0.96 and 0.94 < changes < 0.96, (code, means, changes)


def test_swahili_is_low_resource_and_an_unlisted_language_is_neither():
    assert [resource_group(one, LOW) for one in LANGUAGES] == ["high", "low", None]
    assert resource_group(language("deu_Latn", "3"), (0, 1, 2, 3)) == "low"


def test_the_terminal_table_has_a_line_a_setting_with_english_and_low_resource():
    frames = in_both(BASE, [0, 1]), in_both(LORA, [1, 1])
    lines = terminal_table(board_of(*frames)).splitlines()
    assert "2 cells" in lines[0]
    assert lines[4].split()[:5] == ["toy", "none", "none", "–", "–"] and lines[4].split()[-3:] == ["–", "50.0", "50.0"]
    assert lines[5].split()[4] == "1" and "+50.0 [" in lines[5] and lines[5].endswith("100.0    100.0")


def on_texts(**texts):
    """The text of each item of XNLI, a letter an item, in each language."""
    rows = [("xnli", code, str(item), text) for code, found in texts.items() for item, text in enumerate(found)]
    return pl.DataFrame(rows, CLUSTER_SCHEMA, orient="row")


def clustered(clusters):
    return item_scores(in_both(BASE, [1, 0, 1, 0]), [BASE], TASKS, clusters).items.cluster.tolist()


def test_items_on_one_text_are_one_cluster_in_every_language():
    assert clustered(None) == clustered(on_texts()) == [1, 2, 3, 4] * 2
    assert clustered(on_texts(eng_Latn="aabb", swh_Latn="ccdd")) == [1, 1, 3, 3] * 2
    # a text of one language is enough, and where texts are cut differently the longest counts
    assert clustered(on_texts(eng_Latn="aabc")) == [1, 1, 3, 4] * 2
    assert clustered(on_texts(eng_Latn="aabb", swh_Latn="abbc")) == [1, 1, 1, 1] * 2


def test_two_questions_on_each_passage_are_less_sure_than_four_alone():
    scores = in_both(BASE, [1, 1, 0, 0]), [BASE], TASKS
    alone = row(summarize(item_scores(*scores)), "none")
    pairs = row(summarize(item_scores(*scores, on_texts(eng_Latn="aabb"))), "none")
    assert (pairs["mean"], pairs["n"]) == (alone["mean"], alone["n"]) == (0.5, 4)
    assert alone["se"] == pytest.approx(math.sqrt(0.25 / 3)) and pairs["se"] == pytest.approx(0.5)
    assert pairs["low"] < alone["low"] and pairs["high"] > alone["high"]


def test_points_have_one_decimal_and_a_real_minus():
    assert [points(0.4123), points(-0.05, True), points(0.05, True), points(-0.0001, True), points(None)] == [
        "41.2", "−5.0", "+5.0", "0.0", "–",
    ]  # fmt: skip


def test_a_number_is_rounded_once_and_half_away_from_zero():
    # By way of 12.45 the first would be 12.5; as floats the second is 12.249999999999998.
    assert [points(0.12449), points(0.1225 - 2e-17), points(-0.1225)] == ["12.4", "12.3", "−12.3"]
    assert [decimals(-0.6149, 2, signed=True), decimals(0.004, 2, signed=True)] == ["−0.61", "0.00"]


def test_a_correlation_may_be_below_zero_and_its_interval_too():
    one = row(summary_of(scored(BASE, [-0.9, -1.3, 0.4, 0.2] * 5, metric="mcc")), "none", metric="mcc")
    assert one["mean"] == pytest.approx(-0.4) and -1 <= one["low"] < one["mean"] < one["high"]
    short = row(summary_of(scored(BASE, [-3.0, -0.6, 1.2], metric="mcc")), "none", metric="mcc")
    assert short["low"] == -1  # at the end of the range


def test_an_error_may_be_above_one_and_an_interval_ends_at_the_range_of_the_metric():
    losses = row(summary_of(scored(BASE, [2.5, 3.5, 0.1], metric="nll")), "none", metric="nll")
    assert losses["high"] > losses["mean"] > 2 and losses["low"] >= 0


def test_guessing_is_known_for_the_headline_and_not_for_a_metric_on_another_scale():
    frames = [scored(BASE, [1, 0, 1, 0], metric=name) for name in ("accuracy", "rank_accuracy", "macro_f1", "mcc")]
    chances = {row["metric"]: row["chance"] for row in summary_of(*frames).filter(task="xnli").iter_rows(named=True)}
    assert chances == {"accuracy": 0.3333, "rank_accuracy": 0.3333, "macro_f1": None, "mcc": None}


def test_two_runs_with_the_same_answers_have_no_interval_of_their_change_in_macro_f1():
    values = [0.9, 1.1, 0.4, 0.8]
    same = row(
        summary_of(scored(BASE, values, metric="macro_f1"), scored(LORA, values, metric="macro_f1")),
        LORA.method, metric="macro_f1",
    )  # fmt: skip
    assert (same["change"], same["change_low"], same["mde"]) == (0, None, None)


def test_a_mean_over_tasks_lies_in_the_mean_of_their_ranges():
    tasks = TASKS | {"xnli": replace_headline(TASKS["xnli"], "mcc")}
    frames = [scored(BASE, [-1.0, -1.0, -1.0, -0.2], metric="mcc"), scored(BASE, [0, 0, 0, 0.4], "xquad", metric="f1")]
    of_both = item_scores(pl.concat(frames), [BASE], tasks)
    assert of_both.bounds([0, 1]) == (-0.5, 1.0)
    assert row(summarize(of_both), "none", "all", "all", "headline")["low"] == -0.5


def replace_headline(task, metric):
    return task.changed(metrics=[metric], headline=metric)
