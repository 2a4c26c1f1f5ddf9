import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss

from maple.metrics.calibration import BINS, reliability
from maple.metrics.metric import LabelledAnswers
from maple.metrics.registry import METRICS


def answers(gold, probabilities):
    probabilities = np.array(probabilities)
    labels = tuple("abcdefgh"[: probabilities.shape[1]])
    return LabelledAnswers(labels, np.array(gold), probabilities.argmax(axis=1), np.log(probabilities))


def drawn(seed, n=200, classes=4):
    rng = np.random.default_rng(seed)
    return answers(rng.integers(0, classes, n), rng.dirichlet(np.ones(classes), n))


@pytest.mark.parametrize("seed", range(3))
def test_the_likelihood_and_the_brier_score_are_scikit_learn_s(seed):
    of = drawn(seed)
    probabilities = np.exp(of.log_probabilities)
    theirs = brier_score_loss(of.gold, probabilities, labels=range(4), scale_by_half=False)
    assert METRICS["brier"].values(of).mean() == pytest.approx(theirs)
    assert METRICS["nll"].values(of).mean() == pytest.approx(log_loss(of.gold, probabilities, labels=range(4)))


def test_a_sure_answer_costs_nothing_if_right_and_two_by_brier_if_wrong():
    of = answers([0, 1], [[1 - 1e-12, 1e-12], [1 - 1e-12, 1e-12]])
    assert METRICS["brier"].values(of) == pytest.approx([0, 2])
    assert METRICS["nll"].values(of) == pytest.approx([0, 12 * np.log(10)], abs=1e-9)


def test_four_answers_of_which_three_are_right_are_as_sure_as_they_say_at_three_quarters():
    sure = [[0.75, 0.25]] * 4
    assert METRICS["ece"].score(answers([0, 0, 0, 1], sure)) == pytest.approx(0)
    assert METRICS["ece"].score(answers([0, 0, 1, 1], sure)) == pytest.approx(0.25)


def test_bins_do_not_make_up_for_each_other():
    # Too sure by 0.4 in one bin, too unsure by 0.4 in another.
    of = answers([1, 0, 0, 0], [[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    assert METRICS["ece"].score(of) == pytest.approx((0.4 + 0.4) / 2)


def test_the_calibration_error_is_the_weighted_sum_of_a_loop_over_the_bins():
    of = drawn(5)
    confidence, right, total = np.exp(of.log_probabilities.max(axis=1)), of.predicted == of.gold, 0.0
    for number in range(BINS):
        inside = (confidence > number / BINS) & (confidence <= (number + 1) / BINS)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert METRICS["ece"].score(of) == pytest.approx(total)
    bins = reliability(of)
    assert sum(one.items * abs(one.accuracy - one.confidence) for one in bins) / 200 == pytest.approx(total)
    assert all(one.low < one.confidence <= one.high for one in bins)


def test_the_mean_of_the_pseudo_values_is_the_calibration_error():
    of = drawn(6)
    assert METRICS["ece"].values(of).mean() == pytest.approx(METRICS["ece"].score(of), abs=1e-12)


def test_the_measures_of_error_say_that_lower_is_better():
    assert {name for name, metric in METRICS.items() if metric.scale.lower_is_better} == {"ece", "brier", "nll"}


def test_generated_answers_have_no_probabilities():
    with pytest.raises(ValueError, match="no probabilities"):
        METRICS["nll"].values(LabelledAnswers(("a",), np.array([0]), np.array([0])))
