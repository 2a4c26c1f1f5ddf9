import numpy as np
import pytest
from toy_questions import CELLS, LANGUAGES, QUESTIONS, SETTINGS, base, scores_of, tuned

from maple.analysis.questions.answer import answer_questions
from maple.analysis.questions.partial_conjunction import surely_at_least


@pytest.mark.parametrize(
    ("p", "number"),
    [
        ([0.01, 0.5, 0.9], 1),  # 3 x 0.01
        ([0.02, 0.5, 0.9], 0),  # 3 x 0.02
        ([0.01, 0.02, 0.9], 2),  # 2 x 0.02
        ([0.001, 0.03, 0.04], 1),  # 2 x 0.03, whatever the third is
        ([0.9, 0.01, float("nan")], 1),
        ([], 0),
    ],
)
def test_at_least_k_of_n_have_an_effect_if_the_kth_p_times_the_number_of_the_rest_is_small(p, number):
    assert surely_at_least(np.array(p), 0.05) == number


def test_the_bound_is_above_the_true_number_in_at_most_one_study_of_twenty():
    rng, wrong = np.random.default_rng(3), 0
    for _ in range(4000):
        p = rng.random(8)
        p[:3] = 0  # three of eight are true
        wrong += surely_at_least(p, 0.05) > 3
    assert wrong / 4000 < 0.055


def test_that_english_can_drop_is_that_it_drops_in_at_least_one_run():
    lost = {2: 20, 4: 0, 8: 15, 16: 0}
    scores = scores_of(
        [base(), *map(tuned, lost)], CELLS, lambda run, *_: 0.5 - lost.get(run.axis("rank"), 0) / 100, items=40
    )
    english = answer_questions(scores, LANGUAGES, SETTINGS, QUESTIONS, {}).answer("english")
    assert english.lines_at_least == 2 and len(english.lines) == 4
