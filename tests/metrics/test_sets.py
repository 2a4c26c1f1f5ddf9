"""Metrics of sets: labels against scikit-learn, entities against a count of places, and what nothing and repeats do."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from maple.metrics.metric import TextAnswers
from maple.metrics.registry import METRICS
from maple.metrics.sets import SET_METRICS
from maple.text.entities import tagged_entities

LABELS = ["anger", "fear", "joy", "pride"]
TYPES = ("PER", "LOC", "ORG")


def answers(named, gold):
    return TextAnswers(["\n".join(each) or "-" for each in named], gold, "eng_Latn")


def score(metric, of):
    metric = METRICS[metric]
    if hasattr(metric, "pool"):
        return metric.score(metric.count(of).counts)
    return np.mean([metric.value(*item, of.language) for item in zip(of.predictions, of.targets, strict=True)])


def drawn(seed, items=80):
    """Sets of labels, some of them empty, and answers that keep each label three times in four."""
    rng = np.random.default_rng(seed)
    gold = rng.random((items, 4)) < [0.4, 0.3, 0.2, 0.05]
    return gold, np.where(rng.random(gold.shape) < 0.75, gold, rng.random(gold.shape) < 0.3)


def sets(memberships):
    return [[label for label, has in zip(LABELS, row, strict=True) if has] for row in memberships]


@pytest.mark.parametrize("seed", range(5))
def test_scores_of_label_sets_are_scikit_learn_s(seed):
    gold, named = drawn(seed)
    of = answers(sets(named), sets(gold))
    present = np.flatnonzero(gold.any(axis=0))
    judged = {
        "multilabel_micro_f1": f1_score(gold, named, average="micro", zero_division=1),
        "multilabel_macro_f1": f1_score(gold, named, average="macro", labels=present, zero_division=1),
        "samples_f1": f1_score(gold, named, average="samples", zero_division=1),
        "subset_accuracy": accuracy_score(gold, named),
    }
    for metric, expected in judged.items():
        assert score(metric, of) == pytest.approx(expected, abs=1e-9), metric


def drawn_tags(seed, items=60):
    """Tags of sentences of twelve different words, and tags of which one in five is another; by strict IOB2."""
    rng = np.random.default_rng(seed)
    tags = np.array(["O", *(f"{place}-{kind}" for kind in TYPES for place in "BI")])
    gold = rng.choice(tags, size=(items, 12), p=[0.4] + [0.1] * 6)
    named = np.where(rng.random(gold.shape) < 0.8, gold, rng.choice(tags, size=gold.shape))
    return gold.tolist(), named.tolist()


def places(tags):
    """The entities of tags as (type, first token, last token), found from each end: no code of the metric."""
    found = set()
    for first, tag in enumerate(tags):
        if tag[0] == "B":
            last = first
            while last + 1 < len(tags) and tags[last + 1] == "I" + tag[1:]:
                last += 1
            found.add((tag[2:], first, last))
    return found


@pytest.mark.parametrize("seed", range(5))
def test_entities_of_different_words_score_as_their_places(seed):
    gold, named = drawn_tags(seed)
    words = [f"word{number}" for number in range(12)]
    texts = [[list(map(str, tagged_entities(words, tags))) for tags in each] for each in (named, gold)]
    of = answers(*texts)
    counted = [(places(one), places(other)) for one, other in zip(named, gold, strict=True)]
    right = sum(len(one & other) for one, other in counted)
    precision = right / sum(len(one) for one, _ in counted)
    recall = right / sum(len(other) for _, other in counted)
    assert score("entity_precision", of) == pytest.approx(precision, abs=1e-12)
    assert score("entity_recall", of) == pytest.approx(recall, abs=1e-12)
    assert score("entity_f1", of) == pytest.approx(2 * precision * recall / (precision + recall), abs=1e-12)


def test_an_entity_that_continues_nothing_is_none():
    tags = ["I-PER", "B-PER", "I-LOC", "I-PER", "O", "I-LOC"]
    assert [str(entity) for entity in tagged_entities("abcdef", tags)] == ["PER: b"]


def test_tags_may_be_places_in_a_list_of_names():
    assert tagged_entities(["Lagos", "is"], [1, 0], ["O", "B-LOC"]) == [("LOC", "Lagos")]


def test_a_type_a_word_less_and_a_word_more_are_wrong():
    gold = [["PER: Amina Mohammed"]] * 3
    named = [["LOC: Amina Mohammed"], ["PER: Amina"], ["PER: Mrs Amina Mohammed"]]
    assert score("entity_f1", answers(named, gold)) == 0


def test_case_spaces_and_marks_around_do_not_matter():
    assert score("entity_f1", answers([["per: amina o'brien."]], [["PER: Amina O ' Brien"]])) == 1


def test_an_entity_that_stands_twice_and_is_named_once_is_missed_once():
    of = answers([["LOC: Lagos"]], [["LOC: Lagos", "LOC: Lagos"]])
    assert (score("entity_precision", of), score("entity_recall", of)) == (1, 0.5)


@pytest.mark.parametrize("metric", SET_METRICS)
def test_gold_answers_score_one_also_where_nothing_is_gold(metric):
    gold = [["PER: Amina", "LOC: Lagos"], []] if metric.startswith("entity") else [["anger", "fear"], []]
    assert score(metric, answers(gold, gold)) == 1
    assert score(metric, answers([[]], [[]])) == 1


@pytest.mark.parametrize("metric", SET_METRICS)
def test_something_named_where_nothing_is_gold_scores_zero_and_so_does_silence(metric):
    some = ["PER: Amina"] if metric.startswith("entity") else ["anger"]
    assert score(metric, answers([some], [[]])) == 0
    assert score(metric, answers([[]], [some])) == 0


@pytest.mark.parametrize("metric", [name for name, metric in SET_METRICS.items() if hasattr(metric, "pool")])
def test_the_mean_of_pseudo_values_is_the_score_of_the_set(metric):
    gold, named = drawn(7, items=30)
    of = answers(sets(named), sets(gold))
    if metric.startswith("entity"):
        of = answers(*([[f"PER: {label}" for label in row] for row in sets(each)] for each in (named, gold)))
    scored = METRICS[metric].scores(of)
    assert scored.values.mean() == pytest.approx(score(metric, of), abs=1e-12)
    assert "zero_division:1" in scored.signature


def test_macro_f1_of_labels_weighs_a_rare_label_as_a_frequent_one():
    # anger is always right; fear is gold once and never named.
    of = answers([["anger"]] * 10, [["anger"]] * 9 + [["anger", "fear"]])
    assert score("multilabel_macro_f1", of) == 0.5
    assert score("multilabel_micro_f1", of) == pytest.approx(20 / 21)
