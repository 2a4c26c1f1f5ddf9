import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, f1_score, matthews_corrcoef

from maple.metrics.metric import LabelledAnswers
from maple.metrics.pooled import confusion
from maple.metrics.registry import METRICS

POOLED = ("macro_f1", "weighted_f1", "mcc")
NONE = 5  # the number of labels stands for an answer that names none


def answers(gold, predicted, labels="abcde"):
    return LabelledAnswers(tuple(labels), np.array(gold), np.array(predicted))


def drawn(seed, n=60):
    """Answers to items of four of five classes, half of them right; an error may name the fifth class, or none."""
    rng = np.random.default_rng(seed)
    gold = rng.integers(0, 4, n)
    return answers(gold, np.where(rng.random(n) < 0.5, gold, rng.integers(0, NONE + 1, n)))


def judged(metric, of):
    """What scikit-learn makes of the same answers; the classes of a mean are those with gold items."""
    if metric == "mcc":
        return matthews_corrcoef(of.gold, of.predicted)
    average = metric.removesuffix("_f1")
    return f1_score(of.gold, of.predicted, labels=np.unique(of.gold), average=average, zero_division=0)


@pytest.mark.parametrize("metric", POOLED)
@pytest.mark.parametrize("seed", range(5))
def test_a_pooled_score_is_scikit_learn_s(metric, seed):
    of = drawn(seed)
    assert METRICS[metric].score(of) == pytest.approx(judged(metric, of), abs=1e-12)


@pytest.mark.parametrize("metric", POOLED)
def test_the_mean_of_the_pseudo_values_is_the_score(metric):
    of = drawn(7)
    assert METRICS[metric].values(of).mean() == pytest.approx(METRICS[metric].score(of), abs=1e-12)


@pytest.mark.parametrize("metric", POOLED)
def test_a_pseudo_value_tells_what_the_score_would_be_without_the_item(metric):
    of = drawn(8, n=40)
    without = []
    for item in range(40):
        others = np.arange(40) != item
        without.append(judged(metric, answers(of.gold[others], of.predicted[others])))
    expected = judged(metric, of) + 39 * (np.mean(without) - np.array(without))
    assert METRICS[metric].values(of) == pytest.approx(expected, abs=1e-10)


def test_macro_f1_is_the_mean_of_the_f1s_and_not_the_f1_of_means():
    # Class a: precision 1, recall 1/3, F1 1/2. Class b: precision 1/3, recall 1, F1 1/2. Both means are 2/3.
    of = answers([0, 0, 0, 1], [0, 1, 1, 1], labels="ab")
    assert METRICS["macro_f1"].score(of) == pytest.approx(0.5)


def test_macro_f1_weighs_a_rare_class_as_much_as_a_frequent_one():
    # Nine of class a and one of class b, all taken for a: F1 of a is 18 / 19, that of b 0.
    of = answers([0] * 9 + [1], [0] * 10, labels="ab")
    assert METRICS["macro_f1"].score(of) == pytest.approx(9 / 19)
    assert METRICS["weighted_f1"].score(of) == pytest.approx(0.9 * 18 / 19)
    assert METRICS["mcc"].score(of) == 0


def test_a_class_without_gold_items_is_left_out_and_seen_in_the_confusion_counts():
    of = answers([0, 0, 1], [0, 2, 1], labels="abc")
    # F1 of a is 2 / 3, of b 1; c, which was predicted once, has no recall.
    assert METRICS["macro_f1"].score(of) == pytest.approx(5 / 6)
    assert confusion(of).sum(axis=1).tolist() == [2, 1, 0]


def test_an_answer_without_a_label_is_missed_by_its_class_and_taken_by_no_other():
    named, unnamed = answers([0, 1], [0, 0], labels="ab"), answers([0, 1], [0, 2], labels="ab")
    assert METRICS["macro_f1"].score(named) == pytest.approx((2 / 3 + 0) / 2)
    assert METRICS["macro_f1"].score(unnamed) == pytest.approx((1 + 0) / 2)


@pytest.mark.parametrize("metric", POOLED)
def test_where_all_answers_are_right_no_item_moves_the_score(metric):
    gold = np.repeat(np.arange(5), 6)
    assert METRICS[metric].values(answers(gold, gold)) == pytest.approx(np.ones(30), abs=1e-12)


@pytest.mark.parametrize("metric", POOLED)
def test_one_item_alone_has_the_score_of_the_set(metric):
    of = answers([1], [1])
    assert METRICS[metric].values(of).tolist() == [METRICS[metric].score(of)]


def test_a_correlation_is_minus_one_where_every_answer_is_the_other_of_two_labels():
    of = answers([0, 1, 0, 1], [1, 0, 1, 0], labels="ab")
    assert METRICS["mcc"].score(of) == pytest.approx(-1) and METRICS["mcc"].scale.low == -1


def test_confusion_counts_are_scikit_learn_s():
    of = drawn(9)
    assert confusion(of).tolist() == confusion_matrix(of.gold, of.predicted, labels=range(6))[:5].tolist()
