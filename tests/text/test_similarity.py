import random

import pytest
from rouge_score.rouge_scorer import RougeScorer

from maple.text.segmentation import tokens
from maple.text.similarity import Novelty, lcs_length, rouge_l


def test_the_longest_common_subsequence_keeps_order():
    assert lcs_length(list("abcd"), list("acbd")) == 3
    assert lcs_length(list("ab"), list("ba")) == 1
    assert lcs_length([], list("a")) == 0


def test_half_the_words_are_half_alike():
    assert rouge_l(["one", "two"], ["one", "three"]) == pytest.approx(0.5)


def test_on_english_it_is_rouge_score_s():
    scorer = RougeScorer(["rougeL"])
    rng = random.Random(0)
    for _ in range(200):
        first, second = (" ".join(rng.choices(["day", "month", "comes", "after", "which"], k=6)) for _ in range(2))
        assert rouge_l(tokens(first), tokens(second)) == pytest.approx(scorer.score(first, second)["rougeL"].fmeasure)


def test_what_is_like_a_kept_text_is_not_new():
    pool = Novelty(0.7)
    pool.add(["name", "the", "capital", "of", "kenya"])
    assert not pool.is_new(["name", "the", "capital", "of", "peru"])
    assert pool.is_new(["write", "a", "poem"])


def test_the_bounds_decide_as_comparing_with_every_text_does():
    rng = random.Random(1)
    kept = [rng.choices("abcdef", k=rng.randint(1, 8)) for _ in range(60)]
    pool = Novelty(0.7)
    for text in kept:
        pool.add(text)
    for _ in range(200):
        text = rng.choices("abcdefg", k=rng.randint(1, 8))
        assert pool.is_new(text) == all(rouge_l(text, other) < 0.7 for other in kept)
