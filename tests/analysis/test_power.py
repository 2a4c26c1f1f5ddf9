"""Power: the chance of a verdict and the minimum detectable effect, at numbers that stand in every table of z and t."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtri

from benchmarks.detectable_effects import detectable, found
from benchmarks.seed_coverage import Grid, Noise
from maple.analysis.questions.effect import Effect, Side
from maple.analysis.questions.power import (
    Effects,
    Precision,
    Rule,
    chance_within,
    effects_of,
    minimum_detectable,
)
from maple.analysis.questions.repeats import Repeats
from maple.analysis.statistics import Estimate

MANY = 1e6  # degrees of freedom with which t is z
ONE_TEST = Rule(least=0.0, level=0.05, tests=1)
ONE = Precision(items=1.0, trainings=0.0, df=MANY)


NORMAL = ndtri((np.arange(1000) + 0.5) / 1000)  # what a thousand studies are off, in standard errors


def estimates(*errors, se: np.ndarray | float = 1.0, df=MANY):
    """What repeated studies estimate of contrasts, in points, with the errors of each."""
    value = np.stack(errors, axis=1) / 100
    variances = np.broadcast_to((np.reshape(se, (-1, 1)) / 100) ** 2, value.shape)[None]
    return Estimate(value, variances, np.full_like(variances, df))


def test_one_test_detects_the_two_quantiles_together():
    assert minimum_detectable(Repeats(estimates(NORMAL)), ONE_TEST) == pytest.approx(1.96 + 0.8416, abs=1e-2)


def test_a_smallest_effect_of_interest_is_added_and_tested_on_one_side():
    # Ten standard errors from zero on one side, the other side is out of reach; the interval still has two.
    size = minimum_detectable(Repeats(estimates(NORMAL)), replace(ONE_TEST, least=10.0))
    assert size == pytest.approx(12.80, abs=1e-2)


def test_with_few_degrees_of_freedom_the_standard_error_may_be_small_by_luck():
    rng = np.random.default_rng(1)
    errors, se = rng.normal(size=100_000), np.sqrt(rng.chisquare(4, 100_000) / 4)
    size = minimum_detectable(Repeats(estimates(errors, se=se, df=4.0)), replace(ONE_TEST, tests=10))
    # 5.598 is the quantile of t with 4 df at 0.05 / 10, two-sided.
    assert np.mean((rng.normal(size=100_000) + size) / se > 5.598) == pytest.approx(0.8, abs=0.005)


def test_a_study_in_five_with_a_thrice_wider_interval_decides():
    # Four of five studies need 1.96 standard errors of 1, the fifth of 3; nothing is off in any.
    se = np.where(np.arange(1000) < 210, 3.0, 1.0)
    assert minimum_detectable(Repeats(estimates(np.zeros(1000), se=se)), ONE_TEST) == pytest.approx(3 * 1.96, abs=1e-2)


def test_two_contrasts_that_are_off_in_opposite_ways_are_missed_with_a_tenth_each():
    two = Repeats(estimates(NORMAL, -NORMAL))
    assert minimum_detectable(two, ONE_TEST) == pytest.approx(1.96 + 1.2816, abs=1e-2)


def test_of_a_difference_gain_and_loss_must_be_sure_as_well():
    # The difference is hardly unsure. Gain and loss have half of the size each, and what moves both languages alike
    # makes one of them larger and the other one smaller.
    difference = Repeats(estimates(np.zeros(1000), se=1e-3), [estimates(NORMAL), estimates(NORMAL)])
    assert minimum_detectable(difference, ONE_TEST) == pytest.approx(2 * (1.96 + 1.2816), abs=1e-2)


def test_a_true_zero_is_found_too_small_to_matter_where_the_interval_fits_twice():
    # Two one-sided tests at 0.05 / 2, each missed with a tenth, if zero lies 1.96 + 1.2816 standard errors inside.
    two = Rule(least=1.96 + 1.2816, level=0.05, tests=2)
    assert chance_within(Effects(0.0, ONE), two) == pytest.approx(0.799, abs=2e-3)


def test_four_times_the_items_halve_the_error_of_items_alone():
    both = Precision(items=4.0, trainings=9.0, df=8.0)
    assert both.with_more(items=4.0).se == pytest.approx(np.sqrt(1 + 9))
    assert both.with_more(seeds=9.0).se == pytest.approx(np.sqrt(4 + 1))


def test_twice_the_seeds_have_twice_the_degrees_of_freedom_and_more_items_no_more():
    one = Precision(items=1.0, trainings=1.0, df=8.0)
    assert (one.with_more(seeds=2.0).df, one.with_more(items=9.0).df) == (16.0, 8.0)


def side(effect):
    return Side(effect=effect, low=effect - 2, high=effect + 2, se=1.0, df=MANY)


@pytest.mark.parametrize("claim", [1, -1])
def test_the_claim_says_which_group_is_to_gain(claim):
    sides = {"low_resource": side(3.0 * claim), "high_resource": side(-1.0 * claim)}
    effect = Effect(effect=4.0 * claim, low=0.0, high=0.0, se=1.0, df=MANY, p=1.0, **sides)
    effects = effects_of(effect, claim)
    assert effects is not None and [size for size, _ in effects.sides] == [3.0, 1.0]


@pytest.mark.heavy
@pytest.mark.parametrize("question", ["exchange", "data"])
def test_a_planted_effect_of_the_minimum_detectable_size_is_found_at_least_as_often_as_promised(question):
    grid, noise = Grid(models=2, datasets=2, ranks=(8, 32), bits=(4, 16)), Noise(0.0, 0.0)
    study = detectable(grid, noise, 4000, 20)
    assert 73 < found(grid, noise, 4000, 200, (question, study.sizes[question]), study.family) < 96
