"""A toy tokenizer of letters, whose special tokens <|START_THINKING|> and <|END_THINKING|> are the tokens 1 and 2."""

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from maple.models.completion_text import CompletionDecoder
from maple.text.thinking import split_thinking

SPECIAL = ["</s>", "<|START_THINKING|>", "<|END_THINKING|>", "<|channel|>", "<|message|>", "<|start|>", "<|end|>"]
START, END = 1, 2


@pytest.fixture(scope="module")
def tokenizer():
    tokenizer = Tokenizer(models.WordLevel({token: i for i, token in enumerate([*SPECIAL, *"abcfinl"])}))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens(SPECIAL)
    return tokenizer


@pytest.fixture(scope="module")
def decoder(tokenizer):
    return CompletionDecoder.of(tokenizer.get_added_tokens_decoder(), tokenizer.decode)


def test_marks_that_are_special_tokens_are_decoded_and_other_special_tokens_are_not(tokenizer, decoder):
    tokens = tokenizer.encode("<|START_THINKING|>ab<|END_THINKING|>c</s>").ids
    assert decoder.text(tokens) == "<|START_THINKING|>ab<|END_THINKING|>c"
    assert tokenizer.decode(tokens) == "abc"  # as if the thought were the answer


def test_a_completion_without_marks_is_decoded_as_ever(tokenizer, decoder):
    tokens = tokenizer.encode("abc</s>").ids
    assert decoder.text(tokens) == tokenizer.decode(tokens) == "abc"


@pytest.mark.parametrize(
    ("text", "opened_by", "cut", "count"),
    [
        ("<|START_THINKING|>ab<|END_THINKING|>c", "", False, 4),
        ("ab<|END_THINKING|>c", "<|START_THINKING|>", False, 3),
        ("<|START_THINKING|>abc", "", True, 4),
        ("<|START_THINKING|>a<|END_THINKING|><|START_THINKING|>b<|END_THINKING|>cc", "", False, 6),
        ("<|channel|>a<|message|>ab<|end|><|start|>a<|channel|>final<|message|>c", "", False, 15),
        ("abc", "", False, None),
        ("<|START_THINKING|><|END_THINKING|>c", "", False, None),
    ],
)
def test_the_tokens_of_thinking_are_counted_with_its_marks(tokenizer, decoder, text, opened_by, cut, count):
    assert decoder.thinking_tokens(tokenizer.encode(text).ids, opened_by=opened_by, cut=cut) == count


def test_a_long_thought_is_counted_to_the_token(tokenizer, decoder):
    tokens = tokenizer.encode("<|START_THINKING|>" + "ab" * 700 + "<|END_THINKING|>" + "c" * 900).ids
    assert decoder.thinking_tokens(tokens, opened_by="", cut=False) == 1402


def test_a_prompt_that_ends_in_an_opening_mark_is_recognized_by_its_tokens(tokenizer, decoder):
    prompt = tokenizer.encode("abc" * 20).ids
    assert decoder.opening_mark([*prompt, START]) == "<|START_THINKING|>"
    assert decoder.opening_mark([*prompt, START, END]) == decoder.opening_mark(prompt) == decoder.opening_mark([]) == ""


def test_channels_are_split_by_the_tokens_that_name_them(tokenizer, decoder):
    text = "<|channel|>a<|message|>ab<|end|><|start|>a<|channel|>final<|message|>c"
    split = split_thinking(decoder.text(tokenizer.encode(text).ids))
    assert (split.thinking, split.answer) == ("ab", "c")
