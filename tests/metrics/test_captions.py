"""CIDEr-D by hand, and against the reference code's numbers."""

import math
import random

import numpy as np
import pytest

from maple.metrics.captions import cider
from maple.metrics.metric import TextAnswers
from maple.metrics.registry import METRICS, is_of_items, is_of_texts

CAPTIONS = [
    "a red circle on a grey ground", "two blue squares", "a heart a heart a heart", "",
    "the flag of kenya is black red and green",
]  # fmt: skip
REFERENCES = [
    ["a red circle on a grey ground", "there is a red circle in the picture"],
    ["two blue squares side by side", "blue squares on a white ground"],
    ["a green heart on a black ground"],
    ["a clock that shows three o clock"],
    ["the flag of kenya", "a flag with black red and green stripes"],
]


def scores(captions, references, language="eng_Latn"):
    return cider(TextAnswers(captions, references, language)).values.tolist()


def test_the_scores_of_a_toy_are_those_of_the_reference_code():
    # Cider of pycocoevalcap 1.2 (cider/cider.py), given the same words; its score of the set is the mean.
    expected = [6.069866308190134, 3.0218457795881655, 0.6042713579457027, 0.0, 3.770051901522964]
    assert scores(CAPTIONS, REFERENCES) == pytest.approx(expected, abs=1e-12)
    assert np.mean(scores(CAPTIONS, REFERENCES)) == pytest.approx(2.693207069449393, abs=1e-12)


def test_a_perfect_caption_of_two_words_has_five_and_one_of_four_words_ten():
    # Of the four orders two have n-grams, and their cosines are 1.
    assert scores(["red circle", "blue square"], [["red circle"], ["blue square"]]) == pytest.approx([5, 5])
    long = ["red circle on top", "blue square below it"]
    assert scores(long, [[text] for text in long]) == pytest.approx([10, 10])
    assert METRICS["cider"].scale.high == 10


def test_a_word_that_every_item_has_weighs_nothing():
    references = [["a red circle"], ["a blue square"]]
    assert scores(["a", "a"], references) == [0, 0]
    assert scores(["red", "red"], references)[0] > 0 == scores(["red", "red"], references)[1]


def test_half_of_a_reference_has_the_cosine_of_forty_five_degrees_and_the_penalty_of_one_word_less():
    # "red" against "red circle": two words of equal weight. Their lengths are zero pairs and one.
    (half, _) = scores(["red", ""], [["red circle"], ["blue square"]])
    assert half == pytest.approx(10 / 4 * math.sqrt(1 / 2) * math.exp(-1 / 72))


def test_a_word_that_is_said_again_and_again_counts_once():
    # Both differ by one word pair from "red circle". Without the clipping their cosines would be equal.
    once, thrice = (scores([text, ""], [["red circle"], ["blue square"]])[0] for text in ("red", "red red red"))
    assert thrice == pytest.approx(once / 3)


def test_the_references_of_an_item_are_averaged():
    one, other, both = (
        scores(["red circle", ""], [references, ["blue square"]])[0]
        for references in (["red circle"], ["green heart"], ["red circle", "green heart"])
    )
    assert (one, other, both) == pytest.approx((5, 0, 2.5))


def test_in_a_set_of_one_item_even_a_perfect_caption_has_nothing():
    # The logarithm of one item is 0, as in the reference code.
    assert scores(["red circle on top"], [["red circle on top"]]) == [0]


def test_words_are_segmented_where_no_spaces_stand_between_them():
    references = [["今天是星期一"], ["我喜欢吃苹果"]]
    right, wrong = scores(["今天是星期一。", "今天是星期一"], references, "zho_Hans")
    assert right > 5 and wrong == 0
    assert scores(["วันนี้อากาศดี", ""], [["วันนี้อากาศดีมาก"], ["แมวกินปลา"]], "tha_Thai")[0] > 1


def test_case_and_punctuation_do_not_count():
    references = [["red circle"], ["blue square"]]
    assert scores(["Red circle!", ""], references) == scores(["red circle", ""], references)


def test_no_answer_moves_the_score_of_another_one():
    other = [CAPTIONS[0], "the flag of kenya", "", "a clock", "red"]
    assert scores(CAPTIONS, REFERENCES)[0] == scores(other, REFERENCES)[0]


def test_other_references_have_another_signature_and_their_order_does_not_matter():
    signature = cider(TextAnswers(CAPTIONS, REFERENCES, "eng_Latn")).signature
    assert signature.startswith("n:4|sigma:6|items:5|idf:")
    turned = [references[::-1] for references in REFERENCES[::-1]]
    assert cider(TextAnswers(CAPTIONS[::-1], turned, "eng_Latn")).signature == signature
    for fewer in (REFERENCES[:4], [*REFERENCES[:4], ["the flag of ghana"]]):
        assert cider(TextAnswers(CAPTIONS[: len(fewer)], fewer, "eng_Latn")).signature != signature


def drawn(n):
    """Captions of random words, and references of which each has a third of the words changed."""
    rng = random.Random(5)
    captions = [[rng.choice("abcdefghijklmnopqrst") for _ in range(rng.randint(4, 9))] for _ in range(n)]
    changed = lambda words: " ".join(rng.choice("uvwxyz") if rng.random() < 0.3 else word for word in words)  # noqa: E731
    return [" ".join(words) for words in captions], [[changed(words), changed(words)] for words in captions]


def test_the_standard_error_is_nearly_that_of_a_jackknife_which_counts_the_document_frequencies_anew():
    captions, references = drawn(60)
    values = np.array(scores(captions, references))
    without = [
        np.mean(scores(captions[:at] + captions[at + 1 :], references[:at] + references[at + 1 :])) for at in range(60)
    ]
    jackknife = math.sqrt(59) * np.std(without)
    assert values.std(ddof=1) / math.sqrt(60) == pytest.approx(jackknife, rel=0.1)


def test_cider_is_of_texts_and_no_metric_whose_scores_are_zeros_and_ones():
    assert is_of_texts("cider") and is_of_texts("cider_round_tripped") and not is_of_items("cider")
