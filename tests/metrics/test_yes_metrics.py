"""Precision, recall, F1 and share of "yes", as POPE has them."""

import json

import numpy as np
import pytest
from project import ROOT
from sklearn.metrics import f1_score, precision_score, recall_score

from maple.metrics.metric import LabelledAnswers
from maple.metrics.registry import METRICS, is_binary

POPE = ROOT.parent / "shared/data/images/pope"
YES, NO, NEITHER = 0, 1, 2
OF_YES = ("yes_precision", "yes_recall", "yes_f1", "yes_rate")


def answers(gold, predicted):
    return LabelledAnswers(("yes", "no"), np.array(gold), np.array(predicted))


def of_yes(gold, predicted):
    return [METRICS[name].score(answers(gold, predicted)) for name in OF_YES]


def test_two_of_three_yes_are_right_and_half_of_the_golds_are_found():
    gold, predicted = [YES] * 4 + [NO] * 4, [YES, YES, NO, NO, YES, NO, NO, NO]
    assert of_yes(gold, predicted) == pytest.approx([2 / 3, 2 / 4, 4 / 7, 3 / 8])


def test_an_answer_that_is_neither_is_no_yes_and_misses_its_gold():
    # POPE's script would take both for "yes": precision 2 / 3, recall 1, share 3 / 3.
    assert of_yes([YES, YES, NO], [YES, NEITHER, NEITHER]) == pytest.approx([1, 1 / 2, 2 / 3, 1 / 3])


def test_a_model_that_never_says_yes_has_zeros():
    assert of_yes([YES, NO], [NO, NO]) == [0, 0, 0, 0]


@pytest.mark.parametrize("seed", range(3))
def test_the_scores_are_scikit_learn_s_of_the_first_label(seed):
    gold, predicted = np.random.default_rng(seed).integers(0, 2, (2, 50))
    theirs = [measure(gold, predicted, pos_label=YES) for measure in (precision_score, recall_score, f1_score)]
    assert of_yes(gold, predicted) == pytest.approx([*theirs, np.mean(predicted == YES)], abs=1e-12)


@pytest.mark.parametrize("name", OF_YES)
def test_the_mean_of_the_pseudo_values_is_the_score_of_yes(name):
    gold, predicted = np.random.default_rng(9).integers(0, 2, (2, 40))
    of = answers(gold, predicted)
    assert METRICS[name].values(of).mean() == pytest.approx(METRICS[name].score(of), abs=1e-12)
    assert is_binary(name) and is_binary(f"rank_{name}") and not is_binary("macro_f1")


def test_the_pseudo_values_of_a_share_are_the_answers_themselves():
    of = answers([YES, NO, NO], [YES, YES, NO])
    assert METRICS["yes_rate"].values(of) == pytest.approx([1, 1, 0], abs=1e-12)
    assert METRICS["yes_rate"].scale.neutral


@pytest.mark.skipif(not POPE.is_dir(), reason="the questions of POPE are not on this machine")
@pytest.mark.parametrize("kind", ["random", "popular", "adversarial"])
def test_who_always_says_yes_to_pope_is_right_half_of_the_time(kind):
    rows = [json.loads(line) for line in (POPE / f"coco_{kind}.jsonl").read_text(encoding="utf-8").splitlines()]
    gold = [("yes", "no").index(row["label"]) for row in rows]
    assert of_yes(gold, [YES] * len(gold)) == pytest.approx([1 / 2, 1, 2 / 3, 1])
    assert np.mean([METRICS["accuracy"].value("yes", [row["label"]], "eng_Latn") for row in rows]) == 0.5
    assert of_yes(gold, gold) == pytest.approx([1, 1, 1, 1 / 2])
