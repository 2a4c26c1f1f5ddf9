import math

import polars as pl
import pytest
from toy_training import MODEL, files, lora

from maple.models import causal
from maple.models.encoding import Encoder
from maple.runtime.files import write_parquet
from maple.training.checkpoints import CheckpointPlan
from maple.training.finetuning import finetune
from maple.training.held_out import HeldOutError, encode_held_out, held_out_bits

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
    assert [one.units for one in encoded] == [4, 2, 2]


@pytest.mark.heavy
def test_a_model_that_knows_nothing_needs_the_bits_of_a_number_of_its_vocabulary_for_each_token(letters):
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    size = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=64, **size)).train()
    torch.nn.init.zeros_(model.lm_head.weight)
    examples = encode_held_out(HELD_OUT, causal, Encoder.of(letters), rows=2, max_length=64)
    measured = held_out_bits(model, causal, examples, pad=3, batch_tokens=64)
    bits = math.log2(64)  # of a token; each answer has one more, its end, and é is one token of two bytes
    assert measured == pytest.approx({"eng_Latn": (5 + 3) * bits / 6, "swh_Latn": 2 * bits / 2})
    assert model.training


@pytest.mark.heavy
def test_a_run_whose_merge_could_not_be_checked_is_not_trained(toy_base, tmp_path):
    examples, held_out = files(tmp_path)
    write_parquet(pl.read_parquet(held_out).with_columns(output=pl.lit("day " * 200)), held_out)
    with pytest.raises(HeldOutError, match=r"none of 4 held-out examples fits finetune\.max_length=128 tokens"):
        finetune(
            toy_base,
            examples,
            held_out,
            tmp_path / "adapter",
            method=lora(),
            model=MODEL,
            seed=1,
            threads=1,
            checkpoints=CheckpointPlan(tmp_path / "checkpoints", 4),
            code=["toy"],
            compared_rows=2,
        )
    assert not (tmp_path / "adapter").exists()
