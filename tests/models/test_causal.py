"""Causal language models: what they are trained on, and that packed examples do not see each other."""

from copy import deepcopy

import pytest
from toy_examples import example

from maple.models import causal
from maple.models.attention import set_row
from maple.models.encoding import Encoder
from maple.models.example import MASKED
from maple.training.batches import masked

BOS, EOS, PAD = 1, 2, 3


def test_the_eos_is_labelled_and_the_prompt_is_not(letters):
    row = {"language": "eng_Latn", "instruction": "a", "input": "", "output": "bc"}
    encoded = causal.encode(row, Encoder.of(letters))
    input_ids, labels = encoded.input_ids.tolist(), encoded.labels.tolist()
    assert input_ids[0] == BOS and input_ids.count(BOS) == 1
    assert input_ids[-3:] == labels[-3:] == [5, 6, EOS]
    assert set(labels[:-3]) == {MASKED}


@pytest.mark.heavy
def test_positions_start_anew_and_the_first_token_is_never_learnt():
    batch = causal.collate([example(3, prompt=0), example(2, prompt=0)], PAD, packing=True)
    assert batch["input_ids"].tolist() == [[10, 11, 12, 10, 11]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0, 1]]
    assert batch["labels"].tolist() == [[MASKED, 11, 12, MASKED, 11]]
    assert batch["example_lengths"] == [3, 2]


@pytest.mark.heavy
def test_padding_stands_last_and_is_not_learnt():
    batch = causal.collate([example(3), example(2, prompt=0)], PAD, packing=False)
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
    assert causal.separate_packed_examples(model, 128) is None
    return model


def logits(network, batch):
    import torch

    set_row(batch.get("example_lengths"))
    text = {name: values for name, values in batch.items() if name not in ("labels", "example_lengths")}
    with torch.no_grad():
        return network(**text, use_cache=False).logits


@pytest.mark.heavy
def test_a_packed_example_has_the_logits_that_it_has_alone(network):
    plain = deepcopy(network)
    plain.set_attn_implementation("sdpa")
    ours = [example(9, 10), example(5, 40), example(7, 70)]
    packed = logits(network, causal.collate(ours, PAD, packing=True))[0]
    padded = logits(network, causal.collate(ours, PAD, packing=False))
    for row, (one, together) in enumerate(zip(ours, packed.split([9, 5, 7]), strict=True)):
        alone = logits(plain, causal.collate([one], PAD, packing=False))[0]
        assert (together - alone).abs().max() < 1e-5
        assert (padded[row, : len(one)] - alone).abs().max() < 1e-5


def moved(network, **planted):
    """How far the logits of the second packed example move when the first one is another."""
    pair = []
    for first in (10, 60):
        batch = causal.collate([example(9, first), example(5, 40)], PAD, packing=True)
        pair.append(logits(network, batch | planted)[0, 9:])
    return (pair[0] - pair[1]).abs().max()


@pytest.mark.heavy
def test_an_example_does_not_see_the_one_before_it(network):
    assert moved(network) == 0


@pytest.mark.heavy
def test_it_would_if_the_examples_were_not_separated(network):
    assert moved(network, example_lengths=None) > 1e-2
    assert moved(network, example_lengths=[14]) > 1e-2


@pytest.mark.heavy
def test_what_flash_attention_reads_separates_the_examples_as_well(network):
    """That is position_ids; with plain torch attention transformers makes a mask of them."""
    plain = deepcopy(network)
    plain.set_attn_implementation("sdpa")
    assert moved(plain) < 1e-5
    assert moved(plain, position_ids=None) > 1e-2


@pytest.mark.heavy
@pytest.mark.parametrize("packing", [True, False])
def test_the_loss_is_the_model_s_own(network, packing):
    import torch

    batch = causal.collate([example(9, 10), example(5, 40)], PAD, packing=packing)
    with torch.no_grad():
        losses, rows = causal.losses(network, batch)
        text = {name: values for name, values in batch.items() if name != "example_lengths"}
        expected = network(**text, use_cache=False).loss
    assert rows.tolist() == ([0] * 10 if packing else [0] * 7 + [1] * 3)
    assert losses.mean().item() == pytest.approx(expected.item(), abs=1e-5)


@pytest.mark.heavy
def test_activations_computed_again_give_the_same_gradients(network):
    batch = causal.collate([example(9, 10), example(5, 40)], PAD, packing=True)
    gradients = []
    for again in (False, True):
        model = deepcopy(network).train()
        if again:
            model.gradient_checkpointing_enable()
        causal.losses(model, batch)[0].sum().backward()
        gradients.append(model.get_input_embeddings().weight.grad)
    assert (gradients[0] - gradients[1]).abs().max() < 1e-5 < gradients[0].abs().max()


@pytest.mark.heavy
@pytest.mark.parametrize("kind", ["PromptTuningConfig", "PrefixTuningConfig"])
def test_virtual_tokens_before_the_text_change_no_place(network, kind):
    import peft
    import torch

    plain = deepcopy(network)
    plain.set_attn_implementation("sdpa")
    tuned = peft.get_peft_model(plain, getattr(peft, kind)(task_type="CAUSAL_LM", num_virtual_tokens=3)).eval()
    batch = causal.collate([example(9, 10), example(5, 40)], PAD, packing=False)
    with torch.no_grad():
        losses, _ = causal.losses(tuned, batch)
        expected = tuned(**batch).loss
    assert losses.mean().item() == pytest.approx(expected.item(), abs=1e-5)


@pytest.mark.heavy
def test_a_masked_micro_batch_has_no_gradient(network):
    losses, _ = causal.losses(network, causal.collate([masked(example(9))], PAD, packing=True))
    losses.sum().backward()
    assert losses.numel() == 0
    assert all(parameter.grad is None or not parameter.grad.any() for parameter in network.parameters())
