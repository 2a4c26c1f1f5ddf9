from collections import Counter
from copy import deepcopy

import numpy as np
import polars as pl
import pytest

from maple.models.encoding import Encoder
from maple.training.batches import (
    MASKED,
    Encoded,
    attend_by_example,
    draw,
    encode,
    negative_log_likelihoods,
    passes,
    shares,
    tensors,
    unlearnt,
)

PAD = 3


def example(length, first=10, prompt=2):
    """An example of `length` tokens that count up from `first`; those after the prompt are learnt."""
    ids = np.arange(first, first + length, dtype=np.int32)
    return Encoded("eng_Latn", ids, np.where(np.arange(length) < prompt, MASKED, ids), completion_bytes=1)


def lengths(laid):
    return [[len(one) for one in chosen] for chosen in laid]


def test_examples_too_long_are_left_out_whole_and_counted(letters):
    rows = {"language": "eng_Latn", "instruction": ["a", "a" * 90], "input": "", "output": "bé"}
    (kept,), too_long = encode(pl.DataFrame(rows), Encoder.of(letters), max_length=64)
    assert too_long == 1
    assert (kept.language, kept.completion_bytes, kept.completion_tokens) == ("eng_Latn", 3, 3)  # b, é and the end


def test_every_example_is_learnt_once_before_any_again():
    drawn = [number for step in draw([1] * 6, steps=3, tokens=4, seed=1) for number in step]
    assert set(Counter(drawn[:6]).values()) == set(Counter(drawn[6:]).values()) == {1}
    assert drawn[:6] != drawn[6:]


def test_all_steps_together_learn_from_the_tokens_asked_for():
    sizes = [1, 5, 9, 2, 7, 3, 3, 8]
    steps = draw(sizes, steps=50, tokens=10, seed=1)
    assert all(steps)
    assert 500 <= sum(sizes[number] for step in steps for number in step) < 500 + 9


def test_the_order_is_the_seed_s():
    one, same, other = (draw([2] * 20, steps=4, tokens=8, seed=seed) for seed in (1, 1, 2))
    assert one == same != other


def test_a_packed_pass_holds_as_many_tokens_as_there_is_room_for():
    laid = passes([example(length) for length in (3, 9, 6, 8, 2)], tokens=18, packing=True)
    assert lengths(laid) == [[3, 9, 6], [8, 2]]


def test_without_packing_examples_of_like_length_share_a_pass_and_padding_counts():
    laid = passes([example(length) for length in (3, 9, 3, 8, 2)], tokens=18, packing=False)
    assert lengths(laid) == [[9, 8], [3, 3, 2]]


@pytest.mark.heavy
def test_positions_start_anew_and_the_first_token_is_never_learnt():
    batch = tensors([example(3, prompt=0), example(2, prompt=0)], PAD, packing=True)
    assert batch["input_ids"].tolist() == [[10, 11, 12, 10, 11]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0, 1]]
    assert batch["labels"].tolist() == [[MASKED, 11, 12, MASKED, 11]]
    assert batch["example_lengths"] == [3, 2]


@pytest.mark.heavy
def test_padding_stands_last_and_is_not_learnt():
    batch = tensors([example(3), example(2, prompt=0)], PAD, packing=False)
    assert batch["input_ids"].tolist() == [[10, 11, 12], [10, 11, PAD]]
    assert batch["labels"].tolist() == [[MASKED, MASKED, 12], [MASKED, 11, MASKED]]
    assert set(batch) == {"input_ids", "labels"}


@pytest.fixture(scope="module", params=["llama", "mistral"])
def network(request):
    """A small model with random weights, far from zero, so that attention matters."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(1)
    size = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "initializer_range": 0.2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    config = AutoConfig.for_model(request.param, vocab_size=100, pad_token_id=PAD, **size, **heads)
    model = AutoModelForCausalLM.from_config(config).eval()
    attend_by_example(model)
    return model


def logits(network, batch):
    import torch

    with torch.no_grad():
        return network(**{name: values for name, values in batch.items() if name != "labels"}, use_cache=False).logits


@pytest.mark.heavy
def test_a_packed_example_has_the_logits_that_it_has_alone(network):
    plain = deepcopy(network)
    plain.set_attn_implementation("sdpa")
    ours = [example(9, 10), example(5, 40), example(7, 70)]
    packed = logits(network, tensors(ours, PAD, packing=True))[0]
    padded = logits(network, tensors(ours, PAD, packing=False))
    for row, (one, found) in enumerate(zip(ours, packed.split([9, 5, 7]), strict=True)):
        alone = logits(plain, tensors([one], PAD, packing=False))[0]
        assert (found - alone).abs().max() < 1e-5
        assert (padded[row, : len(one)] - alone).abs().max() < 1e-5


def moved(network, **planted):
    """How far the logits of the second example of a pass move when the first one is another."""
    found = []
    for first in (10, 60):
        batch = tensors([example(9, first), example(5, 40)], PAD, packing=True)
        found.append(logits(network, batch | planted)[0, 9:])
    return (found[0] - found[1]).abs().max()


@pytest.mark.heavy
def test_an_example_does_not_see_the_one_before_it(network):
    assert moved(network) == 0


@pytest.mark.heavy
def test_it_would_if_the_examples_were_not_told_apart(network):
    assert moved(network, example_lengths=None) > 1e-2
    assert moved(network, example_lengths=[14]) > 1e-2


@pytest.mark.heavy
def test_what_flash_attention_is_told_parts_the_examples_as_well(network):
    """That is position_ids; with plain torch attention transformers makes a mask of them."""
    plain = deepcopy(network)
    plain.set_attn_implementation("sdpa")
    assert moved(plain) < 1e-5
    assert moved(plain, position_ids=None) > 1e-2


@pytest.mark.heavy
@pytest.mark.parametrize("packing", [True, False])
def test_the_loss_is_the_model_s_own(network, packing):
    import torch

    batch = tensors([example(9, 10), example(5, 40)], PAD, packing=packing)
    with torch.no_grad():
        losses, rows = negative_log_likelihoods(network, batch)
        own = network(**batch, use_cache=False).loss
    assert rows.tolist() == ([0] * 10 if packing else [0] * 7 + [1] * 3)
    assert losses.mean().item() == pytest.approx(own.item(), abs=1e-5)


@pytest.mark.heavy
def test_activations_computed_again_give_the_same_gradients(network):
    batch = tensors([example(9, 10), example(5, 40)], PAD, packing=True)
    found = []
    for again in (False, True):
        model = deepcopy(network).train()
        if again:
            model.gradient_checkpointing_enable()
        negative_log_likelihoods(model, batch)[0].sum().backward()
        found.append(model.get_input_embeddings().weight.grad)
    assert (found[0] - found[1]).abs().max() < 1e-5 < found[0].abs().max()


@pytest.mark.heavy
@pytest.mark.parametrize("kind", ["PromptTuningConfig", "PrefixTuningConfig"])
def test_virtual_tokens_before_the_text_change_no_place(network, kind):
    import peft
    import torch

    plain = deepcopy(network)
    plain.set_attn_implementation("sdpa")
    tuned = peft.get_peft_model(plain, getattr(peft, kind)(task_type="CAUSAL_LM", num_virtual_tokens=3)).eval()
    batch = tensors([example(9, 10), example(5, 40)], PAD, packing=False)
    with torch.no_grad():
        losses, _ = negative_log_likelihoods(tuned, batch)
        own = tuned(**batch).loss
    assert losses.mean().item() == pytest.approx(own.item(), abs=1e-5)


def test_a_step_is_dealt_out_evenly_and_in_order():
    step = [example(4, 1), example(3, 2), example(9, 3), example(2, 4)]
    assert [[len(one) for one in share] for share in shares(step, 2)] == [[9], [4, 3, 2]]
    assert shares(step, 1) == [step]
    assert shares(step[:1], 2) == [[step[0]], []]


@pytest.mark.heavy
def test_a_pass_in_which_nothing_is_learnt_has_no_gradient(network):
    losses, _ = negative_log_likelihoods(network, tensors([unlearnt(example(9))], PAD, packing=True))
    losses.sum().backward()
    assert losses.numel() == 0
    assert all(parameter.grad is None or not parameter.grad.any() for parameter in network.parameters())
