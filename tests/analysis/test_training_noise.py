import itertools
from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from toy_questions import base, tuned

from benchmarks.seed_coverage import (
    GRIDS,
    LANGUAGES,
    SETTINGS,
    Grid,
    Noise,
    asked_questions,
    drawn_values,
    scores_of,
    tally,
)
from maple.analysis.questions.answer import answer_questions
from maple.analysis.training_noise import ITEMS, SEEDS, TRAININGS, Trainings, noise_of

SQUARE = [(rank, bits) for rank in (4, 16) for bits in (4, 16)]


def noise(runs, value, weights, covariance=None):
    """The noise of one contrast; without a covariance, items make no difference."""
    covariance = np.zeros((len(runs), len(runs))) if covariance is None else covariance
    return noise_of(Trainings.of(runs), np.array(value, float), covariance, np.array(weights, float)[:, None])


def test_three_seeds_of_one_setting_have_the_variance_of_their_mean():
    found = noise([tuned(seed=seed) for seed in (1, 2, 3)], [1, 2, 6], [1 / 3] * 3)
    assert found.variance == pytest.approx([7 / 3])  # the variance of 1, 2, 6 is 7
    assert found.uncertainty == pytest.approx([(7 / 3) ** 2 / 2])  # two degrees of freedom
    assert found.scope.tolist() == [SEEDS]


def test_what_all_variants_of_a_seed_share_moves_their_mean_and_no_slope():
    runs = [tuned(rank, seed=seed) for seed in (1, 2, 3) for rank in (4, 8, 16)]
    lucky = np.repeat([-1.0, 0, 1], 3)
    mean, slope = noise(runs, lucky, np.full(9, 1 / 9)), noise(runs, lucky, np.tile([-1, 0, 1], 3) / 6)
    assert mean.variance == pytest.approx([1 / 3]) and slope.variance == pytest.approx([0])
    assert mean.scope.tolist() == slope.scope.tolist() == [SEEDS]


def test_what_a_training_has_of_its_own_moves_a_slope_by_its_squared_weights():
    runs = [tuned(rank, seed=seed) for seed in (1, 2) for rank in (4, 8, 16)]
    own = [1, -1, 0, -1, 1, 0]  # beside settings and draws all of it is left: 4 in two degrees of freedom
    found = noise(runs, own, np.array([-1, 0, 1] * 2) / 4)
    assert found.variance == pytest.approx([4 / 2 * 4 / 16])


def test_the_interaction_of_rank_and_bits_is_noise_where_there_is_one_seed():
    runs = [tuned(rank, bits, dataset=name) for name in ("a", "b") for rank, bits in SQUARE]
    # Rank is worth 5, bits 3; on a the corners of the square stand out by 1, so that its interaction is 1 + 1 - 0 - 0.
    value = [0 + 1, 3, 5, 8 + 1, *(0, 3, 5, 8)]
    slope = np.tile([-1, -1, 1, 1], 2) / 8  # two ranks in four curves
    found = noise(runs, value, slope)
    assert found.variance == pytest.approx([2**2 / 4 / 2 * 8 / 64])  # a square's mean square, of two, times the weights
    assert found.scope.tolist() == [TRAININGS]
    assert noise(runs, value, np.full(8, 1 / 8)).scope.tolist() == [ITEMS]
    assert noise(runs, value, np.full(8, 1 / 8)).variance.tolist() == [0]


def test_what_items_cause_is_counted_once():
    runs = [tuned(seed=seed) for seed in (1, 2, 3)]
    found = noise(runs, [1, 2, 6], [1 / 3] * 3, covariance=4 * np.eye(3))
    assert found.variance == pytest.approx([(7 - 4) / 3])
    assert noise(runs, [1, 2, 6], [1 / 3] * 3, covariance=9 * np.eye(3)).variance.tolist() == [0]
    # What the items do to all seeds alike is no difference between seeds.
    shared = noise(runs, [1, 2, 6], [1 / 3] * 3, covariance=np.full((3, 3), 50.0))
    assert shared.variance == pytest.approx([7 / 3])


def test_a_slope_that_seeds_tilt_has_the_variance_between_its_seeds():
    # The ranks stand in a line whose slope is -1, 0 and 1 in the three seeds.
    runs = [tuned(rank, seed=seed) for seed in (1, 2, 3) for rank in (2, 4, 8, 16, 32)]
    places = np.array([-2.0, -1, 0, 1, 2])
    found = noise(runs, np.outer([-1, 0, 1], places).ravel(), np.tile(places, 3) / 10 / 3)
    assert found.variance == pytest.approx([1 / 3])


def test_anchors_tell_all_contrasts_of_the_grid_what_seeds_do():
    grid = [tuned(rank, bits, dataset=name) for name in ("a", "b") for rank, bits in SQUARE]
    anchors = [tuned(4, 4, dataset=name, seed=seed) for name in ("a", "b") for seed in (2, 3)]
    value = np.array([*[0, 3, 5, 8] * 2, 2, -2, 1, -1], dtype=float)
    weights = np.zeros(12)
    weights[:8] = 1 / 8  # the mean of all runs of the first seed, without interaction: their luck is all shared
    found = noise([*grid, *anchors], value, weights)
    between = (8 + 2) / 4  # 0, 2, -2 and 0, 1, -1
    assert found.variance == pytest.approx([between * (0.5**2 + 0.5**2)])
    assert found.scope.tolist() == [SEEDS]
    assert noise(grid, value[:8], weights[:8]).scope.tolist() == [ITEMS]


def test_two_seeds_of_one_setting_are_too_few_for_a_verdict_about_the_method():
    found = noise([tuned(seed=seed) for seed in (1, 2)], [0, 2], [1 / 2] * 2)
    assert found.variance == pytest.approx([1]) and found.scope.tolist() == [ITEMS]


def test_untouched_models_have_no_seed():
    runs = [base("one"), base("two"), tuned(model="one"), tuned(model="two")]
    assert noise(runs, [1, 2, 3, 4], [1, -1, 0, 0]).scope.tolist() == [SEEDS]
    assert noise(runs, [1, 2, 3, 4], [0, 0, 1, -1]).scope.tolist() == [ITEMS]


def test_seeds_of_models_and_datasets_are_different_draws():
    runs = [tuned(seed=seed, dataset=name) for name in ("a", "b") for seed in (1, 2, 3)]
    found = noise(runs, [0, 1, 2, 2, 1, 0], [1 / 6] * 6)  # their means over both datasets are equal
    assert found.variance == pytest.approx([2 * (1 / 2) ** 2 * 1 / 3])


def test_the_variance_of_a_mean_is_that_of_statsmodels_mixed_model():
    runs = [tuned(rank, seed=seed) for seed in range(1, 7) for rank in (4, 8, 16, 32)]
    rng = np.random.default_rng(6)
    value = np.repeat(2 * rng.normal(size=6), 4) + rng.normal(size=24) + np.tile([0, 3, 4, 9], 6)
    variants, seeds = np.tile(np.eye(4), (6, 1)), np.repeat(np.arange(6), 4)
    fit = sm.MixedLM(value, variants, groups=seeds).fit(reml=True)
    for weights in (np.full(4, 1 / 4), np.array([-1, 0, 0, 1]), np.array([1, 0, 0, 0])):
        found = noise(runs, value, np.tile(weights, 6) / 6)
        between = np.var(value.reshape(6, 4) @ weights, ddof=1) / 6
        theirs = weights @ fit.cov_params()[:4, :4] @ weights
        assert found.variance == pytest.approx([max(theirs, between)], rel=1e-3)


@pytest.mark.parametrize("order", list(itertools.permutations((1, 2, 3)))[1:], ids=str)
def test_with_three_seeds_there_is_one_answer_whichever_of_them_comes_first(order):
    grid = Grid(models=2, datasets=2, ranks=(4, 16), bits=(4, 16), seeds=3)
    drawn, asked = scores_of(grid.runs, items=100), asked_questions(grid)
    rng = np.random.default_rng(2)
    drawn = replace(drawn, values=drawn_values(rng, drawn, 100, Noise(2, 0.5).drawn(rng, grid.runs)))
    places = sorted(range(len(grid.runs)), key=lambda at: (not (run := grid.runs[at]).is_baseline, order[run.seed - 1]))
    other = replace(drawn, runs=[grid.runs[at] for at in places], values=drawn.values[:, places])
    first, second = (answer_questions(scores, LANGUAGES, SETTINGS, asked, {}).questions for scores in (drawn, other))
    assert [answer.of for answer in first] == ["seeds"] * len(asked)
    for one, same in zip(first, second, strict=True):
        assert same.verdict == one.verdict
        told = [(answer.effect, answer.low, answer.high, answer.p_holm) for answer in (one, same)]
        assert told[0] == pytest.approx(told[1])


COVERED = [
    ("default", {"seeds": 1}, Noise(1, 0.5), ("rank", "bits"), "trainings"),
    ("default", {"seeds": 3}, Noise(1, 1), ("rank", "english", "above-untouched", "difference"), "seeds"),
    ("default", {"seeds": 3}, Noise(1, 0), ("rank", "english", "above-untouched", "difference"), "seeds"),
    ("default", {"seeds": 3}, Noise(1, 0.5, tilt=1.0), ("rank", "english"), "seeds"),
    ("default", {"anchors": 2}, Noise(1, 0.5), ("rank", "english", "above-untouched"), "seeds"),
    ("one", {"seeds": 3}, Noise(2, 1), ("rank", "above-untouched"), "seeds"),
]


@pytest.mark.heavy
@pytest.mark.parametrize(("grid", "seeds", "moved", "questions", "of"), COVERED)
def test_answers_cover_what_other_seeds_would_give(grid, seeds, moved, questions, of):
    found = tally(Grid(**{**vars(GRIDS[grid]), **seeds}), moved, items=4000, number=300)
    for question in questions:
        assert found.scopes[question] == {of}
        assert found.coverage()[question] > 91.5, question  # of 300, three standard errors below 95 %
    assert found.wrong_verdicts("seeds") <= 8 and found.wrong_verdicts("trainings") <= 8


@pytest.mark.heavy
def test_an_interval_over_items_alone_misses_what_another_seed_would_give():
    found = tally(GRIDS["default"], Noise(1, 1), items=4000, number=100)
    assert found.scopes["above-untouched"] == {"items"} and found.coverage()["above-untouched"] < 75
    assert found.wrong_verdicts("items") > 20 and found.wrong_verdicts("seeds") == 0
