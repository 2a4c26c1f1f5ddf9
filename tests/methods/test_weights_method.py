"""Training a part of a model's own weights, for real, on tiny models."""

import json

import pytest
from toy_training import EXAMPLES, HELD_OUT, MERGE, MODEL, finetuned, trains

from maple.methods import weights_method
from maple.methods.adapter_files import AdapterError
from maple.models import causal
from maple.training.merging import merge

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="session")
def biased_base(toy_base, tmp_path_factory):
    """The toy base with biases in its attention, which start at zero."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path_factory.mktemp("biased") / "base"
    config = AutoConfig.from_pretrained(toy_base, attention_bias=True)
    model = AutoModelForCausalLM.from_config(config)
    model.load_state_dict(AutoModelForCausalLM.from_pretrained(toy_base).state_dict(), strict=False)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(toy_base).save_pretrained(folder)
    return folder


def learnt(card):
    before, *_, after = (measure["bits_per_byte"] for measure in card.held_out)
    return all(after[code] < before[code] for code in before)


def test_full_finetuning_saves_a_model_that_needs_no_base(toy_base, tmp_path):
    from safetensors.torch import load_file

    card = finetuned(toy_base, tmp_path, trains("all", learning_rate=1e-3))
    assert learnt(card) and card.method == {"trains": "all"}
    assert card.trainable_parameters == card.all_parameters
    saved, base = (
        {name: values for path in folder.glob("*.safetensors") for name, values in load_file(path).items()}
        for folder in (tmp_path / "adapter", toy_base)
    )
    assert saved.keys() == base.keys() and {str(values.dtype) for values in saved.values()} == {"torch.bfloat16"}
    assert all((saved[name] != base[name]).any() for name in base)
    names = {path.name for path in (tmp_path / "adapter").iterdir() if path.is_file()}
    assert {"config.json", "tokenizer.json"} <= names and "build.json" not in names
    ids = tokens(toy_base)
    assert (causal.load(tmp_path / "adapter", 16)(ids).logits - causal.load(toy_base, 16)(ids).logits).abs().max() > 0.1


def tokens(base):
    import torch

    return torch.tensor([[5, 6, 7, 8, 9]])


def test_biases_alone_are_trained_saved_and_merged(biased_base, tmp_path):
    import torch
    from safetensors.torch import load_file

    card = finetuned(biased_base, tmp_path, trains("biases", learning_rate=0.1))
    assert learnt(card) and card.adapted == {f"model.layers.*.self_attn.{part}_proj.bias": 2 for part in "koqv"}
    assert card.trainable_parameters == 2 * 4 * 128
    saved = load_file(tmp_path / "adapter" / weights_method.WEIGHTS)
    assert len(saved) == 8 and {str(values.dtype) for values in saved.values()} == {"torch.float32"}
    described = json.loads((tmp_path / "adapter" / weights_method.DESCRIPTION).read_text())
    assert described == {"trains": "biases", "base_model_name_or_path": None, "revision": None}
    put = weights_method.load(causal.load(biased_base, 16), tmp_path / "adapter")
    for name, values in saved.items():
        assert torch.equal(put.get_parameter(name), values)
    settings = {"settings": MERGE, "model": MODEL, "threads": 1, "module": "weights_method"}
    (tmp_path / "merged").mkdir()
    card = merge(biased_base, tmp_path / "adapter", HELD_OUT, tmp_path / "merged", bits=16, max_length=128, **settings)
    assert card.ways["original"].kl < 1e-4 < card.ways["untouched"].kl


def test_a_base_without_biases_or_head_is_refused_by_name(toy_base, tmp_path):
    for part, lacks in (("biases", "a llama model has no biases"), ("head", "a llama model has no head")):
        with pytest.raises(AdapterError, match=f"trains: {part}: {lacks}"):
            finetuned(toy_base, tmp_path, trains(part))


def test_trained_weights_of_another_base_are_refused(biased_base, toy_base, tmp_path):
    finetuned(biased_base, tmp_path, trains("biases"))
    with pytest.raises(AdapterError, match=r"which has no weights model\.layers\.0\.self_attn\.k_proj\.bias"):
        weights_method.load(causal.load(toy_base, 16), tmp_path / "adapter")
    with pytest.raises(AdapterError, match="no trained weights"):
        weights_method.load(causal.load(toy_base, 16), tmp_path)


@pytest.mark.parametrize("part", ["all", "biases"])
def test_a_training_goes_on_from_its_checkpoint_bit_for_bit(biased_base, tmp_path, part):
    whole = finetuned(biased_base, tmp_path / "whole", trains(part), save_steps=3)
    assert whole.resumed_from is None
    finetuned(biased_base, tmp_path / "halved", trains(part), save_steps=3)
    kept = next((tmp_path / "halved/checkpoints").iterdir())
    import shutil

    shutil.rmtree(kept / "6")
    shutil.rmtree(tmp_path / "halved/adapter")
    resumed = finetuned(biased_base, tmp_path / "halved", trains(part), save_steps=3)
    assert resumed.resumed_from == 3
    files = [path.name for path in (tmp_path / "whole/adapter").glob("*.safetensors")]
    for name in files:
        assert (tmp_path / "whole/adapter" / name).read_bytes() == (tmp_path / "halved/adapter" / name).read_bytes()


def test_the_best_measurement_of_all_weights_is_kept(toy_base, tmp_path):
    card = finetuned(toy_base, tmp_path, trains("all", learning_rate=3.0, keep="best"), examples=EXAMPLES)
    assert card.kept_step == card.best_step
