"""Bottleneck adapters against AdapterHub's logits, and what must hold of a type of our own in PEFT."""

import json
import subprocess
import sys
import zlib

import numpy as np
import pytest
from project import ROOT
from toy_heads import ENCODERS, build, learn, load, logits
from toy_training import variant

from maple.methods import peft_method
from maple.methods.adapted_layers import adapted_layers
from maple.models import causal

pytestmark = pytest.mark.heavy

TYPES = ("PFEIFFER", "HOULSBY")
# What adapters 1.3.0 computes on transformers 4.57.6 for a tiny mBART whose weights are a formula of their names: the
# logits of the tokens 5, 50 and 99, by text and place. The base's own are there to show that the formula is the same.
AMPLITUDE, TOKENS = 0.2, [5, 50, 99]
MBART = {
    "vocab_size": 120, "d_model": 128, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4,
    "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "max_position_embeddings": 64,
}  # fmt: skip
SOURCE = [[11, 22, 33, 44, 55, 2, 100], [12, 24, 36, 2, 101, 1, 1]]
TARGET = [[100, 50, 60, 70, 80], [101, 51, 61, 71, 2]]
GOLDEN = {
    None: [
        [[7.376952, 3.618895, -7.430213], [1.850911, 5.121407, -2.776538], [6.147882, -0.739092, -5.379245],
         [5.016849, -1.463085, -4.203424], [4.982798, 5.996104, -5.787768]],
        [[5.866072, -1.192786, -5.0271], [1.055938, -1.598552, -0.605295], [7.884831, 5.240324, -8.238877],
         [-1.097657, 0.132042, 0.960405], [4.360183, 6.1008, -5.249456]],
    ],
    "PFEIFFER": [
        [[5.670107, 2.216436, -5.588682], [2.815274, 2.131857, -2.998152], [5.32555, -0.058638, -4.785648],
         [4.844045, -0.529718, -4.249815], [4.046097, 2.798722, -4.251518]],
        [[5.182634, -0.288614, -4.607086], [2.503571, -1.102644, -2.01699], [5.46891, 2.652552, -5.501826],
         [1.589032, 0.529715, -1.546416], [3.716592, 2.673222, -3.927457]],
    ],
    "HOULSBY": [
        [[8.482877, 4.526697, -8.623205], [3.44731, 5.743846, -4.349669], [7.81214, 0.616, -7.172147],
         [6.962895, -0.117273, -6.248207], [6.324621, 7.008794, -7.216019]],
        [[7.579908, 0.268475, -6.887661], [3.049968, -0.213018, -2.701914], [8.95778, 6.066998, -9.384592],
         [1.31014, 2.087445, -1.632404], [5.696275, 6.968374, -6.641126]],
    ],
}  # fmt: skip


def adapted(base, peft, folder, heads=(), **adapter):
    folder.mkdir(parents=True, exist_ok=True)
    task = "SEQ_CLS" if heads else "CAUSAL_LM"
    return peft_method.attach(base, variant(peft, 16, adapter), task, folder, heads)


def by_formula(name: str, shape) -> "np.ndarray":
    values = AMPLITUDE * np.sin(
        0.37 * np.arange(int(np.prod(shape)), dtype=np.float64) + zlib.crc32(name.encode()) % 1000
    )
    return (values + ("norm" in name and name.endswith("weight"))).reshape(shape)


def adapter_hub_s_name(name: str) -> str:
    """Return AdapterHub's name of one of our weights: model.encoder.layers.0.fc2.bottleneck_down.default.bias."""
    layer, kind = name.split("bottleneck_")[0].strip("."), name.split("bottleneck_")[1]
    place = "attention" if layer.endswith("self_attn.out_proj") else "output"
    layer = layer.removesuffix(".self_attn.out_proj").removesuffix(".fc2")
    projection, _, part = kind.split(".")
    return f"{layer}.{place}_adapters.adapters.a.adapter_{'down.0' if projection == 'down' else 'up'}.{part}"


@pytest.mark.parametrize("peft", GOLDEN)
def test_logits_are_adapter_hub_s(tmp_path, peft):
    import torch
    from transformers import MBartConfig, MBartForConditionalGeneration

    network = MBartForConditionalGeneration(MBartConfig(**MBART))
    for name, parameter in network.named_parameters():
        parameter.data = torch.tensor(by_formula(name, parameter.shape)).float()
    network.tie_weights()
    if peft:
        network = adapted(network, peft, tmp_path)
        for name, parameter in network.get_base_model().named_parameters():
            if "bottleneck_" in name:
                parameter.data = torch.tensor(by_formula(adapter_hub_s_name(name), parameter.shape)).float()
    source, target = torch.tensor(SOURCE), torch.tensor(TARGET)
    with torch.inference_mode():
        base = peft_method.base_of(network) if peft else network
        found = base.eval()(input_ids=source, attention_mask=source != 1, decoder_input_ids=target).logits
    assert (found[..., TOKENS] - torch.tensor(GOLDEN[peft])).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("peft", "factor", "trainable"),
    [("PFEIFFER", 16, 3_171_840), ("HOULSBY", 16, 6_343_680), ("HOULSBY", 2, 50_405_376), ("HOULSBY", 32, 3_196_416)],
)
def test_mbart_50_has_as_many_trained_parameters_as_adapter_hub_counts(tmp_path, peft, factor, trainable):
    import torch
    from transformers import MBartConfig, MBartForConditionalGeneration

    config = MBartConfig(vocab_size=250_054, d_model=1024, encoder_layers=12, decoder_layers=12)
    with torch.device("meta"):
        base = MBartForConditionalGeneration(config)
    assert base.num_parameters() == 610_879_488
    assert peft_method.parameters(adapted(base, peft, tmp_path, reduction_factor=factor))[0] == trainable


PLACES = {
    "bert": ({"output.dense", "attention.output.dense"}, {"output.LayerNorm"}),
    "xlm-roberta": ({"output.dense", "attention.output.dense"}, {"output.LayerNorm"}),
    "albert": ({"attention.dense", "ffn_output"}, {"full_layer_layer_norm"}),
    "distilbert": ({"attention.out_lin", "ffn.lin2"}, {"output_layer_norm"}),
    "deberta-v2": ({"output.dense", "attention.output.dense"}, {"output.LayerNorm"}),
    "modernbert": ({"attn.Wo", "mlp.Wo"}, {""}),
    "electra": ({"output.dense", "attention.output.dense"}, {"output.LayerNorm"}),
}


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("number", [0, 1])
def test_adapters_are_behind_the_blocks_or_in_front_of_the_last_norm_of_each_layer(tmp_path, name, number):
    peft = ("HOULSBY", "PFEIFFER")[number]
    network = adapted(load(build(name, tmp_path / "base")), peft, tmp_path / "adapter", ENCODERS[name][1])
    counts = adapted_layers(network)
    assert {layer.split("*")[-1].strip(".") for layer in counts} == PLACES[name][number]
    assert set(counts.values()) == {1 if name == "albert" else 2}


def test_pfeiffer_s_adapter_on_bert_reads_the_normalized_sum_and_is_added_to_the_sum(tmp_path):
    import torch

    base = load(build("bert", tmp_path / "base"))
    seen = {}
    norm = base.bert.encoder.layer[0].output.LayerNorm
    handle = norm.register_forward_hook(lambda _, arguments, output: seen.update(sum=arguments[0], out=output))
    logits(base)
    handle.remove()
    network = adapted(base, "PFEIFFER", tmp_path, ENCODERS["bert"][1], reduction_factor=4)
    layer = network.get_base_model().bert.encoder.layer[0].output.LayerNorm
    down, up = layer.bottleneck_down["default"], layer.bottleneck_up["default"]
    with torch.inference_mode():
        expected = norm(seen["sum"] + up(torch.relu(down(seen["out"]))))
        assert torch.equal(layer(seen["sum"]), expected)


@pytest.mark.parametrize("peft", TYPES)
def test_without_its_adapter_a_model_is_the_base_again(toy_base, tmp_path, peft):
    import torch

    ids = torch.tensor([[5, 6, 7, 8, 9]])
    before = causal.load(toy_base, 16)(ids).logits
    network = adapted(causal.load(toy_base, 16), peft, tmp_path, reduction_factor=8)
    assert not torch.equal(network(input_ids=ids).logits, before)
    with network.disable_adapter():
        assert torch.equal(network(input_ids=ids).logits, before)
    assert torch.equal(network.unload()(ids).logits, before)


@pytest.mark.parametrize("peft", TYPES)
def test_weights_load_under_another_name(tmp_path, peft):
    from peft import PeftModel

    base = build("bert", tmp_path / "base")
    network = adapted(load(base), peft, tmp_path / "adapter", ENCODERS["bert"][1], reduction_factor=4)
    learn(network, 1e-2)
    peft_method.save(network, base, tmp_path / "adapter")
    saved = json.loads((tmp_path / "adapter/adapter_config.json").read_text())
    assert (saved["peft_type"], saved["reduction_factor"]) == (peft, 4)
    other = PeftModel.from_pretrained(load(base), str(tmp_path / "adapter"), adapter_name="another").eval()
    assert (logits(other) - logits(network)).abs().max() == 0


@pytest.mark.parametrize("peft", TYPES)
def test_a_bfloat16_base_learns_as_a_float32_one_within_its_rounding(toy_base, tmp_path, peft):
    import torch

    ids, losses = torch.tensor([[5, 6, 7, 8, 9, 10, 11, 12]]), {}
    for dtype in (torch.float32, torch.bfloat16):
        torch.manual_seed(1)
        network = adapted(causal.load(toy_base, 16).to(dtype), peft, tmp_path / str(dtype), reduction_factor=8)
        trained = [each for each in network.parameters() if each.requires_grad]
        assert {str(each.dtype) for each in trained} == {"torch.float32"}
        optimizer = torch.optim.AdamW(trained, lr=3e-3)
        for _ in range(8):
            loss = network(input_ids=ids, labels=ids).loss
            optimizer.zero_grad()
            loss.backward()
            assert all(each.grad.abs().max() > 0 for each in trained)
            optimizer.step()
            losses.setdefault(dtype, []).append(loss.item())
    assert losses[torch.bfloat16] == pytest.approx(losses[torch.float32], rel=0.05)
    assert losses[torch.float32][-1] < 0.9 * losses[torch.float32][0]


@pytest.mark.parametrize("peft", TYPES)
def test_all_gradients_pass_gradient_checkpointing(toy_base, tmp_path, peft):
    import torch

    ids = torch.tensor([[5, 6, 7, 8, 9]])
    gradients = []
    for checkpointing in (False, True):
        torch.manual_seed(1)
        network = adapted(causal.load(toy_base, 16), peft, tmp_path, reduction_factor=8).train()
        if checkpointing:
            peft_method.base_of(network).gradient_checkpointing_enable({"use_reentrant": False})
        network(input_ids=ids, labels=ids, use_cache=False).loss.backward()
        gradients.append([each.grad for each in network.parameters() if each.requires_grad])
    assert all(
        torch.allclose(one, other, atol=1e-7) and one.abs().max() > 0 for one, other in zip(*gradients, strict=True)
    )


def test_what_cannot_be_built_is_refused_with_what_to_write(toy_base, tmp_path):
    from transformers import AutoModelForCausalLM, GPT2Config

    gpt2 = AutoModelForCausalLM.from_config(GPT2Config(n_layer=1, n_embd=32, n_head=2, vocab_size=50))
    with pytest.raises(
        peft_method.AdapterError, match=r"target_modules: where the adapters of a gpt2 model are is not"
    ):
        adapted(gpt2, "PFEIFFER", tmp_path)
    with pytest.raises(ValueError, match="reduction_factor: 256 is above the hidden size of the model, 128"):
        adapted(causal.load(toy_base, 16), "HOULSBY", tmp_path, reduction_factor=256)


def test_a_module_of_ours_is_loaded_for_its_own_types_alone():
    code = (
        "import sys\nfrom maple.methods.own_types import register\nregister('LORA')\n"
        "print('maple.methods.bottleneck' in sys.modules)\nregister('PFEIFFER')\n"
        "print('maple.methods.bottleneck' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True)
    assert done.stdout.split() == ["False", "True"]
