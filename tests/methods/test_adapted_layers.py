"""`all-linear` means experts too, no router, and no layer that would learn nothing."""

import pytest
from toy_architectures import build
from toy_training import lora, variant

from maple.methods import peft_method
from maple.methods.adapted_layers import adapted_layers
from maple.methods.adapter_files import AdapterError
from maple.models import causal

pytestmark = pytest.mark.heavy
EXPERTS = {"model.layers.*.mlp.experts.gate_up_proj", "model.layers.*.mlp.experts.down_proj"}
ATTENTION = {f"model.layers.*.self_attn.{part}_proj" for part in "qkvo"}


def adapted(name, folder, **adapter):
    build(name, folder)
    return adapted_layers(peft_method.attach(causal.load(folder, 16), lora(adapter=adapter), "CAUSAL_LM", folder))


@pytest.mark.parametrize("name", ["qwen3_moe", "gpt_oss"])
def test_experts_are_adapted_and_routers_are_not(name, tmp_path):
    assert adapted(name, tmp_path) == dict.fromkeys(sorted(EXPERTS | ATTENTION), 2)


def test_linear_layers_that_peft_takes_for_experts_are_adapted_as_well(tmp_path):
    shared = {f"model.layers.*.mlp.shared_expert.{part}_proj.weight" for part in ("gate", "up", "down")}
    assert set(adapted("qwen2_moe", tmp_path)) == EXPERTS | ATTENTION | shared


def test_layers_whose_weights_a_kernel_reads_are_left_out(tmp_path):
    assert set(adapted("mamba", tmp_path)) == {"backbone.layers.*.mixer.in_proj", "backbone.layers.*.mixer.x_proj"}


def test_a_router_that_is_named_is_adapted(tmp_path):
    assert "model.layers.*.mlp.gate.weight" in adapted("qwen3_moe", tmp_path, target_modules=["q_proj", "gate"])


def test_a_run_without_an_adapted_expert_says_so(tmp_path, caplog):
    with caplog.at_level("INFO"):
        assert set(adapted("qwen3_moe", tmp_path, target_modules=["q_proj"])) == {"model.layers.*.self_attn.q_proj"}
    assert "adapted: model.layers.*.self_attn.q_proj (2)" in caplog.text
    assert "no expert is adapted" in caplog.text


def test_what_peft_does_not_have_for_experts_is_refused(tmp_path):
    with pytest.raises(AdapterError, match=r"adapter\.lora_dropout: PEFT does not have it for experts"):
        adapted("qwen3_moe", tmp_path, lora_dropout=0.1)
    ia3 = variant("IA3", 16, {"target_modules": "all-linear", "feedforward_modules": []})
    with pytest.raises(AdapterError, match="experts that are parameters are reached by LORA alone"):
        peft_method.attach(causal.load(tmp_path, 16), ia3, "CAUSAL_LM", tmp_path)
