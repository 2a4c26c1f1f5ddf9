"""What the table of architectures says is measured again, each on a tiny model with random weights."""

import pytest
from toy_architectures import ARCHITECTURES as TOYS
from toy_architectures import build, model_type_of

from maple.models import causal
from maple.models.architectures import ARCHITECTURES, CLASSIFIER, MIXTURE, TRANSLATOR, architecture_of
from maple.models.tiny import BaseError

PROMPTS = [[5, 9, 7, 30, 31, 32, 8, *own] for own in ([11, 12], [40, 41, 42, 43, 44], [13], [60, 61, 62])]
CONTINUATIONS = [[20], [21, 22, 23], [24, 25], [26, 27]]
# Rounding merged weights to bfloat16 may send a token to another expert: the bound of a mixture is higher.
BOUNDS = {False: 2e-3, True: 1e-2}
# In 4 and 8 bits as well: one of each way in which layers are made.
QUANTIZED = ("llama", "gemma2", "gpt2", "gpt_neox", "phi3", "mamba", "mamba2", "falcon", "mixtral")


def test_every_line_of_the_table_is_measured():
    # Encoders are measured by test_encoder.py, translators by test_seq2seq.py.
    causal = {name for name, facts in ARCHITECTURES.items() if facts not in (CLASSIFIER, TRANSLATOR)}
    assert {model_type_of(name) for name in TOYS} == causal


def test_an_architecture_is_known_by_the_text_part_of_a_model_of_several_parts():
    assert architecture_of({"model_type": "qwen3_moe"}) is MIXTURE
    assert architecture_of({"model_type": "gemma3", "text_config": {"model_type": "gemma3_text"}}).pads is None
    assert architecture_of({"model_type": "of-tomorrow"}) is None


@pytest.mark.heavy
@pytest.mark.parametrize("name", TOYS)
def test_layers_are_in_blocks_of_these_names_where_a_line_says_so(name):
    import torch
    from torch.nn import Linear
    from transformers import AutoConfig, AutoModelForCausalLM

    facts = ARCHITECTURES[model_type_of(name)]
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(model_type_of(name), **TOYS[name]))
    output = model.get_output_embeddings()
    layers = [part for part, layer in model.named_modules() if isinstance(layer, Linear) and layer is not output]
    attention, mlp = ([part for part in layers if f".{block}." in part] for block in ("self_attn", "mlp"))
    named = bool(attention and mlp) and len(attention) + len(mlp) == len(layers)
    assert facts.blocks == (named and not facts.experts)


@pytest.fixture(params=TOYS)
def toy(request, tmp_path):
    """The name of a toy architecture and the folder of its model."""
    build(request.param, tmp_path)
    return request.param, tmp_path


@pytest.mark.heavy
def test_an_architecture_does_what_its_line_says(toy):
    from measured_architectures import packed_difference, trained_and_merged

    name, folder = toy
    facts = ARCHITECTURES[model_type_of(name)]
    reason, difference = packed_difference(folder)
    assert (reason is None) == (facts.pads is None), reason
    assert difference < 1e-3, "packed or padded, an example has the loss that it has in the model's own attention"
    before, after, kl = trained_and_merged(folder, 16)
    assert after < before - 0.3
    assert kl < BOUNDS[facts.experts]
    assert_batches_are_as_alone(folder)


def assert_batches_are_as_alone(folder):
    """Prompts that share a prefix longer than a window, of different lengths, are answered as each is alone."""
    from measured_architectures import engine_options

    from maple.engines.transformers_engine import TransformersEngine

    engine = TransformersEngine(engine_options(folder))
    alone = [engine.complete([prompt], [5])[0] for prompt in PROMPTS]
    together = engine.complete(PROMPTS, [5] * len(PROMPTS))
    assert [one.tokens for one in together] == [one.tokens for one in alone]
    scored = [engine.log_likelihoods([p], [c])[0] for p, c in zip(PROMPTS, CONTINUATIONS, strict=True)]
    assert engine.log_likelihoods(PROMPTS, CONTINUATIONS) == pytest.approx(scored, abs=1e-4)
    assert scored == pytest.approx(
        [log_likelihood(engine.model, *pair) for pair in zip(PROMPTS, CONTINUATIONS, strict=True)], abs=1e-4
    )


def log_likelihood(model, prompt, continuation):
    """Of one sequence, without padding or cache."""
    import torch

    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([[*prompt, *continuation]]), use_cache=False).logits[0].float()
    rows = logits.log_softmax(-1)[len(prompt) - 1 :]
    return sum(float(row[token]) for row, token in zip(rows, continuation, strict=False))


@pytest.mark.heavy
@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("name", QUANTIZED)
def test_it_learns_and_merges_in_fewer_bits_or_is_refused(name, bits, tmp_path):
    from measured_architectures import trained_and_merged

    build(name, tmp_path)
    if bits in ARCHITECTURES[name].fails:
        with pytest.raises((BaseError, RuntimeError)):
            trained_and_merged(tmp_path, bits)
        return
    before, after, kl = trained_and_merged(tmp_path, bits)
    assert after < before - 0.3
    assert kl < BOUNDS[False]


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["falcon", "mixtral"])
def test_bits_that_would_leave_most_weights_as_they_are_are_refused(name, tmp_path):
    build(name, tmp_path)
    with pytest.raises(BaseError, match=rf"bits: 4: \d+% of the weights of a {name} model would be quantized"):
        causal.load(tmp_path, 4)
