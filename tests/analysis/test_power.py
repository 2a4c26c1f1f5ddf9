"""Power: the chance of a verdict and the minimum detectable effect, at numbers that stand in every table of z and t."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.detectable_effects import detectable, found
from benchmarks.seed_coverage import Grid, Noise
from maple.analysis.questions.effect import Effect, Side
from maple.analysis.questions.power import (
    Effects,
    Precision,
    Rule,
    chance_beyond,
    chance_within,
    effects_of,
    minimum_detectable,
)

MANY = 1e6  # degrees of freedom with which t is z
ONE_TEST = Rule(least=0.0, level=0.05, tests=1)
ONE = Precision(items=1.0, trainings=0.0, df=MANY)


def test_one_test_detects_the_two_quantiles_together():
    assert minimum_detectable(Effects(0.0, ONE), ONE_TEST) == pytest.approx(1.96 + 0.8416, abs=1e-3)


def test_a_smallest_effect_of_interest_is_added_and_tested_on_one_side():
    # Ten standard errors from zero on one side, the other side is out of reach; the interval still has two.
    assert minimum_detectable(Effects(0.0, ONE), replace(ONE_TEST, least=10.0)) == pytest.approx(12.80, abs=1e-2)


def test_with_few_degrees_of_freedom_the_standard_error_may_be_small_by_luck():
    rng = np.random.default_rng(1)
    few = replace(ONE, df=4.0)
    size = minimum_detectable(Effects(0.0, few), replace(ONE_TEST, tests=10))
    t = (rng.normal(size=100_000) + size) / np.sqrt(rng.chisquare(4, 100_000) / 4)
    assert np.mean(t > 5.598) == pytest.approx(0.8, abs=0.005)  # the quantile of t with 4 df at 0.05 / 10, two-sided


def test_two_contrasts_that_must_both_hold_are_missed_with_a_tenth_each():
    assert minimum_detectable(Effects(0.0, ONE, contrasts=2), ONE_TEST) == pytest.approx(1.96 + 1.2816, abs=1e-3)


def test_of_a_difference_gain_and_loss_must_be_sure_as_well():
    # The difference is hardly unsure; gain and loss, of half the size each, are missed with a tenth each.
    sides = [(0.0, ONE), (0.0, ONE)]
    difference = Effects(0.0, replace(ONE, items=1e-6), sides)
    size = minimum_detectable(difference, ONE_TEST)
    assert size == pytest.approx(2 * (1.96 + 1.2816), abs=1e-3)
    assert chance_beyond(difference.of_size(size), ONE_TEST) == pytest.approx(0.8)


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
    size = detectable(grid, noise, 4000, 20)[question]
    assert 73 < found(grid, noise, 4000, 200, (question, size)) < 96
