"""Methods on encoders with a new head: traps of poolers and classifiers, and every type of the table, for real."""

import pytest
from toy_heads import ENCODERS, HEADS, build, learn, load, logits
from toy_training import trains, variant

from maple.methods import peft_method, weights_method
from maple.methods.adapted_layers import adapted_layers
from maple.methods.capabilities import PEFT_TYPES, reason_against_training
from maple.methods.heads import within
from maple.models.heads import head_modules

pytestmark = pytest.mark.heavy

LINEAR = {"target_modules": "all-linear"}
# Adapters by their types, each with what its config needs; LoRA's variants as further entries.
TYPES = {
    "LORA": ("LORA", {"r": 4, "lora_alpha": 8, **LINEAR}),
    "rsLoRA": ("LORA", {"r": 4, "lora_alpha": 4, "use_rslora": True, **LINEAR}),
    "DoRA": ("LORA", {"r": 4, "lora_alpha": 8, "use_dora": True, **LINEAR}),
    "ADALORA": ("ADALORA", {"target_r": 4, "init_r": 6, **LINEAR}),
    "BOFT": ("BOFT", {"boft_block_size": 8, "target_modules": ["query", "value"]}),
    "HOULSBY": ("HOULSBY", {"reduction_factor": 4}),
    "IA3": ("IA3", {}),
    "LN_TUNING": ("LN_TUNING", {}),
    "OFT": ("OFT", {"oft_block_size": 32, **LINEAR}),
    "PFEIFFER": ("PFEIFFER", {"reduction_factor": 4}),
    "VERA": ("VERA", {"r": 16, **LINEAR}),
}
LORA = TYPES["LORA"]


@pytest.fixture(scope="session")
def encoders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoders")
    return {name: build(name, folder / name) for name in ENCODERS}


def attached(base, method, folder):
    folder.mkdir(parents=True, exist_ok=True)
    return peft_method.attach(base, method, "SEQ_CLS", folder, head_modules(base, HEADS))


def difference(left, right):
    return (left - right).abs().max().item()


@pytest.mark.parametrize("name", ENCODERS)
def test_the_heads_of_an_encoder_are_found_by_whole_names(encoders, name):
    model = load(encoders[name])
    assert head_modules(model, HEADS) == ENCODERS[name][1]
    assert head_modules(model, ()) == []
    assert "pre_classifier" not in head_modules(model, ("classifier",))


@pytest.mark.parametrize("name", ENCODERS)
def test_all_linear_layers_are_those_of_the_layers_and_never_of_the_head(encoders, tmp_path, name):
    network = attached(load(encoders[name]), variant(LORA[0], 16, LORA[1]), tmp_path)
    adapted = adapted_layers(network)
    numbered = {"albert": "albert_layers", "distilbert": "layer", "modernbert": "layers"}.get(name, "layer")
    assert adapted and all(f".{numbered}.*." in f".{layer}." for layer in adapted)
    assert {layer.rsplit(".", 1)[-1] for layer in adapted} == {
        "albert": {"query", "key", "value", "dense", "ffn", "ffn_output"},
        "distilbert": {"q_lin", "k_lin", "v_lin", "out_lin", "lin1", "lin2"},
        "deberta-v2": {"query_proj", "key_proj", "value_proj", "pos_key_proj", "pos_query_proj", "dense"},
        "modernbert": {"Wqkv", "Wi", "Wo"},
    }.get(name, {"query", "key", "value", "dense"})


@pytest.mark.parametrize("method", ["LORA", "LN_TUNING", "PFEIFFER", "HOULSBY"])
@pytest.mark.parametrize("name", ENCODERS)
def test_a_saved_adapter_brings_its_head_and_gives_the_same_logits_to_the_bit(encoders, tmp_path, name, method):
    peft, adapter = TYPES[method]
    network = attached(load(encoders[name]), variant(peft, 16, adapter), tmp_path / "adapter")
    losses = learn(network, 1e-2)
    assert losses[-1] < losses[0]
    peft_method.save(network, encoders[name], tmp_path / "adapter")
    learnt = logits(network)
    loaded = peft_method.load(load(encoders[name]), tmp_path / "adapter")
    assert difference(logits(loaded), learnt) == 0 < difference(logits(load(encoders[name])), learnt)
    heads = ENCODERS[name][1]
    for part, values in loaded.get_base_model().named_parameters():
        saved = part.replace(".original_module", "").replace(".modules_to_save.default", "")
        assert ("lora_" in part and within(saved, heads)) is False, part
        if ".modules_to_save." in part:
            assert within(saved, heads) and str(values.dtype) == "torch.float32"


@pytest.mark.parametrize("name", ENCODERS)
def test_a_merged_encoder_has_the_trained_head_and_the_labels(encoders, tmp_path, name):
    network = attached(load(encoders[name]), variant(LORA[0], 16, LORA[1]), tmp_path / "adapter")
    learn(network, 1e-2)
    peft_method.save(network, encoders[name], tmp_path / "adapter")
    learnt = logits(network)
    loaded = peft_method.load(load(encoders[name]), tmp_path / "adapter")
    merged = peft_method.fold(loaded)
    merged.save_pretrained(tmp_path / "merged")
    again = load(tmp_path / "merged")
    assert difference(logits(again), learnt) < 1e-5
    assert again.config.id2label == {0: "no", 1: "perhaps", 2: "yes"}


@pytest.mark.parametrize("bits", [16, 8, 4])
@pytest.mark.parametrize("method", TYPES)
def test_every_type_of_the_table_trains_on_an_encoder_where_it_says_so(encoders, tmp_path, method, bits):
    peft, adapter = TYPES[method]
    one = variant(peft, bits, adapter)
    if reason_against_training(one, "encoder"):
        pytest.skip("the table refuses it")
    network = attached(load(encoders["bert"], bits), one, tmp_path / "adapter")
    heads = [each for name, each in network.named_parameters() if within(name.split("model.", 2)[-1], HEADS)]
    losses = learn(network, 1e-2)
    assert losses[-1] < losses[0] and all(str(each.dtype) == "torch.float32" for each in heads)
    peft_method.save(network, encoders["bert"], tmp_path / "adapter")
    learnt = logits(network)
    assert difference(logits(peft_method.load(load(encoders["bert"], bits), tmp_path / "adapter")), learnt) < 1e-6
    loaded = peft_method.load(load(encoders["bert"]), tmp_path / "adapter")
    attached_logits = logits(loaded)
    if PEFT_TYPES[peft].merges:
        assert difference(logits(peft_method.fold(loaded)), attached_logits) < 1e-4
    else:
        with pytest.raises(ValueError, match="folds into no weights"):
            peft_method.fold(loaded)


def test_every_type_that_is_said_to_train_on_encoders_is_tried():
    assert {peft for peft, _ in TYPES.values()} == {name for name, one in PEFT_TYPES.items() if "encoder" in one.kinds}


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("part", ["all", "head", "biases"])
def test_parts_of_an_encoder_are_trained_saved_and_put_back(encoders, tmp_path, name, part):
    base, heads = load(encoders[name]), ENCODERS[name][1]
    if (name, part) == ("modernbert", "biases"):
        with pytest.raises(peft_method.AdapterError, match="a modernbert model has no biases"):
            weights_method.attach(base, trains(part), "SEQ_CLS", tmp_path, heads)
        return
    network = weights_method.attach(base, trains(part), "SEQ_CLS", tmp_path, heads)
    before = {key: values.clone() for key, values in network.named_parameters()}
    losses = learn(network, 1e-2)
    changed = {key for key, values in network.named_parameters() if (values != before[key]).any()}
    in_head = {key for key in before if within(key, heads)}
    assert losses[-1] < losses[0] and in_head <= changed | {key for key in in_head if "token" in key}
    assert changed - in_head == {
        key for key in changed - in_head if part != "head" and (part == "all" or "bias" in key)
    }
    learnt = logits(network)
    weights_method.save(network, encoders[name], tmp_path)
    if part == "all":
        assert difference(logits(load(tmp_path)), learnt) < 0.05  # bfloat16
        return
    put = weights_method.load(load(encoders[name]), tmp_path)
    assert difference(logits(put), learnt) == 0
    assert difference(logits(weights_method.merge(put).float()), learnt) < 0.05


@pytest.mark.parametrize("bits", [8, 4])
def test_a_head_learns_in_float32_on_a_quantized_encoder(encoders, tmp_path, bits):
    heads = ENCODERS["bert"][1]
    network = weights_method.attach(load(encoders["bert"], bits), trains("head", bits), "SEQ_CLS", tmp_path, heads)
    losses = learn(network, 1e-2)
    assert losses[-1] < losses[0]
    assert {key for key, each in network.named_parameters() if each.requires_grad} == {
        key for key, _ in network.named_parameters() if within(key, heads)
    }
    learnt = logits(network)
    weights_method.save(network, encoders["bert"], tmp_path)
    assert difference(logits(weights_method.load(load(encoders["bert"], bits), tmp_path)), learnt) == 0
    whole = load(encoders["bert"]).num_parameters()
    assert weights_method.parameters(network) == (
        sum(each.numel() for each in network.parameters() if each.requires_grad),
        whole,
    )
