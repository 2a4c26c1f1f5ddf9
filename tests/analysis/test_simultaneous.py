import numpy as np
import pytest
from scipy import stats

from benchmarks.rank_coverage import TRUTHS, Design, found_in
from maple.analysis.simultaneous import pairs_of, pairwise_p, rank_sets
from maple.analysis.statistics import Estimate, holm

ALIKE = 0.99


def differences(*values, df=1e9):
    """Differences of pairs, in standard errors."""
    return Estimate(np.array(values, float), np.ones((1, len(values))), np.full((1, len(values)), float(df)))


def two_groups(apart):
    """Six things whose errors are nearly those of one in each three, `apart` standard errors, and their covariance."""
    covariance = np.kron(np.eye(2), np.full((3, 3), ALIKE)) + (1 - ALIKE) * np.eye(6)
    means, (first, second) = np.repeat([apart, 0.0], 3), pairs_of(6)
    return differences(*(means[first] - means[second])), covariance


def test_two_equal_things_both_have_ranks_one_to_two():
    found = rank_sets(differences(0), np.eye(2), 2, 0.05)
    assert found.low.tolist() == [1, 1] and found.high.tolist() == [2, 2] and found.told_apart == 0


def test_one_thing_has_rank_one():
    found = rank_sets(differences(), np.eye(1), 1, 0.05)
    assert found.low.tolist() == found.high.tolist() == [1]


def test_three_things_of_which_one_pair_differs_have_overlapping_ranks():
    # differences in standard errors of one: 1-2, 1-3, 2-3
    found = rank_sets(differences(1, 5, 1), np.eye(3), 3, 0.05)
    assert found.low.tolist() == [1, 1, 2] and found.high.tolist() == [2, 3, 3] and found.told_apart == 1
    assert found.among(np.array([0, 2])).high.tolist() == [1, 2]


def test_one_pair_has_the_p_of_a_single_t_test():
    assert pairwise_p(differences(2, df=7), np.eye(2), 2) == pytest.approx([2 * stats.t.sf(2, 7)], rel=1e-9)


def test_things_that_err_alike_are_told_apart_where_holm_does_not():
    found, covariance = two_groups(2.8)  # nine pairs with p of 0.005, which times fifteen is more than 0.05
    assert rank_sets(found, None, 6, 0.05).told_apart == 0
    assert rank_sets(found, covariance, 6, 0.05).told_apart == 9


def test_a_corrected_p_is_never_below_its_own_nor_above_holms():
    rng = np.random.default_rng(1)
    found = differences(*rng.normal(scale=2, size=15), df=6)
    p = pairwise_p(found, np.eye(6), 6)
    assert (p >= found.p()).all() and (p <= holm(found.p())).all() and (p < holm(found.p())).any()


def test_a_pair_without_variance_has_no_p_and_counts_nothing():
    # The first two things give the same answers, so that only the third one can differ, from both alike.
    same = Estimate(np.array([0.1, 2.0, 2.0]), np.array([[0.0, 1, 1]]), np.full((1, 3), 1e9))
    p = pairwise_p(same, np.array([[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 0.5]]), 3)
    assert np.isnan(p[0]) and p[1:] == pytest.approx(2 * stats.norm.sf(2), abs=0.006)


@pytest.mark.parametrize("design", [Design(100), Design(20, seeds=3)], ids=["items", "seeds"])
def test_all_sets_contain_their_true_ranks_in_nineteen_of_twenty_studies(design):
    assert found_in(design, TRUTHS["all equal"], 100).covered > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 100)


def test_methods_that_err_alike_are_told_apart_more_often_than_by_holm():
    max_t, by_holm = found_in(Design(100, alike=0.45), np.array(TRUTHS["two groups"]) / 10, 50).told_apart
    assert max_t > 1.1 * by_holm
