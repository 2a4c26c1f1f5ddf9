import math

import polars as pl
import pytest

from maple.models import causal
from maple.models.encoding import Encoder
from maple.training.held_out import bits_per_byte, encode_held_out

HELD_OUT = pl.DataFrame(
    {
        "language": ["eng_Latn", "eng_Latn", "eng_Latn", "swh_Latn", "swh_Latn"],
        "instruction": ["a", "b", "c", "a", "a" * 90],
        "input": "",
        "output": ["abcd", "ab", "abcdefgh", "é", "a"],
    }
)


def test_the_first_rows_of_each_language_are_measured_and_none_that_is_too_long(letters):
    encoded = encode_held_out(HELD_OUT, causal, Encoder.of(letters), rows=2, max_length=64)
    assert [one.language for one in encoded] == ["eng_Latn", "eng_Latn", "swh_Latn"]
    assert [one.completion_bytes for one in encoded] == [4, 2, 2]


@pytest.mark.heavy
def test_a_model_that_knows_nothing_needs_the_bits_of_a_number_of_its_vocabulary_for_each_token(letters):
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    size = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=64, **size)).train()
    torch.nn.init.zeros_(model.lm_head.weight)
    examples = encode_held_out(HELD_OUT, causal, Encoder.of(letters), rows=2, max_length=64)
    measured = bits_per_byte(model, causal, examples, pad=3, batch_tokens=64)
    bits = math.log2(64)  # of a token; each answer has one more, its end, and é is one token of two bytes
    assert measured == pytest.approx({"eng_Latn": (5 + 3) * bits / 6, "swh_Latn": 2 * bits / 2})
    assert model.training
