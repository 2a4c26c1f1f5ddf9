"""Adapters on the parts of vision-language models, by the project's own module."""

import pytest
from toy_training import variant
from toy_vision import CONFIGS, network

from maple.methods import peft_method
from maple.methods.peft_method import AdapterError
from maple.models.vision import PEFT_TASK
from maple.models.vision_parts import PartError, check_adapted, whole_modules

pytestmark = pytest.mark.heavy
TEXT = r"model\.(language_model|text_model)\."


def attached(name, folder, target_modules, **keys):
    method = variant("LORA", 16, {"r": 2, "target_modules": target_modules, **keys})
    return peft_method.attach(network(name), method, PEFT_TASK, folder)


@pytest.mark.parametrize("name", CONFIGS)
def test_an_adapter_of_the_language_model_is_there_alone_and_merges(name, tmp_path):
    import torch

    connector = whole_modules(network(name), "connector")
    tuned = attached(name, tmp_path, TEXT + r".*\.q_proj", modules_to_save=connector)
    check_adapted(tuned, ["language_model", "connector"])
    assert sum(count for layer, count in peft_method.adapted(tuned).items() if layer.endswith("q_proj")) == 2
    plain = network(name).state_dict()
    merged = peft_method.fold(tuned).state_dict()
    assert plain.keys() == merged.keys() and all(torch.equal(plain[key], merged[key]) for key in plain), "it is new"


@pytest.mark.parametrize("name", ["gemma3", "paligemma"])
def test_an_embedding_that_is_the_output_layer_is_refused(name, tmp_path):
    with pytest.raises(AdapterError, match="the input embedding is the output layer at once"):
        attached(name, tmp_path, TEXT + "embed_tokens")


def test_all_linear_reaches_the_tower_and_is_found(tmp_path):
    with pytest.raises(PartError, match="a layer of vision_tower, where language_model alone may be"):
        check_adapted(attached("llava", tmp_path, "all-linear"), ["language_model"])
