"""Which questions are ended at a look: effects whose error is of items or of trainings, with answers known by head."""

import numpy as np
import pytest
from toy_questions import CELLS, LANGUAGES, QUESTIONS, SETTINGS, base, scores_of, tuned

from maple.analysis.questions.answer import answer_questions
from maple.analysis.questions.effect import Margin, Side
from maple.analysis.questions.futility import LastLook, with_chance
from maple.analysis.questions.records import UNDETERMINED, Answer, heading
from maple.analysis.spending import LookLevels
from maple.definitions.looks import Looks

MANY = 1e6


def half_of(least=0.0, futility: float | None = 0.1, p=(0.5,)):
    """The first of two looks, at half of the items; the last one has a level of 5 %."""
    levels = [
        LookLevels(look=look, looks=2, share=share, level=level, spent=level, futility=futility)
        for look, share, level in ((1, 0.5, 1e-9), (2, 1.0, 0.05))
    ]
    return LastLook(levels[0], levels[1], least, list(p))


def answer(effect, items=0.0, trainings=0.0, df=MANY, **more):
    se = float(np.hypot(items, trainings))
    of = "seeds" if trainings else "items"
    return Answer(
        **heading("rank", QUESTIONS["rank"]), effect=effect, low=effect - 9 * se, high=effect + 9 * se, se=se, df=df,
        se_trainings=trainings, p=0.5, parts=[], lines=[], cells={}, runs=[], of=of, **{"verdict": UNDETERMINED} | more,
    )  # fmt: skip


def chance(*effect, look=None, claim=1, **more):
    found = with_chance(answer(*effect, **more), claim, look or half_of()).chance
    assert found is not None
    return found


@pytest.mark.parametrize(("effect", "expected"), [(0.0, 0.05), (1.96, 0.5), (-1.96, 0.5), (1.96 + 1.645, 0.95)])
def test_the_other_half_of_the_items_moves_an_estimate_by_the_error_of_the_whole(effect, expected):
    # With an error of sqrt(2) at half of the items it is 1 at all, and so is that of the difference of both looks.
    assert chance(effect, np.sqrt(2)) == pytest.approx(expected, abs=0.001)


def test_an_effect_at_the_bound_with_the_noise_of_seeds_alone_is_ended():
    one = with_chance(answer(1.0, trainings=2.0, df=8), 1, half_of(least=1.0))
    assert one.verdict == UNDETERMINED and one.ended and one.chance == pytest.approx(0)


def test_without_futility_nothing_is_ended():
    assert not with_chance(answer(1.0, trainings=2.0), 1, half_of(least=1.0, futility=None)).ended


def test_a_large_effect_with_few_items_goes_on():
    one = with_chance(answer(9.0, items=3.0), 1, half_of(least=1.0))
    assert one.chance and one.chance > 0.9 and not one.ended


def test_an_effect_that_may_prove_too_small_to_matter_goes_on():
    # At all items the error is 1, and 5 - 1.96 standard errors are left on either side of zero.
    assert chance(0.0, np.sqrt(2), look=half_of(least=5.0)) == pytest.approx(1, abs=0.01)
    assert chance(0.0, np.sqrt(2), look=half_of(least=1.9)) < 0.01


def test_noise_of_seeds_that_few_items_cannot_tell_from_theirs_may_prove_smaller():
    # 2.5 is beyond 1.96 standard errors of 1, and within 1.96 of sqrt(2); which it will be, eight degrees do not say.
    assert chance(2.5, trainings=np.sqrt(2)) == 0
    assert 0.2 < chance(2.5, np.sqrt(1.5), np.sqrt(0.5), df=8.0) < 0.8


def test_a_settled_answer_stays_as_it_is():
    one = answer(9.0, items=1.0, verdict="supported")
    assert with_chance(one, 1, half_of()) is one


def test_an_answer_without_an_error_has_no_chance_and_goes_on():
    one = with_chance(answer(0.0), 1, half_of())
    assert one.chance is None and not one.ended


def test_the_correction_counts_the_tests_whose_p_is_not_smaller():
    """Of two tests, the one with the larger p is tested at 5 %, the other one at 2.5 %: 2.24 standard errors."""
    assert chance(1.96, np.sqrt(2), look=half_of(p=[0.5, 0.1])) == pytest.approx(0.5, abs=0.001)
    assert chance(2.2414, np.sqrt(2), look=half_of(p=[0.5, 0.9])) == pytest.approx(0.5, abs=0.001)


@pytest.mark.parametrize(("claim", "expected"), [(1, 0.0), (-1, 1.0)])
def test_a_difference_of_two_groups_is_not_supported_where_one_will_not_move_as_claimed(claim, expected):
    """Both groups gain, one of them more: the claim has no chance, and its contradiction needs no sides."""
    sides = {
        name: Side(effect=size, low=size - 1, high=size + 1, se=0.1, df=MANY)
        for name, size in (("low_resource", 29.0), ("high_resource", 20.0))
    }
    assert chance(9.0, 1.0, claim=claim, **sides) == pytest.approx(expected, abs=0.001)


@pytest.mark.parametrize(
    ("test", "effect", "expected"),
    [
        # The bound is -1 + 1.645 standard errors of 1, or -1 - 1.96 for the opposite, at which one half is beyond.
        ("non-inferiority", -1 + 1.645, 0.5),
        ("non-inferiority", -1 - 1.645, 0.5),
        ("equivalence", 0.0, 0.003),
        ("equivalence", 1 + 1.96, 0.5),
    ],
)
def test_a_margin_has_its_own_bounds(test, effect, expected):
    margin = Margin(points=1.0, test=test, confidence=0.9)
    assert chance(effect, np.sqrt(2), margin=margin) == pytest.approx(expected, abs=0.002)


def test_of_many_studies_as_many_have_a_verdict_as_their_chances_say():
    rng, look, number = np.random.default_rng(3), half_of(least=1.0), 300
    true = rng.uniform(-8, 8, number)
    first = true + np.sqrt(2) * rng.normal(size=number)
    last = (first + true + np.sqrt(2) * rng.normal(size=number)) / 2
    chances = np.array([chance(effect, np.sqrt(2), look=look) for effect in first])
    has_verdict = np.abs(last) > 1 + 1.96
    assert chances.mean() == pytest.approx(has_verdict.mean(), abs=0.05)
    unlikely = chances < 0.1
    assert unlikely.sum() > 30 and has_verdict[unlikely].mean() < 0.1


def test_a_study_says_the_chance_before_the_last_look_alone():
    runs = [base(), tuned(8), tuned(16), tuned(32)]
    scores = scores_of(runs, CELLS, lambda run, *_: 0.4 + 0.001 * (run.axis("rank") or 0))
    first, last = (
        answer_questions(scores, LANGUAGES, SETTINGS, QUESTIONS, {}, looks=Looks(shares=[0.1, 1.0], now=now))
        for now in (1, 2)
    )
    rank, exchange = first.answer("rank"), last.answer("exchange")
    assert rank and rank.verdict == UNDETERMINED and rank.chance and rank.chance > 0.9
    assert exchange and exchange.verdict == UNDETERMINED and exchange.chance is None and not exchange.ended
