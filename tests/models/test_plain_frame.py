"""The layout of a task: a prompt and its answer are one text, cut where the prompt ends."""

from dataclasses import replace

import pytest
import toy_tokenizers

from maple.definitions.layout import Layout
from maple.models.encoding import Encoder
from maple.models.plain_frame import PlainFrame, plain_text

BOS, EOS, SPACE = 1, 2, 30
SHOWN = [{"prompt": "a", "answer": "b"}, {"prompt": "c", "answer": "d"}]


def frame(folder, **layout):
    return PlainFrame(Encoder.of(folder).tokenizer, Layout(frame="none", **layout))


def test_a_prompt_stands_after_description_and_demonstrations_and_nothing_ends_it():
    layout = Layout(frame="none", description="Say it.\n", delimiter=": ", separator=" | ")
    assert plain_text(layout, "e", SHOWN) == "Say it.\na: b | c: d | e"
    assert plain_text(Layout(frame="none"), "e", SHOWN[:1]) == "ab\n\ne"


def test_the_delimiter_belongs_to_the_answer(letters):
    assert frame(letters, delimiter=" ").prompt("ab") == [BOS, 4, 5]
    assert frame(letters, delimiter=" ").ranked("ab", "c") == ([BOS, 4, 5], [SPACE, 6])


def test_white_space_that_ends_a_prompt_is_ranked_with_the_answer(letters):
    assert frame(letters).ranked("ab ", "c") == ([BOS, 4, 5], [SPACE, 6])
    assert frame(letters).prompt("ab ") == [BOS, 4, 5, SPACE]


@pytest.mark.parametrize(("bos", "first"), [(BOS, BOS), (None, EOS)])
def test_an_empty_prompt_is_one_token_after_which_a_whole_text_is_ranked(letters, bos, first):
    plain = frame(letters)
    bare = replace(plain, tokenizer=replace(plain.tokenizer, start=(), bos=bos))
    assert bare.ranked("", "ab") == ([first], [4, 5])
    assert plain.ranked("", "ab") == ([BOS], [4, 5])


@pytest.mark.parametrize("kind", toy_tokenizers.KINDS)
def test_prompt_and_answer_together_have_the_tokens_of_one_text(kind, tmp_path):
    plain = frame(toy_tokenizers.saved(kind, tmp_path), delimiter=" ")
    prompt, answer = plain.ranked("say", "yes")
    assert [*prompt, *answer] == plain.prompt("say yes")
