"""Questions of every shape on toys: a difference of ten points, a margin of one, three methods in a known order."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2, levene
from statsmodels.stats.weightstats import ttost_paired
from toy_questions import CELLS, LANGUAGES, QUESTIONS, SETTINGS, base, of, scores_of, tuned

from maple.analysis.costs import run_costs
from maple.analysis.item_scores import ItemScores
from maple.analysis.questions.answer import answer_questions
from maple.analysis.questions.records import CONTRADICTED, NOT_ASKED, SUPPORTED, UNDETERMINED, StudyAnswers
from maple.definitions.question import questions_of

WORDS = {"asks": "Is it so?", "unit": "points"}
FULL = {"method": "full"}


def question(**keys):
    return questions_of({"asked": WORDS | keys})


def answer(runs, score, /, *, scored=CELLS, costs=None, items=12, **keys):
    """The answer to one question on toy scores, as it is read from questions.json."""
    scores = runs if isinstance(runs, ItemScores) else scores_of(runs, scored, score, items)
    answers = answer_questions(scores, LANGUAGES, SETTINGS, question(**keys), costs or {})
    read = StudyAnswers(**answers.content())
    assert read.questions == [type(answers.questions[0])(**answers.content()["questions"][0])]
    return read.questions[0]


def worth(**points):
    """A run scores fifty points, and those that its method is worth."""
    return lambda run, language, task: 0.5 + points.get(run.family, 0) / 100


THREE = [of("full"), of("lora"), of("ia3")]


def test_a_change_against_another_method_is_the_difference_from_its_runs():
    found = answer(THREE, worth(full=3, lora=2, ia3=-7), shape="change", baseline=FULL, by=["method"])
    assert {part.method: part.effect for part in found.parts} == {"lora": pytest.approx(-1), "ia3": pytest.approx(-10)}
    assert found.effect == pytest.approx(-5.5) and found.verdict == CONTRADICTED
    assert found.runs == ["toy/made/full/seed1", "toy/made/lora/seed1", "toy/made/ia3/seed1"]


def test_of_several_variants_the_baseline_has_the_values_of_the_run():
    runs = [of("full", bits=4), of("full", bits=16), of("lora", bits=4), of("lora", bits=16)]

    def score(run, language, task):
        return 0.5 + (run.family == "lora") * 0.01 + run.axis("bits") / 100

    found = answer(runs, score, shape="change", baseline=FULL)
    assert [line.effect for line in found.lines] == pytest.approx([1, 1])
    named = answer(runs, score, shape="change", baseline=FULL | {"axes": {"bits": 16}})
    assert [line.effect for line in named.lines] == pytest.approx([-11, 1])


def test_a_baseline_of_several_variants_that_fit_equally_must_be_named():
    runs = [of("full", bits=4), of("full", bits=16), of("prompt")]
    found = answer(runs, worth(), shape="change", baseline=FULL)
    assert found.verdict == NOT_ASKED and "write values of its axes" in found.missing


def test_a_study_without_untouched_bases_says_which_baseline_to_write():
    found = answer(THREE, worth(), shape="change", baseline="untouched")
    assert found.verdict == NOT_ASKED and "baseline: {method: full}" in found.missing


def test_a_slope_over_rows_joins_the_sizes_of_one_dataset():
    runs = [replace(of("full", dataset=f"sent-{rows}rows", rows=rows)) for rows in (100, 200, 400)]
    found = answer(runs, lambda run, *_: 0.5 + 0.02 * math.log2(run.axis("rows") / 100), shape="slope", axis="rows")
    assert found.effect == pytest.approx(2) and found.parts[0].dataset == "sent"


def test_a_slope_per_unit_is_over_the_axis_itself():
    runs = [tuned(rank) for rank in (2, 4, 8)]
    found = answer(runs, lambda run, *_: 0.5 + run.axis("rank") / 100, shape="slope", axis="rank", per="unit")
    assert found.effect == pytest.approx(1)


def test_two_groups_of_models_are_compared_on_the_same_dataset():
    gains = {"mono": 10, "other": 20, "multi": 5}
    runs = [of("full", model=model, dataset=dataset) for model in gains for dataset in ("a", "b")]
    found = answer(
        [*runs, of("full", model="multi", dataset="c")],  # which no model of the other group has
        lambda run, *_: 0.4 + gains[run.model] / 100,
        shape="difference", first={"models": ["mono", "other"]}, second={"models": ["multi"]},
    )  # fmt: skip
    assert found.effect == pytest.approx(10) and found.verdict == SUPPORTED
    assert [part.dataset for part in found.parts] == ["a", "b"]


def test_groups_without_a_setting_in_common_are_not_compared():
    runs = [of("full", model="mono", dataset="a"), of("full", model="multi", dataset="b")]
    found = answer(runs, worth(), shape="difference", first={"models": ["mono"]}, second={"models": ["multi"]})
    assert found.verdict == NOT_ASKED and "same dataset and method" in found.missing


MARGINS = [(-0.2, SUPPORTED, SUPPORTED), (-9, CONTRADICTED, CONTRADICTED), (9, SUPPORTED, CONTRADICTED)]


@pytest.mark.parametrize(("points", "not_worse", "equivalent"), MARGINS)
def test_a_margin_is_kept_from_below_and_equivalence_from_both_sides(points, not_worse, equivalent):
    runs = [of("full"), of("lora")]
    for test, verdict in (("non-inferiority", not_worse), ("equivalence", equivalent)):
        found = answer(runs, worth(lora=points), items=200, shape="margin", baseline=FULL, margin=1, test=test)
        assert found.verdict == found.parts[0].verdict == verdict, test
        assert found.effect == pytest.approx(points) and found.mde is None


def test_a_margin_as_wide_as_the_noise_is_undetermined():
    found = answer([of("full"), of("lora")], worth(lora=-0.5), shape="margin", baseline=FULL, margin=1, items=6)
    assert found.verdict == UNDETERMINED and "contains a bound" in found.because


@pytest.mark.parametrize("test", ["non-inferiority", "equivalence"])
def test_on_one_cell_without_clusters_a_margin_is_statsmodels_two_one_sided_tests(test):
    runs = [of("full"), of("lora")]
    toy = scores_of(runs, [("xquad", "deu_Latn")], worth(), items=40)
    rng = np.random.default_rng(3)
    values = rng.random((40, 1)) / 2 + rng.normal(0, 0.02, (40, 2))
    found = answer(replace(toy, values=values), None, shape="margin", baseline=FULL, margin=1, test=test)
    p, lower, upper = ttost_paired(values[:, 1], values[:, 0], -0.01, 0.01)
    expected = p if test == "equivalence" else lower[1]
    assert found.p == pytest.approx(expected, abs=1e-9) and 0 < found.p < 1
    assert found.margin.confidence == 0.9  # 1 - 2 * 0.05
    if test == "equivalence":  # the interval excludes a bound exactly if the test against it rejects
        assert (found.low > -1) == (lower[1] < 0.05) and (found.high < 1) == (upper[1] < 0.05)


def test_methods_that_are_told_apart_have_one_rank_each_and_the_others_share_theirs():
    runs = [*THREE, of("bitfit")]
    found = answer(runs, worth(full=20, lora=10.1, ia3=10, bitfit=-20), shape="ranking", of="method")
    ranks = [(rank.name, rank.low, rank.high) for rank in found.ranks]
    assert ranks == [("full", 1, 1), ("lora", 2, 3), ("ia3", 2, 3), ("bitfit", 4, 4)]
    assert (found.pairs, found.told_apart, found.verdict) == (6, 5, SUPPORTED)
    assert found.ranks[0].score == pytest.approx(70)


def test_a_ranking_is_over_the_settings_that_all_have():
    runs = [*THREE, of("full", dataset="more"), of("lora", dataset="more")]

    def score(run, language, task):  # where ia3 is missing, lora is far better
        return worth(full=2, lora=1)(run, language, task) + (run.dataset == "more" and run.family == "lora") * 0.4

    found = answer(runs, score, shape="ranking", of="method")
    assert found.ranks[0].name == "full" and found.runs == [run.path for run in THREE]


def test_one_method_is_not_ranked():
    found = answer([of("full")], worth(), shape="ranking", of="method")
    assert found.verdict == NOT_ASKED and "one method alone" in found.missing


SEEDS = (1, 2, 3, 4)


def moved_by_seed(**points):
    """The first seeds of a method lie so far apart; the toy's items add nothing to a mean."""
    return lambda run, language, task: 0.5 + points.get(run.family, 0) * (run.seed - 2.5) / 100


def test_a_spread_is_the_standard_deviation_between_seeds_with_its_interval():
    runs = [of(method, seed) for method in ("full", "lora") for seed in SEEDS]
    found = answer(runs, moved_by_seed(full=1, lora=3), shape="spread", of="method", baseline=FULL)
    full, lora = found.spreads
    sd = np.std([-1.5, -0.5, 0.5, 1.5], ddof=1)
    assert (full.sd, full.df) == (pytest.approx(sd), 3) and lora.ratio == pytest.approx(3)
    low, high = sd * np.sqrt(3 / chi2.ppf([0.975, 0.025], 3))
    assert (full.low, full.high) == pytest.approx((low, high))
    scores = [points * np.array([-1.5, -0.5, 0.5, 1.5]) for points in (1, 3)]
    assert lora.p == pytest.approx(levene(*scores, center="median").pvalue) and full.p is None


def test_spreads_that_differ_tenfold_over_many_seeds_are_told_apart():
    runs = [of(method, seed) for method in ("full", "lora") for seed in range(1, 13)]
    found = answer(runs, moved_by_seed(full=0.1, lora=1), shape="spread", baseline=FULL)
    assert found.verdict == SUPPORTED and "lora differs" in found.because


def test_two_seeds_are_too_few_for_a_spread():
    found = answer([of("full", seed) for seed in (1, 2)], worth(), shape="spread")
    assert found.verdict == NOT_ASKED and "3 seeds" in found.missing


def cards(runs, cost, **more):
    return run_costs(
        {"stage": "finetune", "run": run.key.params(), "seconds": cost(run), "hardware": {}, **more} for run in runs
    )


COST = {"shape": "cost", "baseline": FULL, "margin": 1, "cost": "job_seconds"}


def test_half_the_time_at_an_equal_score_is_a_ratio_of_one_half():
    runs = [of(method, seed) for method in ("full", "lora") for seed in (1, 2, 3)]
    costs = cards(runs, lambda run: (200 if run.family == "full" else 100) * (1 + run.seed / 100))
    found = answer(runs, worth(lora=0.1), costs=costs, items=200, **COST)
    (lora,) = found.methods
    assert found.ratio == lora.ratio == pytest.approx(0.5) and lora.low < 0.5 < lora.high < 1
    assert lora.within_margin and lora.verdict == found.verdict == SUPPORTED and found.cost == "job_seconds"


def test_a_ratio_is_the_geometric_mean_over_models():
    runs = [of(method, seed, model) for method in ("full", "lora") for model in ("a", "b") for seed in (1, 2)]
    seconds = {("full", "a"): 100, ("full", "b"): 100, ("lora", "a"): 25, ("lora", "b"): 100}
    found = answer(runs, worth(), costs=cards(runs, lambda run: seconds[run.family, run.model]), **COST)
    assert found.ratio == pytest.approx(0.5)  # of a quarter and one


def test_a_cost_says_nothing_where_the_score_is_worse():
    runs = [of(method, seed) for method in ("full", "lora") for seed in (1, 2, 3)]
    costs = cards(runs, lambda run: (200 if run.family == "full" else 100) + run.seed)
    found = answer(runs, worth(lora=-20), costs=costs, **COST)
    assert not found.within_margin and found.verdict == UNDETERMINED and "says nothing" in found.because
    dearer = answer(runs, worth(lora=-20), costs=cards(runs, lambda run: 900 - 700 * (run.family == "full")), **COST)
    assert dearer.verdict == CONTRADICTED


def test_seconds_of_steps_are_taken_where_a_card_says_them_and_else_those_of_the_job():
    runs = [of("full"), of("lora")]
    costs = cards(runs, lambda run: 100, step_seconds=10)
    keys = COST | {"cost": "step_seconds"}
    assert answer(runs, worth(), costs=costs, **keys).cost == "step_seconds"
    assert answer(runs, worth(), costs=cards(runs, lambda run: 100), **keys).cost == "job_seconds"


def test_a_measured_cost_of_one_seed_has_no_interval_and_a_counted_one_needs_none():
    runs = [of("full"), of("lora")]
    costs = cards(runs, lambda run: 100, trainable_parameters=50)
    measured = answer(runs, worth(), costs=costs, **COST)
    assert measured.low is None and measured.verdict == UNDETERMINED and "one seed" in measured.because
    counted = answer(runs, worth(), costs=costs, **COST | {"cost": "trainable_parameters"})
    assert counted.low == counted.ratio == counted.high == pytest.approx(1)


def test_a_cost_that_no_card_says_is_not_asked():
    found = answer([of("full"), of("lora")], worth(), costs={}, **COST)
    assert found.verdict == NOT_ASKED and "job_seconds" in found.missing


def test_a_selection_of_runs_leaves_out_the_others():
    runs = [base(), tuned(2), tuned(8), tuned(2, model="other"), base("other")]
    found = answer(runs, worth(), shape="change", baseline="untouched", runs={"models": ["other"]})
    assert found.runs == ["other/made/lora-r2-4bit/seed1", "other/none/none/seed0"]


def test_a_selection_of_cells_leaves_out_other_tasks():
    cells = [*CELLS, ("xquad", "eng_Latn")]
    keys = {"shape": "change", "baseline": "untouched", "cells": {"tasks": ["xquad"]}}
    assert answer([base(), tuned()], worth(), scored=cells, **keys).cells == {"xquad": ["eng_Latn"]}


def test_margins_are_corrected_in_the_family_of_the_other_answers():
    runs = [base(), of("full"), of("lora"), of("ia3")]
    asked = {**QUESTIONS, **question(shape="margin", baseline=FULL, margin=1)}
    answers = answer_questions(scores_of(runs, CELLS, worth(lora=-0.1)), LANGUAGES, SETTINGS, asked, {})
    margin = answers.answer("asked")
    assert answers.family.size == 2 + 2 + 3  # english and exchange with a part each; the margin with two
    assert margin.p_holm > margin.p and margin.p_holm <= answers.family.size * margin.p
