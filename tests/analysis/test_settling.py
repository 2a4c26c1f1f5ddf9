"""What would settle a question, on effects whose error is wholly of items, wholly of trainings, or half of each."""

import numpy as np
import pytest
from toy_questions import CELLS, QUESTIONS, base, scores_of, tuned

from maple.analysis.questions.effect import Side
from maple.analysis.questions.power import Rule
from maple.analysis.questions.records import UNDETERMINED, Answer, heading
from maple.analysis.questions.settling import with_remedies

RUNS = [base(), *(tuned(rank, seed=seed) for rank in (4, 16) for seed in (1, 2))]
SCORES = scores_of(RUNS, CELLS, lambda *_: 0.5)  # twelve items in each of four languages
RULE = Rule(least=0.0, level=0.05, tests=1)
MANY = 1e6
ENOUGH = 1.96 + 0.8416  # standard errors from zero at which an effect is found with the chance 0.8


def answer(effect, items=0.0, trainings=0.0, df=MANY, **more):
    se = float(np.hypot(items, trainings))
    return Answer(
        **heading("rank", QUESTIONS["rank"]), effect=effect, low=effect - 2 * se, high=effect + 2 * se, se=se, df=df,
        se_trainings=trainings, p=0.5, parts=[], lines=[], cells={"xnli": [code for _, code in CELLS]},
        runs=[run.path for run in RUNS], verdict=UNDETERMINED, **more,
    )  # fmt: skip


def settled(one, claim=1, rule=RULE, most_items=None):
    return with_remedies(one, claim, rule, SCORES, most_items or {})


def test_an_error_of_items_alone_is_halved_by_four_times_the_items():
    (remedy,) = settled(answer(1.005 * ENOUGH, items=2.0)).settled_by
    assert remedy.kind == "items" and remedy.items == pytest.approx(4, rel=0.011)
    # Five runs answer twelve items in four languages; three times as many are to come.
    assert (remedy.runs, remedy.answers) == (0, pytest.approx(3 * 5 * 12 * 4, rel=0.02))
    assert remedy.words.startswith("4.1 times the items (49 per") or remedy.words.startswith(
        "4 times the items (48 per"
    )


def test_an_error_of_trainings_alone_is_settled_by_no_number_of_items():
    (remedy,) = settled(answer(ENOUGH, trainings=2.0, df=MANY)).settled_by
    assert (remedy.kind, remedy.items) == ("seeds", 1)
    # Two seeds give an error of 2, so eight give one of 1; two settings lack six seeds each.
    assert (remedy.seeds, remedy.runs) == (8, 12)
    assert remedy.answers == 12 * 12 * 4 and remedy.words == "8 seeds of each run (12 runs more)"


def test_an_error_of_both_needs_both_where_neither_is_enough_alone():
    one = settled(answer(ENOUGH, items=np.sqrt(8), trainings=np.sqrt(3)))
    (remedy,) = one.settled_by
    assert remedy.kind == "both" and " and " in remedy.words and one.unsettled is None
    assert 8 / remedy.items + 3 * 2 / remedy.seeds == pytest.approx(1, rel=0.05)


def test_either_is_named_where_each_is_enough():
    assert [one.kind for one in settled(answer(ENOUGH, items=0.9, trainings=0.8)).settled_by] == ["items", "seeds"]


def test_more_items_than_there_are_is_said():
    most = {"xnli": {"swh_Latn": 20}}
    (remedy,) = settled(answer(ENOUGH, items=2.0), most_items=most).settled_by
    assert "more than the benchmarks have" in remedy.words
    (remedy,) = settled(answer(ENOUGH, items=2.0), most_items={"xnli": 100}).settled_by
    assert "more than" not in remedy.words


def test_an_effect_too_small_to_matter_is_to_be_shown_so():
    # Zero, with bounds at 3.2416: a tenth is missed on either side at an error of 1, which is an eighth of 8.
    (remedy,) = settled(answer(0.0, items=2.0), rule=Rule(1.96 + 1.2816, 0.05, 2)).settled_by
    assert remedy.items == pytest.approx(4, rel=0.01)


def test_an_effect_as_large_as_the_smallest_of_interest_is_never_settled():
    one = settled(answer(1.0, items=2.0), rule=Rule(1.0, 0.05, 1))
    assert one.settled_by == [] and "too near to the smallest effect of interest" in (one.unsettled or "")


@pytest.mark.parametrize(
    ("claim", "low", "high", "why"),
    [
        (1, 9.0, 1.0, "high-resource languages do not lose"),
        (1, -1.0, -9.0, "low-resource languages do not gain"),
        (-1, 1.0, 9.0, "low-resource languages do not lose"),
    ],
)
def test_where_the_wrong_group_gains_nothing_settles_the_claim(claim, low, high, why):
    sides = {
        name: Side(effect=size, low=size - 1, high=size + 1, se=0.5, df=MANY)
        for name, size in (("low_resource", low), ("high_resource", high))
    }
    one = settled(answer(low - high, items=0.5, **sides), claim)
    assert one.settled_by == [] and why in (one.unsettled or "")


def test_a_settled_answer_needs_nothing_more():
    one = answer(9.0, items=1.0).model_copy(update={"verdict": "supported"})
    assert settled(one) is one
