"""Methods on the parts of vision-language models: where adapters are, and every type of the table, for real."""

import re

import pytest
from project import ROOT
from toy_pictured import batch, learn, logits, made, placed
from toy_training import TRAINING, trains, variant
from toy_vision import CONFIGS, linear_layers, network

from maple.definitions.method import GridAxes, Method, PeftMethod
from maple.definitions.reading import read_definitions
from maple.definitions.training import TrainingSettings
from maple.methods import peft_method, weights_method
from maple.methods.adapter_files import AdapterError
from maple.methods.capabilities import PEFT_TYPES, TRAINED_PARTS, reason_against_training
from maple.models import vision
from maple.models.vision import PEFT_TASK
from maple.models.vision_parts import (
    ARCHITECTURES,
    POSITIONS,
    PartError,
    parameters_by_part,
    whole_modules,
)
from maple.study.grid import method_variants

pytestmark = pytest.mark.heavy

LINEAR = {"target_modules": "all-linear"}
LORA = {"r": 4, "lora_alpha": 8, **LINEAR}
# Adapters by their types, each with what its config needs on a tiny model; LoRA's variants as further entries.
TYPES = {
    "LORA": ("LORA", LORA),
    "short": ("LORA", {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"]}),
    "pattern": ("LORA", {"r": 4, "lora_alpha": 8, "target_modules": r".*\.[qv]_proj"}),
    "none": ("LORA", {"r": 4, "lora_alpha": 8}),
    "rsLoRA": ("LORA", {"use_rslora": True, **LORA}),
    "DoRA": ("LORA", {"use_dora": True, **LORA}),
    "tokens": ("LORA", {"trainable_token_indices": [20], **LORA}),
    "ADALORA": ("ADALORA", {"target_r": 4, "init_r": 6, **LINEAR}),
    "BOFT": ("BOFT", {"boft_block_size": 8, "target_modules": ["q_proj", "v_proj"]}),
    "C3A": ("C3A", {"block_size": 8, **LINEAR}),
    "DELORA": ("DELORA", {"r": 4, **LINEAR}),
    "FOURIERFT": ("FOURIERFT", {"n_frequency": 100, **LINEAR}),
    "GLORA": ("GLORA", {"r": 4, **LINEAR}),
    "GRALORA": ("GRALORA", {"r": 4, "alpha": 8, "gralora_k": 2, **LINEAR}),
    "HIRA": ("HIRA", {"r": 4, **LINEAR}),
    "HOULSBY": ("HOULSBY", {"reduction_factor": 4}),
    "HRA": ("HRA", {"r": 4, **LINEAR}),
    "IA3": ("IA3", {}),
    "LN_TUNING": ("LN_TUNING", {}),
    "LOHA": ("LOHA", {"r": 4, "alpha": 8, **LINEAR}),
    "LOKR": ("LOKR", {"r": 4, "alpha": 8, **LINEAR}),
    "MISS": ("MISS", {"r": 4, **LINEAR}),
    "OFT": ("OFT", {"oft_block_size": 32, **LINEAR}),
    "PFEIFFER": ("PFEIFFER", {"reduction_factor": 4}),
    "PREFIX_TUNING": ("PREFIX_TUNING", {"num_virtual_tokens": 4}),
    "PROMPT_TUNING": ("PROMPT_TUNING", {"num_virtual_tokens": 4}),
    "PSOFT": ("PSOFT", {"r": 4, **LINEAR}),
    "P_TUNING": ("P_TUNING", {"num_virtual_tokens": 4, "encoder_hidden_size": 32}),
    "RANDLORA": ("RANDLORA", {"r": 8, **LINEAR}),
    "ROAD": ("ROAD", {"group_size": 32, **LINEAR}),
    "SHIRA": ("SHIRA", {"r": 4, **LINEAR}),
    "VBLORA": ("VBLORA", {"r": 4, "num_vectors": 64, "vector_length": 32, **LINEAR}),
    "VERA": ("VERA", {"r": 16, **LINEAR}),
    "WAVEFT": ("WAVEFT", {"n_frequency": 100, **LINEAR}),
}
# Rates of types with few parameters, and of one whose matrix amplifies rounding where it has moved far.
RATES = {"PREFIX_TUNING": 0.3, "PROMPT_TUNING": 0.3, "P_TUNING": 0.3, "RANDLORA": 3e-3}
WITH_CONNECTOR = {
    name: method
    for name, method in read_definitions(ROOT / "config/methods", Method).items()
    if isinstance(method, PeftMethod) and method.axes.connector
}
# Both architectures in 16 bits, one in 8 and 4.
TABLE = [("idefics3", 16), ("llava", 16), ("llava", 8), ("llava", 4)]


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictured")
    return {name: made(name, folder) for name in ("idefics3", "llava")}


def attached(base, method, folder):
    """Attach an adapter, or choose the weights that are trained."""
    import torch

    torch.manual_seed(1)
    folder.mkdir(parents=True, exist_ok=True)
    module = peft_method if method.MODULE == "peft_method" else weights_method
    return module.attach(base, method, PEFT_TASK, folder, (), vision.parts_of(base))


def of_parts(state, outside):
    """The tensors of a network that are in no one of the parts `outside`, by name."""
    return {name: values.clone() for name, values in state.items() if not name.startswith(tuple(outside))}


def changed(parts, before, now):
    """The parts in which a tensor of a network is another one than before."""
    import torch

    assert before.keys() == now.keys()
    return {parts.part_of(key) or "lm_head" for key in before if not torch.equal(before[key], now[key])}


def difference(left, right):
    return (left - right).abs().max().item()


@pytest.mark.parametrize(("name", "bits"), TABLE)
@pytest.mark.parametrize("method", TYPES)
def test_every_type_of_the_table_trains_on_the_language_model_alone(models, tmp_path, method, name, bits):
    import torch

    peft, adapter = TYPES[method]
    one = variant(peft, bits, adapter)
    if reason_against_training(one, "vision"):
        pytest.skip("the table refuses it")
    base, examples = models[name]
    loaded = vision.load(base, bits)
    frozen = of_parts(loaded.state_dict(), vision.parts_of(loaded).language_model)
    tuned = attached(loaded, one, tmp_path)
    trained = vision.parts_of(loaded).trained(tuned)
    assert sum(trained.values()) == trained["language_model"] == peft_method.parameters(tuned)[0] > 0
    losses = learn(tuned, examples, RATES.get(peft, 1e-2))
    assert losses[-1] < losses[0]
    now = peft_method.base_of(tuned).state_dict()
    assert frozen and all(torch.equal(values, now[key]) for key, values in frozen.items())
    learnt = logits(tuned, examples)
    peft_method.save(tuned, base, tmp_path)
    assert difference(logits(peft_method.load(vision.load(base, bits), tmp_path), examples), learnt) == 0
    put = peft_method.load(vision.load(base, 16), tmp_path)
    answers = logits(put, examples)
    asked = {key: values for key, values in batch(examples[:1]).items() if key != "labels"}
    assert put.generate(**asked, max_new_tokens=2, do_sample=False).shape[0] == 1
    if PEFT_TYPES[peft].merges:
        assert difference(logits(peft_method.fold(put), examples), answers) < 1e-5 * answers.abs().max()
    else:
        with pytest.raises((AttributeError, ValueError)):  # a soft prompt has nothing to fold, ours refuse
            peft_method.fold(put)


def test_every_type_that_is_said_to_train_on_vision_language_models_is_tried():
    assert {peft for peft, _ in TYPES.values()} == {name for name, one in PEFT_TYPES.items() if "vision" in one.kinds}


@pytest.mark.parametrize("name", CONFIGS)
def test_all_linear_and_short_names_are_layers_of_the_language_model(name, tmp_path):
    base = network(name)
    layers = linear_layers(base, ["language_model"])
    tuned = attached(base, variant("LORA", 16, LORA), tmp_path)
    # Each of 14 layers: r times its inputs and outputs. Attention: 4 of 32 and 32, MLP: 3 of 32 and 64, twice.
    assert parameters_by_part(tuned, trained=True)["language_model"] == 2 * 4 * (4 * 64 + 3 * 96)
    assert sum(peft_method.adapted(tuned).values()) == len(layers) == 14
    short = attached(network(name), variant("LORA", 16, TYPES["short"][1]), tmp_path)
    assert set(peft_method.adapted(short).values()) == {2} and len(peft_method.adapted(short)) == 2


@pytest.mark.parametrize("name", [name for name in CONFIGS if name not in ("gemma3", "paligemma")])
def test_a_bottleneck_is_behind_layers_of_the_language_model_and_never_of_the_tower(name, tmp_path):
    for peft, layers in (("PFEIFFER", 2), ("HOULSBY", 4)):
        tuned = attached(network(name), variant(peft, 16, {"reduction_factor": 4}), tmp_path)
        assert sum(peft_method.adapted(tuned).values()) == layers
        # Down 32 x 8 and 8, up 8 x 32 and 32.
        assert parameters_by_part(tuned, trained=True)["language_model"] == layers * (2 * 32 * 8 + 8 + 32)


ATTENTION, MLP = {"q_proj", "k_proj", "v_proj", "o_proj"}, {"gate_proj", "up_proj", "down_proj"}
PLACES = {
    "attention": (ATTENTION, {"k_proj", "v_proj"}, {"o_proj"}),
    "mlp": (MLP, {"down_proj"}, {"down_proj"}),
    "both": (ATTENTION | MLP, {"k_proj", "v_proj", "down_proj"}, {"o_proj", "down_proj"}),
}


@pytest.mark.parametrize("location", PLACES)
@pytest.mark.parametrize("name", ["idefics3", "llava"])
def test_a_location_is_the_attention_or_the_mlp_of_each_layer(name, location, tmp_path):
    for (peft, adapter), expected in zip(
        (TYPES["LORA"], TYPES["IA3"], TYPES["HOULSBY"]), PLACES[location], strict=True
    ):
        tuned = attached(network(name), placed(peft, 16, adapter, location=location), tmp_path)
        adapted = peft_method.adapted(tuned)
        assert {layer.rsplit(".", 1)[1] for layer in adapted} == expected and set(adapted.values()) == {2}


def test_a_location_is_one_of_text_models_too(toy_base, tmp_path):
    from maple.models import causal

    for location, layers in (("attention", ATTENTION), ("mlp", MLP)):
        for peft, adapter in (TYPES["LORA"], TYPES["pattern"]):
            if location == "mlp" and adapter is TYPES["pattern"][1]:
                continue
            one = placed(peft, 16, adapter, location=location)
            tuned = peft_method.attach(causal.load(toy_base, 16), one, "CAUSAL_LM", tmp_path)
            assert {layer.rsplit(".", 1)[1] for layer in peft_method.adapted(tuned)} <= layers


def test_a_location_in_which_the_method_adapts_nothing_is_refused(tmp_path):
    with pytest.raises(AdapterError, match=r"^axes\.location: both: no layer within a module mlp is adapted"):
        attached(network("llava"), placed("LORA", 16, TYPES["short"][1], location="both"), tmp_path)
    with pytest.raises(AdapterError, match=r"^adapter\.target_modules: LORA on a llava model: .*name the layers"):
        attached(network("llava"), placed("LORA", 16, TYPES["short"][1], location="mlp"), tmp_path)


@pytest.mark.parametrize("method", ["LORA", "IA3", "PFEIFFER", "PREFIX_TUNING", "PROMPT_TUNING", "LN_TUNING"])
@pytest.mark.parametrize(("name", "bits"), [("idefics3", 16), ("llava", 4)])
def test_a_tuned_connector_is_trained_whole_saved_and_merged(models, tmp_path, name, bits, method):

    base, examples = models[name]
    peft, adapter = TYPES[method]
    loaded = vision.load(base, bits)
    parts, whole = vision.parts_of(loaded), parameters_by_part(loaded)
    tuned = attached(loaded, placed(peft, bits, adapter, connector="tuned"), tmp_path)
    assert parts.trained(tuned) == {
        "language_model": parts.trained(tuned)["language_model"],
        "connector": whole["connector"],
        "vision_tower": 0,
        "lm_head": 0,
    }
    learn(tuned, examples, RATES.get(peft, 1e-2))
    learnt = logits(tuned, examples)
    peft_method.save(tuned, base, tmp_path)
    again = peft_method.load(vision.load(base, bits), tmp_path)
    assert difference(logits(again, examples), learnt) == 0
    before = vision.load(base, 16).state_dict()
    put = peft_method.load(vision.load(base, 16), tmp_path)
    if not PEFT_TYPES[peft].merges:
        saved = [key for key in put.state_dict() if ".modules_to_save." in key]
        names = {key: key.replace(".modules_to_save.default", "").split("base_model.")[-1] for key in saved}
        known = {key: next(each for each in before if names[key].endswith(each)) for key in saved}
        assert saved and all((put.state_dict()[key] != before[known[key]]).any() for key in saved)
        return
    answers = logits(put, examples)
    merged = peft_method.fold(put)
    assert difference(logits(merged, examples), answers) < 1e-5 * answers.abs().max()
    assert changed(parts, before, merged.state_dict()) == {"connector", "language_model"}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_connector_to_tune_is_that_of_the_architecture(name, tmp_path):
    whole = whole_modules(network(name), "connector")
    tuned = attached(network(name), placed("LORA", 16, LORA, connector="tuned"), tmp_path)
    assert sorted(tuned.peft_config["default"].modules_to_save) == sorted(whole)
    modules = peft_method.base_of(tuned)
    expected = sum(each.numel() for one in whole for each in network(name).get_submodule(one).parameters())
    assert vision.parts_of(modules).trained(tuned)["connector"] == expected


def test_a_model_without_parts_has_no_connector_to_tune(toy_base, tmp_path):
    from maple.models import causal

    base = causal.load(toy_base, 16)
    with pytest.raises(AdapterError, match=r"^axes\.connector: a llama model has no connector"):
        peft_method.attach(base, placed("LORA", 16, LORA, connector="tuned"), "CAUSAL_LM", tmp_path)


@pytest.mark.parametrize("name", ["gemma3", "paligemma"])
def test_an_embedding_that_is_the_output_layer_is_refused(name, tmp_path):
    with pytest.raises(AdapterError, match="the input embedding is the output layer at once"):
        attached(network(name), variant("LORA", 16, {"r": 2, "target_modules": ["embed_tokens"]}), tmp_path)


@pytest.mark.parametrize(
    ("adapter", "error", "message"),
    [
        ({"modules_to_save": ["lm_head"]}, PartError, "^lm_head would be adapted or trained, a layer of no part"),
        ({"bias": "all"}, AdapterError, r"^adapter\.bias: all: PEFT would train those of all parts"),
    ],
)
def test_what_a_file_names_outside_of_the_language_model_is_refused(adapter, error, message, tmp_path):
    with pytest.raises(error, match=message):
        attached(network("qwen2_5_vl"), variant("LORA", 16, {**LORA, **adapter}), tmp_path)


def test_layers_of_the_tower_that_a_file_names_are_none_that_an_adapter_reaches(tmp_path):
    with pytest.raises(AdapterError, match=re.escape("name the layers to adapt in the method's file")):
        attached(network("llava"), variant("LORA", 16, {"r": 2, "target_modules": ["fc1"]}), tmp_path)


@pytest.mark.parametrize(
    ("name", "part", "bits", "trained"),
    [
        ("idefics3", "all", 16, {"language_model", "connector", "lm_head"}),
        ("llava", "all", 16, {"language_model", "connector", "lm_head"}),
        ("llava", "connector", 16, {"connector"}),
        ("idefics3", "connector", 16, {"connector"}),
        ("llava", "connector", 8, {"connector"}),
        ("llava", "connector", 4, {"connector"}),
    ],
)
def test_parts_of_weights_are_trained_saved_and_put_back(models, tmp_path, name, part, bits, trained):
    assert "vision" in TRAINED_PARTS[part].kinds
    base, examples = models[name]
    loaded = vision.load(base, bits)
    parts, before = vision.parts_of(loaded), {key: each.clone() for key, each in loaded.state_dict().items()}
    tuned = attached(loaded, trains(part, bits), tmp_path)
    counts, whole = parts.trained(tuned), parameters_by_part(tuned)
    assert counts == {key: number if key in trained else 0 for key, number in whole.items()}
    losses = learn(tuned, examples, 1e-2)
    assert losses[-1] < losses[0]
    learnt = logits(tuned, examples)
    assert changed(parts, before, tuned.state_dict()) == trained
    weights_method.save(tuned, base, tmp_path)
    if part == "all":
        assert difference(logits(vision.load(tmp_path, 16), examples), learnt) < 0.1  # bfloat16
        assert (tmp_path / "processor_config.json").is_file()
        return
    put = weights_method.load(vision.load(base, bits), tmp_path)
    assert difference(logits(put, examples), learnt) == 0
    merged = weights_method.merge(weights_method.load(vision.load(base, 16), tmp_path))
    assert changed(parts, vision.load(base, 16).bfloat16().state_dict(), merged.state_dict()) == {"connector"}


@pytest.mark.parametrize("method", ["LORA", "HOULSBY", "PFEIFFER", "connector", "all"])
def test_all_gradients_pass_gradient_checkpointing_beside_a_frozen_tower(models, tmp_path, method):
    import torch

    base, examples = models["llava"]
    one = placed(*TYPES[method][:1], 16, TYPES[method][1], connector="tuned") if method in TYPES else trains(method)
    gradients = []
    for checkpointing in (False, True):
        tuned = attached(vision.load(base, 16), one, tmp_path).train()
        if checkpointing:
            tuned.gradient_checkpointing_enable({"use_reentrant": False})
        vision.losses(tuned, batch(examples))[0].mean().backward()
        gradients.append([each.grad for each in tuned.parameters() if each.requires_grad])
    assert gradients[0] and any(each.abs().max() > 0 for each in gradients[0])
    for plain, other in zip(*gradients, strict=True):
        assert torch.allclose(plain, other, atol=1e-6)


def test_biases_are_those_of_the_language_model(tmp_path):
    tuned = attached(network("qwen2_5_vl"), trains("biases"), tmp_path)
    # Queries, keys and values of two layers.
    assert parameters_by_part(tuned, trained=True) == {
        "language_model": 2 * 3 * 32,
        "connector": 0,
        "vision_tower": 0,
        "lm_head": 0,
    }
    assert any(name.endswith(".bias") for name, _ in network("llava").named_parameters()), "of its tower"
    with pytest.raises(AdapterError, match="trains: biases: a llava model has no biases"):
        attached(network("llava"), trains("biases"), tmp_path)
    with pytest.raises(AdapterError, match="adapter: lora_bias: the base has no biases"):
        attached(network("llava"), variant("LORA", 16, {"lora_bias": True, **LORA}), tmp_path)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_soft_prompt_trains_on_every_architecture_but_those_that_the_table_names(name, tmp_path):
    base, examples = made(name, tmp_path)
    for method in ("PREFIX_TUNING", "PROMPT_TUNING", "P_TUNING"):
        loaded = vision.load(base, 16)
        tuned = attached(loaded, variant(method, 16, TYPES[method][1]), tmp_path / method)
        if ARCHITECTURES[name].fails.get(method) == POSITIONS:
            with pytest.raises((IndexError, RuntimeError)):
                learn(tuned, examples, 1e-2, steps=1)
        else:
            assert learn(tuned, examples, 1e-2, steps=1)[0] > 0


@pytest.mark.parametrize("name", WITH_CONNECTOR)
def test_a_shipped_method_with_a_connector_trains_with_it_and_without(models, tmp_path, name):
    base, examples = models["llava"]
    axes = GridAxes(rank=[4]) if WITH_CONNECTOR[name].axes.rank else None
    for label, one in method_variants(name, WITH_CONNECTOR[name], axes, TrainingSettings(**TRAINING)).items():
        loaded = vision.load(base, one.bits)
        tuned = attached(loaded, one, tmp_path / label)
        trained = parameters_by_part(tuned, trained=True)
        assert (trained["connector"] > 0) == (one.axes["connector"] == "tuned") and not trained["vision_tower"]
        assert learn(tuned, examples, 1e-3, steps=1)[0] > 0
