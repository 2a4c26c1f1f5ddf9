"""What a grid will be able to detect, before it has a score."""

import pytest
import yaml
from project import ROOT

from maple.planning.detectable import expected_effects
from maple.planning.plan import plan_of
from maple.study.reading import read_study

DEFAULT = yaml.safe_load((ROOT / "config/config.yaml").read_text())
ONE_CELL = {"tasks": ["xnli"], "languages": ["eng_Latn"], "answers": {}}


def expected(items, noise=0.0, seeds=(1,), question="above-untouched", ranks=(4,), smallest_effect=0.0):
    part = {"models": ["tiny-llama"], "datasets": ["generated"], "seeds": list(seeds)}
    config = DEFAULT | ONE_CELL | {
        "grid": [part | {"methods": {"lora": {"rank": list(ranks), "bits": [4]}}}],
        "questions": [question],
        "report": DEFAULT["report"] | {"smallest_effect": smallest_effect},
        "forecast": DEFAULT["forecast"] | {"noise": noise},
    }  # fmt: skip
    (one,) = expected_effects(plan_of(read_study(config, ROOT / "config")), {("xnli", "eng_Latn"): items})
    return one


def test_a_change_on_a_thousand_items_is_told_from_zero_by_its_two_quantiles():
    # The difference of two answers has the variance 2 x 0.25 x (1 - 0.5), so the error is 50 / sqrt(1000) points. Two
    # tests, of the answer and of its part, have the quantile 2.2414 of z at 0.05 / 2; 0.8416 is that of the power.
    one = expected(1000)
    assert (one.question, one.of) == ("above-untouched", "items")
    # It is a quantile of 500 drawn studies.
    assert one.mde == pytest.approx((2.2414 + 0.8416) * 50 / 1000**0.5, rel=0.03)


def test_four_times_the_items_halve_it():
    assert expected(4000).mde == pytest.approx((expected(1000).mde or 0) / 2, rel=0.005)


def test_the_smallest_effect_of_interest_is_added():
    assert (expected(4000, smallest_effect=5.0).mde or 0) > 5 + (expected(4000).mde or 0) / 2


def test_with_several_seeds_the_assumed_noise_is_in_it():
    quiet, noisy = (expected(10**6, noise, seeds=range(1, 10)) for noise in (0.0, 2.0))
    assert noisy.of == "seeds" and quiet.mde is not None and noisy.mde is not None
    # Nine seeds with a deviation of 2 points: an error of 2 / 3 and eight degrees of freedom, whose quantile of t at
    # 0.05 / 2 is 2.75.
    assert quiet.mde < 1 and noisy.mde == pytest.approx((2.75 + 0.9) * 2 / 3, rel=0.3)


def test_a_question_without_its_languages_says_what_to_add():
    one = expected(1000, question="rank")
    assert one.mde is None and "low-resource language" in one.missing
