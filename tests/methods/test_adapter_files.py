"""A saved adapter is attached whole, or refused: by merging, and by both engines that attach."""

import json
from pathlib import Path

import pytest
from toy_training import lora, variant

from maple.engines.engine import EngineOptions
from maple.engines.start import ENGINES
from maple.methods import peft_method
from maple.methods.adapter_files import CONFIG, WEIGHTS, AdapterError, check_saved
from maple.models import causal
from maple.models.empty import empty_model

pytestmark = pytest.mark.heavy
LAST = "base_model.model.model.layers.1.mlp.down_proj.lora_B.weight"


def saved(base, folder, method) -> Path:
    """Save an untrained adapter."""
    folder.mkdir()
    peft_method.save(peft_method.attach(causal.load(base, 16), method, causal.PEFT_TASK, folder), base, folder)
    return folder


@pytest.fixture
def adapter(toy_base, tmp_path):
    return saved(toy_base, tmp_path / "adapter", lora())


def change_weights(adapter, change):
    from safetensors.torch import load_file, save_file

    save_file(
        {name: tensor.clone() for name, tensor in change(load_file(adapter / WEIGHTS)).items()}, adapter / WEIGHTS
    )


def change_config(adapter, **changes):
    config = json.loads((adapter / CONFIG).read_text())
    (adapter / CONFIG).write_text(json.dumps(config | changes))


def options(base, adapter):
    return EngineOptions(base, batch=2, max_length=64, eos=2, pad=3, threads=1, adapters=[adapter])


def through_transformers(base, adapter):
    ENGINES["transformers"].start(options(base, adapter)).use(adapter)


def through_vllm(base, adapter):
    ENGINES["vllm"].start(options(base, adapter))


def through_merging(base, adapter):
    peft_method.load(causal.load(base, 16), adapter)


WAYS = [through_merging, through_transformers, through_vllm]


def refused(way, base, adapter) -> str:
    with pytest.raises(AdapterError) as error:
        way(base, adapter)
    assert str(adapter) in str(error.value) and "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("way", WAYS)
def test_an_adapter_that_lacks_a_tensor_is_refused_by_whatever_attaches_it(toy_base, adapter, way):
    change_weights(adapter, lambda tensors: {name: value for name, value in tensors.items() if name != LAST})
    assert f"1 missing: {LAST}" in refused(way, toy_base, adapter)


@pytest.mark.parametrize("way", WAYS)
def test_an_adapter_whose_names_do_not_match_does_not_attach_as_nothing(toy_base, adapter, way):
    change_weights(adapter, lambda tensors: {name.replace("lora_", "lora."): value for name, value in tensors.items()})
    told = refused(way, toy_base, adapter)
    assert "28 missing: " in told and "28 without a place in the base: " in told


@pytest.mark.parametrize("way", WAYS)
def test_an_adapter_in_another_form_than_safetensors_is_refused(toy_base, adapter, way):
    (adapter / WEIGHTS).rename(adapter / "adapter_model.bin")
    assert f"no adapter, it has no {WEIGHTS}" in refused(way, toy_base, adapter)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda name: name.replace("layers.1", "layers.7"), "14 missing: "),
        (lambda name: name.removeprefix("base_model.model."), "28 missing: "),
        (lambda name: name.replace(".weight", ".default.weight"), "28 "),
        (lambda name: "x" + name, "28 without a place in the base: xbase_model"),
    ],
)
def test_every_name_counts(toy_base, adapter, change, says):
    change_weights(adapter, lambda tensors: {change(name): value for name, value in tensors.items()})
    assert says in refused(through_merging, toy_base, adapter)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"r": 8}, "adapter"),  # of another rank
        ({"target_modules": ["q_proj"]}, "without a place in the base"),
        ({"target_modules": ["no_such_layer"]}, "does not fit its base"),
        ({"use_dora": True}, "14 missing: "),
        ({"modules_to_save": ["lm_head"]}, "lm_head"),
    ],
)
def test_a_config_of_another_adapter_is_refused(toy_base, adapter, changes, says):
    change_config(adapter, **changes)
    assert says in refused(through_merging, toy_base, adapter)


def test_a_torn_file_is_named(toy_base, adapter):
    (adapter / WEIGHTS).write_bytes((adapter / WEIGHTS).read_bytes()[:-5])
    assert "torn (" in refused(through_merging, toy_base, adapter)


@pytest.mark.parametrize(
    "method",
    [
        lora(),
        lora(adapter={"use_dora": True, "modules_to_save": ["lm_head"]}),
        lora(adapter={"trainable_token_indices": [5, 6]}),
        variant("PREFIX_TUNING", 16, {"num_virtual_tokens": 4}),
        variant("VERA", 16, {"r": 8, "target_modules": "all-linear"}),
        variant("LN_TUNING", 16, {}),
    ],
    ids=["lora", "dora", "tokens", "prefix", "vera", "norms"],
)
def test_what_was_saved_fits_with_weights_and_without(toy_base, tmp_path, method):
    adapter = saved(toy_base, tmp_path / "adapter", method)
    through_merging(toy_base, adapter)
    check_saved(empty_model(toy_base, causal), adapter)
