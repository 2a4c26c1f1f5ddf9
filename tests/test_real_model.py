"""SmolLM2-135M-Instruct, a model that somebody pretrained: loaded, asked, finetuned and merged by our own functions."""

import polars as pl
import pytest
import toy_training
from toy_training import finetuned, lora

from maple.definitions.training import MergeSettings

pytestmark = pytest.mark.heavy

# Ten steps over the same few sentences, in Swahili, which the base hardly knows.
EXAMPLES = toy_training.questions(
    {"swh_Latn": ("Jumatatu", "Jumanne", "Jumatano", "Alhamisi")}, {"swh_Latn": "Leo ni siku gani?"}
)


@pytest.fixture(scope="module")
def smollm2_model(smollm2):
    from maple.models import causal

    return causal.load(smollm2, 16)


def test_it_says_that_nairobi_is_the_capital_of_kenya(smollm2, smollm2_model):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    asked = tokenizer("The capital of Kenya is", return_tensors="pt")
    told = smollm2_model.generate(**asked, max_new_tokens=3, do_sample=False)
    assert tokenizer.decode(told[0]).startswith("The capital of Kenya is Nairobi")


def test_its_chat_frame_is_what_its_own_template_makes(smollm2):
    from transformers import AutoTokenizer

    from maple.models.encoding import Encoder

    text = "What is the capital of Kenya?"
    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    message = {"role": "user", "content": text}
    expected = tokenizer.apply_chat_template([message], add_generation_prompt=True, return_dict=False)
    encoder = Encoder.of(smollm2, "chat")
    assert encoder.prompt(text) == expected
    answered = tokenizer.apply_chat_template([message, {"role": "assistant", "content": "Nairobi"}], return_dict=False)
    prompt, answer = encoder.example(text, "Nairobi")
    assert [*prompt, *answer] == answered[: len(prompt) + len(answer)]
    assert tokenizer.decode(answer) == "Nairobi<|im_end|>"


def learnt(base, folder, bits):
    """Take ten steps; return the losses, in nats per token."""
    settings = {"steps": 10, "batch_tokens": 64, "micro_batch_tokens": 64, "learning_rate": 2e-3, "held_out_steps": 10}
    card = finetuned(base, folder, lora(bits, rank=8, max_length=64, **settings), examples=EXAMPLES)
    return [step["loss"] for step in card.loss]


def test_ten_steps_on_4_bits_lower_the_loss(smollm2, tmp_path):
    losses = learnt(smollm2, tmp_path, bits=4)
    assert losses[-1] < losses[0] - 0.5, losses


def test_ten_steps_lower_the_loss_and_the_merged_model_is_the_trained_one(smollm2, tmp_path):
    from maple.training.merging import merge

    losses = learnt(smollm2, tmp_path, bits=16)
    assert losses[-1] < losses[0] - 0.5, losses
    held_out = pl.read_parquet(tmp_path / "held_out.parquet")
    (tmp_path / "merged").mkdir()
    merged = merge(
        smollm2,
        tmp_path / "adapter",
        held_out,
        tmp_path / "merged",
        bits=16,
        max_length=64,
        settings=MergeSettings(into="dequantized", bound=1e-3, rows=1, tokens=32),
        model=toy_training.MODEL,
        threads=1,
    )
    assert merged.ways[merged.into].kl < 1e-3
