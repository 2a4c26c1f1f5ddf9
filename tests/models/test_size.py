"""Sizes of models, held against what is published, formulas written out, and caches that are really filled."""

import json
from types import SimpleNamespace

import pytest
import yaml
from project import ROOT
from toy_vision import CONFIGS

from maple.models.size import Size, UnknownSizeError, size_of_folder, size_of_keys
from maple.planning.plan import PlannedModel
from maple.planning.sizes import model_sizes

pytestmark = pytest.mark.heavy

LLAMA = {"model_type": "llama", "vocab_size": 10, "hidden_size": 2, "intermediate_size": 3, "num_hidden_layers": 1}
LLAMA |= {"num_attention_heads": 1, "num_key_value_heads": 1, "tie_word_embeddings": True}
MIXTRAL = LLAMA | {"model_type": "mixtral", "num_local_experts": 4, "num_experts_per_tok": 2}


def declared(model):
    return yaml.safe_load((ROOT / f"config/models/{model}.yaml").read_text())["architecture"]


def by_hand(architecture, biases=0):
    """The parameters, and the inputs and outputs of linear layers, of a LLaMA, Mistral or Qwen2, matrix by matrix."""
    width, inner, layers = (architecture[key] for key in ("hidden_size", "intermediate_size", "num_hidden_layers"))
    heads = architecture["num_attention_heads"]
    keys = width // heads * architecture.get("num_key_value_heads", heads)
    shapes = [(width, width), (width, keys), (width, keys), (width, width), *[(width, inner)] * 2, (inner, width)]
    norms, biased = 2 * width, biases and width + 2 * keys
    embeddings = 2 * architecture["vocab_size"] * width
    parameters = embeddings + layers * (sum(a * b for a, b in shapes) + norms + biased) + width
    return parameters, layers * sum(a + b for a, b in shapes)


def test_a_small_model_is_counted_in_the_head():
    # 10 x 2 embeddings, four 2 x 2 of attention, three 2 x 3, three norms of 2; keys and values of 2 in 2 bytes each.
    tied = size_of_keys(LLAMA)
    assert tied == Size(parameters=20 + 16 + 18 + 6, active=60, linear=4 * 4 + 3 * 5, cache=2 * 2 * 2)
    untied = size_of_keys(LLAMA | {"tie_word_embeddings": False})
    assert (untied.parameters, untied.active) == (80, 60), "an embedding that is only looked up computes nothing"


@pytest.mark.parametrize(
    ("model", "parameters", "biases"),
    [("llama-2-7b", 6_738_415_616, 0), ("mistral-7b", 7_241_732_096, 0), ("qwen2.5-7b-instruct", 7_615_616_512, 1)],
)
def test_large_models_have_the_parameters_that_are_published_and_those_of_the_formulas(model, parameters, biases):
    size = size_of_keys(declared(model))
    assert size.parameters == parameters
    assert (size.parameters, size.linear) == by_hand(declared(model), biases)


def test_the_figures_that_the_tests_of_the_forecast_take_are_these():
    assert size_of_keys(declared("llama-2-7b")) == Size(6_738_415_616, 6_607_343_616, 2_498_560, 524_288.0)
    mistral = size_of_keys(declared("mistral-7b"))
    assert (mistral.active, mistral.window, mistral.window_cache) == (7_110_660_096, 4096, 131_072.0)


def test_a_token_computes_with_the_experts_that_its_router_chooses():
    size = size_of_keys(MIXTRAL)
    expert = 3 * 2 * 3
    assert size.parameters == 20 + 16 + 4 * expert + 4 * 2 + 6
    assert size.active == size.parameters - 2 * expert


def test_the_older_names_of_the_keys_are_known():
    size = size_of_keys(
        {"model_type": "gpt2", "n_embd": 8, "n_layer": 1, "n_head": 2, "n_positions": 16, "vocab_size": 10}
    )
    # Embeddings of tokens and positions; attention and output, two layers of four times the width; their norms.
    assert size.parameters == 10 * 8 + 16 * 8 + (8 * 24 + 24) + (8 * 8 + 8) + (8 * 32 + 32) + (32 * 8 + 8) + 3 * 16
    assert size.linear == (8 + 24) + (8 + 8) + (8 + 32) + (32 + 8)


@pytest.mark.parametrize("name", ["idefics3", "llava", "qwen2_5_vl"])
def test_the_linear_layers_of_a_vision_language_model_are_those_of_its_language_model(name):
    size = size_of_keys({"model_type": name, **CONFIGS[name]}, "AutoModelForImageTextToText")
    # Two layers: four of 32 and 32 in the attention, three of 32 and 64 in the MLP.
    assert size.linear == 2 * (4 * (32 + 32) + 3 * (32 + 64))
    assert size.parameters > 2 * size.linear, "the tower and the embeddings are counted"


SMALL = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4}
SMALL |= {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16}
OWN = {"falcon": {"num_kv_heads": 4, "multi_query": True}, "gpt2": {}, "bloom": {}, "gpt_neox": {}}
WINDOWS = {"gemma2": 8, "gemma3_text": 8, "mistral": 8}


@pytest.mark.parametrize(
    "name", ["llama", "qwen3", "falcon", "gpt2", "bloom", "gpt_neox", "gemma2", "gemma3_text", "mistral"]
)
def test_the_cache_is_what_transformers_keeps_of_a_text(name):
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from maple.models.size import size_of_network

    keys = {key: SMALL[key] for key in ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")}
    keys = keys | OWN[name] if name in OWN else SMALL | ({"sliding_window": 8} if name in WINDOWS else {})
    torch.manual_seed(0)
    network = AutoModelForCausalLM.from_config(AutoConfig.for_model(name, **keys)).eval()
    size = size_of_network(network)
    assert size.window == WINDOWS.get(name, 0)
    for length in (4, 20):
        with torch.inference_mode():
            cache = network(input_ids=torch.ones(1, length, dtype=torch.long), use_cache=True).past_key_values
        held = sum(2 * part.numel() for layer in cache.layers for part in (layer.keys, layer.values))
        # A layer with a window of 8 keeps 7 tokens: the next one is the eighth.
        assert held == size.cache * length + size.window_cache * min(length, size.window and size.window - 1)


@pytest.mark.parametrize(
    ("architecture", "told"),
    [
        ({"model_type": "no_such_model"}, "builds no network of its config .*no_such_model"),
        (LLAMA | {"num_attention_heads": 0}, "builds no network of its config"),
        ({}, "fetch it, or write `architecture:`"),
    ],
)
def test_a_model_that_cannot_be_built_is_unknown_and_ends_no_forecast(architecture, told, tmp_path):
    if architecture:
        with pytest.raises(UnknownSizeError, match=told):
            size_of_keys(architecture)
    plan = planned(odd=architecture, toy=LLAMA)
    sizes = model_sizes(plan, f"{tmp_path}/{{model}}", tmp_path / "memory.json")
    assert list(sizes.known) == ["toy"] and list(sizes.unknown) == ["odd"]


def planned(**architectures):
    """What `model_sizes` reads of a plan."""
    models = {name: PlannedModel(endpoint=False, hub=None, architecture=keys) for name, keys in architectures.items()}
    return SimpleNamespace(models=models)


def test_the_config_of_a_fetched_model_is_read_before_the_keys_of_its_file(toy_base, tmp_path):
    (tmp_path / "toy").symlink_to(toy_base)
    sizes = model_sizes(planned(toy={}), f"{tmp_path}/{{model}}", tmp_path / "memory.json")
    assert sizes.known["toy"] == size_of_folder(toy_base)
    vocabulary = json.loads((toy_base / "config.json").read_text())["vocab_size"]
    layer = 4 * 128 * 128 + 3 * 128 * 256 + 2 * 128
    assert sizes.known["toy"].parameters == vocabulary * 128 + 2 * layer + 128


def test_a_size_is_remembered_until_the_config_changes(tmp_path, monkeypatch):
    memory = tmp_path / "memory.json"
    first = model_sizes(planned(toy=LLAMA), f"{tmp_path}/{{model}}", memory)
    monkeypatch.setattr("maple.planning.sizes.size_of_keys", lambda *_: pytest.fail("it is known"))
    assert model_sizes(planned(toy=LLAMA), f"{tmp_path}/{{model}}", memory) == first
    monkeypatch.setattr("maple.planning.sizes.size_of_keys", lambda *_: Size(1, 1, 1, 1))
    changed = model_sizes(planned(toy=LLAMA | {"vocab_size": 11}), f"{tmp_path}/{{model}}", memory)
    assert changed.known["toy"].parameters == 1
    assert len([key for key in json.loads(memory.read_text()) if len(key) == 32]) == 2


def test_an_encoder_caches_nothing_and_the_shared_layer_of_albert_computes_as_often_as_it_has_layers():
    size = {"vocab_size": 10, "hidden_size": 2, "intermediate_size": 3, "num_attention_heads": 1}
    keys = size | {"num_hidden_layers": 4, "max_position_embeddings": 8}
    auto_class = "AutoModelForSequenceClassification"
    bert = size_of_keys({"model_type": "bert", **keys}, auto_class)
    # A layer: four 2 x 2 of attention and two 2 x 3 with biases, two norms. The head: a pooler, and two labels.
    layer, pooler, classifier = 4 * (4 + 2) + (6 + 3) + (6 + 2) + 2 * 4, 4 + 2, 4 + 2
    assert bert.active == 4 * layer + 4 + pooler + classifier, "4: the norm of the embeddings"
    assert bert.parameters == bert.active + 2 * (10 + 8 + 2)
    assert (bert.cache, bert.window, bert.notes) == (0.0, 0, ())
    albert = size_of_keys({"model_type": "albert", "embedding_size": 2, **keys}, auto_class)
    assert albert.active - (albert.parameters - 2 * (10 + 8 + 2)) == 3 * layer
