"""Looks at a study: levels against published ones, and studies without effects that are looked at three times."""

from math import isclose

import numpy as np
import pytest
from scipy.special import ndtri

from maple.analysis.spending import look_levels, nominal_levels, spent_at
from maple.definitions.looks import Looks


def bounds(shares, spending="obrien-fleming"):
    return [round(float(-ndtri(level / 2)), 3) for level in nominal_levels(shares, 0.05, spending)]


def test_bounds_are_those_of_lan_and_demets():
    """Those of O'Brien and Fleming's kind as Jennison and Turnbull (2000) have them, Pocock's as R's ldbounds does."""
    assert bounds([1 / 3, 2 / 3, 1]) == [3.710, 2.511, 1.993]
    assert bounds([0.2, 0.4, 0.6, 0.8, 1]) == [4.877, 3.357, 2.680, 2.290, 2.031]
    assert bounds([0.2, 0.4, 0.6, 0.8, 1], "pocock") == [2.438, 2.427, 2.410, 2.397, 2.386]


def test_one_look_has_the_whole_level():
    assert isclose(nominal_levels([1], 0.05, "obrien-fleming")[0], 0.05)


@pytest.mark.parametrize("spending", ["obrien-fleming", "pocock"])
def test_the_parts_that_are_spent_add_up_and_a_first_look_has_its_part(spending):
    parts = spent_at([0.1, 0.3, 1], 0.05, spending)
    levels = nominal_levels([0.1, 0.3, 1], 0.05, spending)
    assert isclose(sum(parts), 0.05)
    assert isclose(parts[0], levels[0], rel_tol=1e-6)
    assert all(part <= level * (1 + 1e-6) for part, level in zip(parts, levels, strict=True))


def test_a_tenth_of_the_items_has_next_to_nothing_of_obrien_s_level_and_a_sixth_of_pocock_s():
    looks = Looks(shares=[0.1, 0.3, 1.0], now=1)
    assert look_levels(looks, 0.05).level < 1e-11
    assert 0.05 / 7 < look_levels(looks.changed(spending="pocock"), 0.05).level < 0.05 / 6


def test_no_bound_is_wider_than_eight_standard_errors():
    assert bounds([0.01, 1])[0] == 8


@pytest.mark.parametrize("spending", ["obrien-fleming", "pocock"])
@pytest.mark.parametrize("of_items", [1.0, 0.5, 0.1])
def test_three_looks_are_wrong_in_five_percent_at_most_whatever_share_of_the_noise_is_of_training(spending, of_items):
    """Items are `of_items` of the variance at the last look; the rest is of training, the same at every look."""
    rng, studies, shares = np.random.default_rng(7), 200_000, np.array([0.1, 0.3, 1.0])
    of_looks = (rng.normal(size=(studies, 3)) * np.sqrt(np.diff([0, *shares]))).cumsum(axis=1) / shares
    estimates = np.sqrt(of_items) * of_looks + np.sqrt(1 - of_items) * rng.normal(size=(studies, 1))
    z = estimates / np.sqrt(of_items / shares + 1 - of_items)
    wrong = np.mean((np.abs(z) > -ndtri(np.array(nominal_levels(list(shares), 0.05, spending)) / 2)).any(axis=1))
    assert wrong < 0.05 + 3 * np.sqrt(0.05 * 0.95 / studies)
    assert wrong > 0.045 or of_items < 1, "items alone spend the whole level"
