"""Methods on encoder-decoder models: what types of our own compute, and every type of the table, for real."""

import re

import pytest
from toy_seq2seq import TRANSLATORS, build, learn, load, logits, rows
from toy_training import trains, variant

from maple.methods import peft_method, weights_method
from maple.methods.adapted_layers import adapted_layers
from maple.methods.adapter_files import AdapterError
from maple.methods.capabilities import PEFT_TYPES, TRAINED_PARTS, reason_against_training
from maple.methods.own_types import OWN_TYPES

pytestmark = pytest.mark.heavy

# Types of our own, each with what its config needs on a tiny model; their variants as further entries.
SMALL = {"prefix_length": 5, "bottleneck_size": 16}
OWN = {
    "HOULSBY": ("HOULSBY", {"reduction_factor": 4}),
    "PFEIFFER": ("PFEIFFER", {"reduction_factor": 4}),
    "inversion": ("HOULSBY", {"reduction_factor": 4, "inversion": True}),
    "PARALLEL": ("PARALLEL", {}),
    "scaled": ("PARALLEL", {"scale": "learned"}),
    "COMPACTER": ("COMPACTER", {"reduction_factor": 4}),
    "COMPACTER_PLUS": ("COMPACTER_PLUS", {"reduction_factor": 4}),
    "PREFIX_ATTENTION": ("PREFIX_ATTENTION", SMALL),
    "flat": ("PREFIX_ATTENTION", {"prefix_length": 5, "flat": True}),
    "MAM": ("MAM", SMALL),
    "UNIPELT": ("UNIPELT", SMALL | {"reduction_factor": 4}),
    "sequence": ("UNIPELT", SMALL | {"reduction_factor": 4, "gate": "sequence"}),
}
LINEAR = {"target_modules": "all-linear"}
# PEFT's types, each with what its config needs; LoRA's variants as further entries.
TYPES = {
    **OWN,
    "LORA": ("LORA", {"r": 4, "lora_alpha": 8, **LINEAR}),
    "DoRA": ("LORA", {"r": 4, "lora_alpha": 8, "use_dora": True, **LINEAR}),
    "tokens": ("LORA", {"r": 4, "lora_alpha": 8, "trainable_token_indices": [7], **LINEAR}),
    "ADALORA": ("ADALORA", {"target_r": 4, "init_r": 6, **LINEAR}),
    "BOFT": ("BOFT", {"boft_block_size": 8, **LINEAR}),
    "DELORA": ("DELORA", {"r": 4, **LINEAR}),
    "FOURIERFT": ("FOURIERFT", {"n_frequency": 100, **LINEAR}),
    "GLORA": ("GLORA", {"r": 4, **LINEAR}),
    "HIRA": ("HIRA", {"r": 4, **LINEAR}),
    "HRA": ("HRA", {"r": 4, **LINEAR}),
    "IA3": ("IA3", {"target_modules": ["k_proj", "v_proj", "fc2"], "feedforward_modules": ["fc2"]}),
    "LN_TUNING": ("LN_TUNING", {}),
    "LOHA": ("LOHA", {"r": 4, "alpha": 8, **LINEAR}),
    "LOKR": ("LOKR", {"r": 4, "alpha": 8, **LINEAR}),
    "MISS": ("MISS", {"r": 4, **LINEAR}),
    "OFT": ("OFT", {"oft_block_size": 32, **LINEAR}),
    "PREFIX_TUNING": ("PREFIX_TUNING", {"num_virtual_tokens": 4}),
    "PROMPT_TUNING": ("PROMPT_TUNING", {"num_virtual_tokens": 4}),
    "PSOFT": ("PSOFT", {"r": 4, **LINEAR}),
    "PVERA": ("PVERA", {"r": 16, **LINEAR}),
    "P_TUNING": ("P_TUNING", {"num_virtual_tokens": 4, "encoder_hidden_size": 64}),
    "RANDLORA": ("RANDLORA", {"r": 8, **LINEAR}),
    "ROAD": ("ROAD", LINEAR),
    "SHIRA": ("SHIRA", {"r": 4, **LINEAR}),
    "VBLORA": ("VBLORA", {"r": 4, "num_vectors": 64, "vector_length": 32, **LINEAR}),
    "VERA": ("VERA", {"r": 16, **LINEAR}),
    "WAVEFT": ("WAVEFT", {"n_frequency": 100, **LINEAR}),
}
# Rates of types with few parameters, and of one that draws at random in training.
FAST = {"PREFIX_TUNING": 0.3, "PROMPT_TUNING": 0.3, "P_TUNING": 0.3, "PVERA": 0.3}
BY_TOKEN = [name for name in OWN if name != "sequence"]
TASK = "SEQ_2_SEQ_LM"


@pytest.fixture(scope="session")
def translators(tmp_path_factory):
    folder = tmp_path_factory.mktemp("translators")
    return {name: build(name, folder / name) for name in TRANSLATORS}


def adapted(base, name, folder, bits=16, types=OWN):
    import torch

    torch.manual_seed(1)
    peft, adapter = types[name]
    folder.mkdir(parents=True, exist_ok=True)
    return peft_method.attach(load(base, bits), variant(peft, bits, adapter), TASK, folder)


def stirred(network):
    """Return the network with adapters whose weights are all far from their initial values."""
    import torch

    generator = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        if parameter.requires_grad:
            parameter.data += 0.2 * torch.randn(parameter.shape, generator=generator)
    return network.eval()


def difference(left, right):
    return (left - right).abs().max().item()


@pytest.mark.parametrize("architecture", TRANSLATORS)
@pytest.mark.parametrize("name", OWN)
def test_an_adapter_learns_and_loads_under_any_name_and_is_taken_off_again(translators, tmp_path, architecture, name):
    import torch
    from peft import PeftModel

    base = translators[architecture]
    untouched = logits(load(base))
    network = adapted(base, name, tmp_path)
    losses = learn(network, 1e-2)
    assert losses[-1] < losses[0]
    learnt = logits(network)
    with network.disable_adapter():
        assert torch.equal(logits(network), untouched)
    peft_method.save(network, base, tmp_path)
    loaded = peft_method.load(load(base), tmp_path)
    assert torch.equal(logits(loaded), learnt) and not torch.equal(learnt, untouched)
    with pytest.raises(ValueError, match=f"^{OWN[name][0]} folds into no weights, for "):
        peft_method.fold(loaded)
    other = PeftModel.from_pretrained(load(base), str(tmp_path), adapter_name="another").eval()
    assert torch.equal(logits(other), learnt)
    unloaded = other.unload()
    assert torch.equal(logits(unloaded), untouched)
    assert {key for key, _ in unloaded.named_modules()} == {key for key, _ in load(base).named_modules()}


@pytest.mark.parametrize("architecture", TRANSLATORS)
@pytest.mark.parametrize("name", BY_TOKEN)
def test_no_neighbour_padding_or_later_word_changes_a_logit(translators, tmp_path, architecture, name):
    import torch

    network = stirred(adapted(translators[architecture], name, tmp_path))
    given = rows()
    found = logits(network)
    with torch.inference_mode():
        alone = network(
            input_ids=given["input_ids"][:1, :7],
            attention_mask=given["attention_mask"][:1, :7],
            decoder_input_ids=given["decoder_input_ids"][:1, :4],
        ).logits
    size = found.abs().max().item()
    assert difference(alone, found[:1, :4]) < 1e-5 * size
    assert difference(written_word_by_word(network), found) < 1e-5 * size


def written_word_by_word(network):
    """Return the logits of all targets, each word read with those before it in the cache."""
    import torch

    given = rows()
    words, found, cache = given.pop("decoder_input_ids"), [], None
    with torch.inference_mode():
        states = network.get_base_model().get_encoder()(**given)
        for word in words.split(1, 1):
            step = network.get_base_model()(
                encoder_outputs=states,
                attention_mask=given["attention_mask"],
                decoder_input_ids=word,
                past_key_values=cache,
                use_cache=True,
            )
            cache = step.past_key_values
            found.append(step.logits)
    return torch.cat(found, 1)


def test_gates_of_a_sequence_see_what_is_yet_to_be_written_and_say_so(translators, tmp_path, caplog):
    network = stirred(adapted(translators["mbart"], "sequence", tmp_path))
    assert "gate: sequence: UniPELT's gates are means over whole sequences" in caplog.text
    assert difference(written_word_by_word(network), logits(network)) > 1e-3
    caplog.clear()
    adapted(translators["mbart"], "UNIPELT", tmp_path)
    assert "gate" not in caplog.text


@pytest.mark.parametrize("name", OWN)
def test_beams_are_the_same_with_and_without_a_cache(translators, tmp_path, name):
    import torch

    if name == "sequence":
        pytest.skip("its gates see one word at a time with a cache, and all words without")
    network = stirred(adapted(translators["m2m_100"], name, tmp_path))
    given = {key: values for key, values in rows().items() if not key.startswith("decoder")}
    beams = {"num_beams": 3, "max_new_tokens": 6, "min_new_tokens": 6, "do_sample": False}
    written = [network.generate(**given, **beams, use_cache=cached) for cached in (True, False)]
    assert torch.equal(*written)


@pytest.mark.parametrize("architecture", ["mbart", "m2m_100"])
@pytest.mark.parametrize("name", OWN)
def test_all_gradients_pass_gradient_checkpointing(translators, tmp_path, architecture, name):
    import torch

    gradients = []
    for checkpointing in (False, True):
        torch.manual_seed(1)
        network = stirred(adapted(translators[architecture], name, tmp_path)).train()
        if checkpointing:
            peft_method.base_of(network).gradient_checkpointing_enable({"use_reentrant": False})
        network(**rows(), labels=rows()["decoder_input_ids"], use_cache=False).loss.backward()
        gradients.append([each.grad for each in network.parameters() if each.requires_grad])
    for one, other in zip(*gradients, strict=True):
        assert one.abs().max() > 0 and torch.allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("name", OWN)
def test_a_bfloat16_base_learns_as_a_float32_one_within_its_rounding(translators, tmp_path, name):
    import torch

    losses = {}
    for dtype in (torch.float32, torch.bfloat16):
        torch.manual_seed(1)
        peft, adapter = OWN[name]
        base = load(translators["mbart"]).to(dtype)
        network = peft_method.attach(base, variant(peft, 16, adapter), TASK, tmp_path)
        trained = [each for each in network.parameters() if each.requires_grad]
        assert {each.dtype for each in trained} == {torch.float32}
        losses[dtype] = learn(network, 1e-2)
        assert all(each.grad is not None for each in trained)
    assert losses[torch.bfloat16] == pytest.approx(losses[torch.float32], rel=0.02)


def test_a_prefix_is_before_the_keys_of_every_attention(translators, tmp_path):
    assert adapted_layers(adapted(translators["mbart"], "flat", tmp_path)) == {
        "model.decoder.layers.*.encoder_attn": 2,
        "model.decoder.layers.*.self_attn": 2,
        "model.encoder.layers.*.self_attn": 2,
    }


def test_a_prefix_and_its_gate_are_a_softmax_over_gated_keys_and_values():
    import torch
    from torch import nn

    from maple.methods.prefix import Prefix, attend

    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(2, 3, 4, 8, generator=generator) for _ in range(3))
    keys, values = (torch.randn(3, 5, 8, generator=generator) for _ in range(2))
    gate = torch.rand(2, 4, 1, generator=generator)
    module = nn.Module()
    module.is_causal = True
    found, _ = attend(module, query, key, value, None, Prefix(keys, values, gate))
    for row, head, word in ((0, 0, 0), (1, 2, 3)):
        own = torch.cat([gate[row, word] * keys[head], key[row, head, : word + 1]])
        of_own = torch.cat([gate[row, word] * values[head], value[row, head, : word + 1]])
        expected = (query[row, head, word] @ own.T / 8**0.5).softmax(-1) @ of_own
        assert torch.allclose(found[row, word, head], expected, atol=1e-6)


def test_a_prefix_refuses_an_attention_whose_mask_it_cannot_widen(translators, tmp_path):
    network = adapted(translators["mbart"], "flat", tmp_path)
    network.config._attn_implementation = "flex_attention"
    with pytest.raises(ValueError, match="a prefix has no attention by flex_attention; load the model with sdpa or"):
        logits(network)


def test_a_projection_of_compacter_is_a_sum_of_kronecker_products():
    import torch

    from maple.methods.compacter import CompacterConfig, Hypercomplex

    projection, rule = Hypercomplex(8, 12, CompacterConfig(phm_dim=2, phm_rank=3)), torch.randn(2, 2, 2)
    states = torch.randn(5, 8)
    weight = sum(torch.kron(rule[i], projection.left[i] @ projection.right[i]) for i in range(2))
    assert torch.allclose(projection(states, rule), states @ weight, atol=1e-6)


def test_the_coupling_behind_embeddings_can_be_inverted(translators, tmp_path):
    import torch

    network = stirred(adapted(translators["mbart"], "inversion", tmp_path))
    layer = network.get_base_model().model.encoder.layernorm_embedding
    states = torch.randn(2, 3, 64)
    with torch.inference_mode():
        a, b = layer(states).chunk(2, -1)
        b = b - layer.inversion_g_up["default"](torch.nn.functional.silu(layer.inversion_g_down["default"](a)))
        a = a - layer.inversion_f_up["default"](torch.nn.functional.silu(layer.inversion_f_down["default"](b)))
    assert torch.allclose(torch.cat([a, b], -1), layer.base_layer(states), atol=1e-5)


def test_the_parallel_adapter_reads_what_enters_the_normalization(translators, tmp_path):
    import torch

    network = stirred(adapted(translators["mbart"], "PARALLEL", tmp_path))
    layer, seen = network.get_base_model().model.decoder.layers[1], {}
    layer.final_layer_norm.register_forward_pre_hook(lambda _, given: seen.update(read=given[0]))
    layer.fc2.register_forward_hook(lambda _, given, output: seen.update(given=given[0], output=output))
    logits(network)
    down, up = layer.fc2.bottleneck_down["default"], layer.fc2.bottleneck_up["default"]
    with torch.inference_mode():
        expected = layer.fc2.base_layer(seen["given"]) + 4 * up(torch.relu(down(seen["read"])))
    assert torch.allclose(seen["output"], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "adapter", "message"),
    [
        ("LORA", {"r": 2, "modules_to_save": ["shared"]}, "adapter.modules_to_save: shared: the encoder, the decoder"),
        (
            "LORA",
            {"r": 2, "trainable_token_indices": {"encoder.embed_tokens": [7], "decoder.embed_tokens": [7]}},
            "adapter.trainable_token_indices: encoder.embed_tokens, decoder.embed_tokens: they are one table",
        ),
        ("COMPACTER", {"reduction_factor": 32}, "adapter.phm_dim: 4 divides not both the hidden size of the model"),
        ("PARALLEL", {"scale": "learnt"}, "adapter.scale: 'learnt': write a number, or learned"),
        ("UNIPELT", {"gate": "word"}, "adapter.gate: 'word': write token or sequence"),
    ],
)
def test_what_cannot_be_trained_rightly_is_refused_with_what_to_write(translators, tmp_path, name, adapter, message):
    one = variant(name, 16, {"target_modules": ["q_proj"]} | adapter if name == "LORA" else adapter)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        peft_method.attach(load(translators["mbart"]), one, TASK, tmp_path)
    if name == "LORA":
        assert reason_against_training(one, "seq2seq").startswith(message)
        assert reason_against_training(one, "causal") is None


def test_peft_trains_a_copy_of_a_shared_table_that_nothing_reads(translators):
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=2, target_modules=["q_proj"], modules_to_save=["shared"], task_type=TASK)
    network = get_peft_model(load(translators["mbart"]), config)
    network(**rows(), labels=rows()["decoder_input_ids"]).loss.backward()
    (copy,) = [each for key, each in network.named_parameters() if "shared.modules_to_save" in key]
    assert copy.requires_grad and copy.grad is None


def test_inversion_is_refused_where_no_encoder_is_read_by_a_decoder(tmp_path):
    one = variant("PFEIFFER", 16, {"inversion": True})
    assert reason_against_training(one, "causal").startswith("adapter.inversion: it is behind the embeddings of an")
    assert reason_against_training(one, "seq2seq") is None


def test_types_of_our_own_are_refused_where_weights_are_divided():
    for name in OWN_TYPES:
        reason = peft_method.reason_against_fsdp(variant(name, 16, {}))
        assert "were not measured on weights that FSDP divides" in reason


def test_a_second_adapter_within_others_is_refused(translators, tmp_path):
    network = adapted(translators["mbart"], "UNIPELT", tmp_path)
    with pytest.raises(AdapterError, match="peft: UNIPELT: a model has one at a time"):
        network.add_adapter("second", network.active_peft_config)


# PEFT's types find layers by their names, whatever the architecture, and are tried in 8 bits on other kinds of models.
TABLE = [(name, bits) for name in TYPES for bits in (16, 8, 4) if bits != 8 or name in OWN]


@pytest.mark.parametrize(("name", "bits"), TABLE)
def test_every_type_of_the_table_trains_on_translators_where_it_says_so(translators, tmp_path, name, bits):
    peft, adapter = TYPES[name]
    if reason_against_training(variant(peft, bits, adapter), "seq2seq"):
        pytest.skip("the table refuses it")
    base = translators["mbart"]
    network = adapted(base, name, tmp_path, bits, TYPES)
    losses = learn(network, FAST.get(peft, 1e-2))
    assert losses[-1] < losses[0]
    learnt = logits(network)
    peft_method.save(network, base, tmp_path)
    assert difference(logits(peft_method.load(load(base, bits), tmp_path)), learnt) < 1e-6
    loaded = peft_method.load(load(base), tmp_path)
    attached = logits(loaded)
    given = {key: values for key, values in rows().items() if not key.startswith("decoder")}
    assert loaded.generate(**given, num_beams=2, max_new_tokens=4).shape[0] == 8
    if PEFT_TYPES[peft].merges:
        assert difference(logits(peft_method.fold(loaded)), attached) < 1e-4
    else:
        with pytest.raises((AttributeError, ValueError)):  # a soft prompt has nothing to fold, ours refuse
            peft_method.fold(loaded)


def test_every_type_that_is_said_to_train_on_translators_is_tried():
    assert {peft for peft, _ in TYPES.values()} == {name for name, one in PEFT_TYPES.items() if "seq2seq" in one.kinds}


@pytest.mark.parametrize("architecture", ["mbart", "m2m_100"])
@pytest.mark.parametrize("part", ["all", "biases"])
def test_parts_of_a_translator_are_trained_saved_and_put_back(translators, tmp_path, architecture, part):
    assert "seq2seq" in TRAINED_PARTS[part].kinds
    base = translators[architecture]
    network = weights_method.attach(load(base), trains(part), TASK, tmp_path)
    losses = learn(network, 1e-2)
    assert losses[-1] < losses[0]
    learnt = logits(network)
    table = network.get_input_embeddings().weight
    assert table.data_ptr() == network.get_output_embeddings().weight.data_ptr()
    weights_method.save(network, base, tmp_path)
    if part == "all":
        assert difference(logits(load(tmp_path)), learnt) < 0.1  # bfloat16
        return
    put = weights_method.load(load(base), tmp_path)
    assert difference(logits(put), learnt) == 0
    assert difference(logits(weights_method.merge(put).float()), learnt) < 0.1
