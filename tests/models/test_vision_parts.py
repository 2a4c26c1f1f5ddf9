"""The parts of vision-language models: where their layers are, how many parameters they have, what may be changed."""

import subprocess
import sys

import pytest
from project import ROOT
from toy_vision import CONFIGS, build, linear_layers, network

from maple.models.tiny import BaseError
from maple.models.vision_parts import (
    ARCHITECTURES,
    HEAD,
    PARTS,
    PartError,
    architecture_named,
    check_adapted,
    check_unquantized,
    parameters_by_part,
    whole_modules,
)

NAMES = list(CONFIGS)
ALL = pytest.mark.parametrize("name", NAMES)
EMBEDDING = HEAD_SIZE = 128 * 32
# Four matrices of attention, three of the MLP, two norms; and the last norm.
LLAMA = EMBEDDING + 2 * (4 * 32 * 32 + 3 * 32 * 64 + 2 * 32) + 32
# Gemma 3 has four norms, and two of a head's size.
GEMMA3 = LLAMA + 2 * (2 * 32 + 2 * 16)
# Qwen2's attention has biases of queries, keys and values, Qwen3's norms of queries and keys.
QWEN2, QWEN3 = LLAMA + 2 * 3 * 32, LLAMA + 2 * 2 * 16
# Patches of 8 x 8 in three colours, 16 places; four matrices of attention and two of the MLP, with biases; norms.
SIGLIP = (3 * 64 * 32 + 32) + 16 * 32 + 2 * (4 * (32 * 32 + 32) + (32 * 64 + 64) + (64 * 32 + 32) + 2 * 64) + 64
# Patches of two frames; Qwen2's have no bias and no places. A block: attention in two matrices, MLP, norms.
BLOCK = (32 * 96 + 96) + (32 * 32 + 32) + (32 * 64 + 64) + (64 * 32 + 32) + 2 * 64
VISUAL = 2 * 3 * 64 * 32
BLOCK25 = (32 * 96 + 96) + (32 * 32 + 32) + 2 * (32 * 64 + 64) + (64 * 32 + 32) + 2 * 32
# A merger: a norm, then four patches become one token.
MERGER = 64 + (128 * 128 + 128) + (128 * 32 + 32)
BY_HAND = {
    "gemma3": (GEMMA3, 32 * 32 + 32, SIGLIP, 0),
    "idefics3": (LLAMA, 4 * 32 * 32, SIGLIP, HEAD_SIZE),
    "llava": (LLAMA, 2 * (32 * 32 + 32), SIGLIP, HEAD_SIZE),
    "llava_next": (LLAMA, 2 * (32 * 32 + 32) + 32, SIGLIP, HEAD_SIZE),
    "paligemma": (LLAMA, 32 * 32 + 32, SIGLIP, 0),
    "qwen2_5_vl": (QWEN2, MERGER - 32, VISUAL + 2 * BLOCK25, HEAD_SIZE),
    "qwen2_vl": (QWEN2, MERGER, VISUAL + 2 * BLOCK, HEAD_SIZE),
    "qwen3_vl": (QWEN3, MERGER + (MERGER + 2 * 96), VISUAL + 32 + 16 * 32 + 2 * BLOCK, HEAD_SIZE),
    "smolvlm": (LLAMA, 4 * 32 * 32, SIGLIP, HEAD_SIZE),
}
PATTERN = r"model\.(language_model|text_model)\..*\.(q_proj|v_proj)"


def adapted(name, **keys):
    from peft import LoraConfig, get_peft_model

    return get_peft_model(network(name), LoraConfig(r=2, task_type="CAUSAL_LM", **keys))


def quantized_layers(model):
    return [name for name, module in model.named_modules() if type(module).__name__ in ("Linear4bit", "Linear8bitLt")]


def test_the_table_is_read_without_torch():
    code = "import sys, maple.models.vision_parts\nprint(sorted(set(sys.modules) & {'torch', 'transformers', 'peft'}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_name_belongs_to_the_part_whose_whole_name_it_begins_with():
    llava, qwen = architecture_named("llava"), architecture_named("qwen2_vl")
    assert llava.part_of("model.vision_tower.encoder.layers.0.mlp.fc1") == "vision_tower"
    assert llava.part_of("model.vision_tower_of_another") is None and llava.part_of("lm_head.weight") is None
    assert qwen.part_of("model.visual.merger.mlp.0") == "connector", "it is a module of the tower"
    assert qwen.part_of("model.visual.blocks.0.mlp.gate_proj") == "vision_tower"


@pytest.mark.parametrize("told", ["llama", ""])
def test_a_model_that_reads_text_alone_is_refused(told):
    with pytest.raises(BaseError, match=r"has no parts that are known here, .*write another kind"):
        architecture_named(told)


def test_every_architecture_of_the_table_is_built_here():
    assert set(ARCHITECTURES) == set(CONFIGS) == set(BY_HAND)


@pytest.mark.heavy
@ALL
def test_the_parameters_of_each_part_are_those_counted_by_hand(name):
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText

    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(AutoConfig.for_model(name, **CONFIGS[name]))
    assert parameters_by_part(model) == dict(zip((*PARTS, HEAD), BY_HAND[name], strict=True))
    assert len(linear_layers(model, ["language_model"])) == 2 * 7
    assert "lm_head" not in linear_layers(model, PARTS)


@pytest.mark.heavy
@ALL
def test_layers_that_are_named_by_their_ends_alone_are_those_of_the_language_model_or_refused(name):
    model = adapted(name, target_modules=PATTERN)
    check_adapted(model, ["language_model"])
    # Two layers, two matrices of 32 x 32, each with 2 x 32 and 32 x 2 numbers beside it.
    trained = parameters_by_part(model, trained=True)
    assert trained == {"language_model": 2 * 2 * 2 * 2 * 32, "connector": 0, "vision_tower": 0, "lm_head": 0}


@pytest.mark.heavy
@ALL
def test_all_linear_without_a_part_is_refused_with_the_first_layer_that_it_reaches_elsewhere(name):
    tower = ARCHITECTURES[name].vision_tower[0]
    with pytest.raises(PartError, match=rf"^{tower}\..* a layer of vision_tower, where language_model alone may be"):
        check_adapted(adapted(name, target_modules="all-linear"), ["language_model"])
    spelt = linear_layers(network(name), ["language_model"])
    model = adapted(name, target_modules=spelt)
    check_adapted(model, ["language_model"])
    check_adapted(adapted(name, target_modules="all-linear"), PARTS)


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("name", "modules"),
    [
        ("llava_next", ["model.multi_modal_projector"]),
        ("qwen3_vl", ["model.visual.merger", "model.visual.deepstack_merger_list.0"]),
    ],
)
def test_a_connector_is_trained_as_the_modules_that_it_has(name, modules):
    assert whole_modules(network(name), "connector") == modules


@pytest.mark.heavy
@pytest.mark.parametrize(("name", "reaches"), [("llava", "q_proj"), ("idefics3", "v_proj"), ("qwen2_5_vl", "up_proj")])
def test_a_layer_s_name_that_the_tower_has_too_is_refused(name, reaches):
    with pytest.raises(PartError, match=rf"\.{reaches} would be adapted or trained, a layer of vision_tower"):
        check_adapted(adapted(name, target_modules=[reaches]), ["language_model"])


@pytest.mark.heavy
def test_a_connector_is_trained_whole_where_it_may_be_and_the_output_layer_is_no_part():
    model = adapted("llava", target_modules=PATTERN, modules_to_save=["multi_modal_projector"])
    check_adapted(model, ["language_model", "connector"])
    assert parameters_by_part(model, trained=True)["connector"] == 2 * (32 * 32 + 32)
    with pytest.raises(PartError, match=r"^model\.multi_modal_projector would be .* a layer of connector"):
        check_adapted(model, ["language_model"])
    with pytest.raises(PartError, match=r"^lm_head would be adapted or trained, a layer of no part, the output layer"):
        check_adapted(adapted("llava", target_modules=["lm_head"]), PARTS)


@pytest.mark.heavy
@pytest.mark.parametrize("bits", [8, 4])
@ALL
def test_the_language_model_alone_is_quantized(name, bits, tmp_path):
    from maple.models import vision

    model = vision.load(build(name, tmp_path), bits)
    assert sorted(quantized_layers(model)) == sorted(linear_layers(network(name), ["language_model"]))
    whole = dict(zip((*PARTS, HEAD), BY_HAND[name], strict=True))
    assert parameters_by_part(model) == whole, "a layer in 4 bits counts as many as it stands for"


@pytest.mark.heavy
def test_names_that_transformers_does_not_match_quantize_the_tower_and_are_found(tmp_path):
    from transformers import AutoModelForImageTextToText

    from maple.models.precision import load_pretrained

    folder = build("llava", tmp_path)
    for kept in ([], ["vision_tower", "multi_modal_projector", "lm_head"]):
        model = load_pretrained(AutoModelForImageTextToText, folder, 8, unquantized=kept)
        assert any("vision_tower" in name for name in quantized_layers(model))
        with pytest.raises(BaseError, match=r"^model\.vision_tower\..* of a llava is quantized"):
            check_unquantized(model)
