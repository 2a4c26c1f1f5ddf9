import numpy as np
import pytest

from benchmarks.factor_sizes import study
from maple.analysis.questions.factor import corrected_sizes
from maple.analysis.statistics import Estimate


def sizes(*values, se=1.0):
    variances = np.full((1, len(values)), se**2)
    return corrected_sizes(Estimate(np.array(values, float), variances, np.full_like(variances, 100)))


def test_a_difference_within_its_standard_error_has_no_size():
    assert sizes(0, 0.9, -1).tolist() == [0, 0, 0]


def test_a_difference_of_many_standard_errors_keeps_its_size_whatever_its_sign():
    assert sizes(5, -8) == pytest.approx([5, 8], abs=1e-6)
    assert sizes(10, -16, se=2) == pytest.approx([10, 16], abs=1e-6)


def test_between_them_a_size_is_smaller_than_the_difference():
    (size,) = sizes(1.5)
    assert size == pytest.approx(1.5 * np.tanh(1.5 * size)) and 1 < size < 1.5  # the most likely mean


def test_a_difference_without_a_standard_error_keeps_its_size():
    assert sizes(0, -3, se=0).tolist() == [0, 3]


def test_noise_does_not_push_the_comparison_to_the_noisier_factor():
    # Four models and two datasets that are all worth the same: the difference of the datasets averages four runs each,
    # those of models two, so that models seem to differ more.
    _, absolute, bias, held, sure = study(4, 2, (0, 0), 100).values()
    assert absolute > 0.15 and abs(bias) < 0.8 * absolute
    assert held > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 100) and sure < 0.05


def test_the_interval_contains_the_truth_where_the_sizes_are_large_and_equal():
    _, _, bias, held, sure = study(2, 2, (4, 4), 100).values()
    error = np.sqrt(0.05 * 0.95 / 100)
    assert abs(bias) < 0.5 and held > 0.95 - 3 * error and sure < 0.05 + 3 * error
