"""Repeated studies: what they estimate goes up and down as the estimates of other studies really do."""

import itertools

import numpy as np
import pytest
from toy_questions import base, tuned

from maple.analysis.questions.power import Rule, critical, minimum_detectable
from maple.analysis.questions.repeats import Repeats, drawn, drawn_with_sides, repeated
from maple.analysis.statistics import Joint
from maple.analysis.training_noise import SEEDS, Trainings

GRID = itertools.product("ab", (1, 2, 3, 4, 5), (4, 16), (4, 8))
RUNS = [base(), *(tuned(rank, bits, dataset=dataset, seed=seed) for dataset, seed, rank, bits in GRID)]
TRAININGS = Trainings.of(RUNS)
ITEMS, DF = 0.003**2 * np.eye(len(RUNS)), np.array([400.0])
TUNED = np.array([not run.is_baseline for run in RUNS])
ON_B = np.array([run.dataset == "b" for run in RUNS])
DOUBLINGS = np.array([np.log2(run.axis("rank") or 8) - 3 for run in RUNS])
CONTRASTS = {
    "a slope": DOUBLINGS / (DOUBLINGS**2).sum(),
    "a change": np.where(TUNED, 1 / TUNED.sum(), -1.0),
    "a difference": np.where(ON_B, 2, -2) * TUNED / TUNED.sum(),
}


def study(rng, noise=0.01, items=1.0):
    """The averages of runs that items move by 0.3 points, and seeds by a point, half of whose variance is shared."""
    draws = rng.normal(size=TRAININGS.draw.max() + 1)[TRAININGS.draw]
    moved = np.sqrt(0.5) * (draws + rng.normal(size=len(RUNS))) * TUNED * noise
    return Joint(items * 0.003 * rng.normal(size=len(RUNS)) + moved, items**2 * ITEMS[None], DF, TRAININGS)


def test_items_move_repeated_studies_as_their_covariance_says():
    quiet = study(np.random.default_rng(1), noise=0.0)
    runs = drawn(quiet, 0).by_items
    assert runs.std(axis=0) == pytest.approx(0.003, rel=0.15)
    assert np.corrcoef(runs[:, 0], runs[:, 1])[0, 1] == pytest.approx(0, abs=0.15)


def test_what_a_seed_shares_moves_repeated_studies_of_its_runs_together():
    rng = np.random.default_rng(1)
    joint = study(rng, items=1e-3)
    shared = 0.01 * TRAININGS.draw
    moved = drawn(Joint(shared, joint.covariances, DF, TRAININGS), 0).by_trainings
    one_seed = np.flatnonzero(TRAININGS.draw == 0)
    assert not moved[:, 0].any()  # an untouched base has no seed
    assert np.corrcoef(moved[:, one_seed[0]], moved[:, one_seed[1]])[0, 1] == pytest.approx(1)


def test_the_difference_of_two_groups_is_the_difference_of_their_averages_in_each_repeated_study():
    rng = np.random.default_rng(1)
    low, high = study(rng), study(rng)
    both = Joint(low.value - high.value, 2 * ITEMS[None], DF, TRAININGS)
    of_both, of_low, of_high = drawn_with_sides(both, low, high, 0)
    assert of_both.by_items == pytest.approx(of_low.by_items - of_high.by_items)
    assert np.corrcoef(of_low.by_items[:, 1], of_high.by_items[:, 1])[0, 1] == pytest.approx(0, abs=0.15)


def test_groups_with_the_same_errors_have_a_difference_without_any():
    low = study(np.random.default_rng(1))
    none = Joint(np.zeros(len(RUNS)), 1e-12 * ITEMS[None], DF, TRAININGS)
    of_both, *_ = drawn_with_sides(none, low, low, 0)
    assert abs(of_both.by_items + of_both.by_trainings).max() < 1e-4


def test_trainings_move_no_study_whose_verdict_is_one_about_these_runs():
    runs = [base(), *(tuned(rank, bits) for rank in (4, 8, 16) for bits in (4, 8))]  # one seed: the square tells noise
    value = np.array([0.0, *np.tile([0.02, -0.02, 0.01], 2)])
    joint = Joint(value, 0.003**2 * np.eye(7)[None], DF, Trainings.of(runs))
    change = np.array([-1.0, *[1 / 6] * 6])[:, None]
    found = repeated(joint, drawn(joint, 0), change)
    assert found.value.std() == pytest.approx(0.003 * np.sqrt(7 / 6), rel=0.1)


@pytest.mark.parametrize("name", CONTRASTS)
def test_an_effect_of_the_minimum_detectable_size_is_found_in_four_studies_of_five(name):
    rng, rule, weights = np.random.default_rng(1), Rule(least=0.5, level=0.05, tests=20), CONTRASTS[name][:, None]
    sizes, needs = [], []
    for number in range(250):
        joint = study(rng)
        estimate = joint.contrast(weights)
        assert estimate.scope == [SEEDS]
        needs.append(rule.least + critical(100 * estimate.se, estimate.df, rule)[0] - 100 * estimate.value[0])
        if number < 40:
            sizes.append(minimum_detectable(Repeats(repeated(joint, drawn(joint, 0), weights)), rule))
    assert 0.7 < np.mean(np.array(needs) <= np.median(sizes)) < 0.9
