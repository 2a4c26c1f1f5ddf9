"""Fourteen architectures of AdapterHub on mBART: the same logits and the same numbers of trained parameters."""

import json

import pytest
from adapter_hub import adapter_hub_s_name, by_formula
from project import ROOT
from toy_training import TRAINING, variant

from maple.definitions.method import Method, PeftMethod
from maple.definitions.reading import read_definitions
from maple.definitions.training import TrainingSettings
from maple.methods import peft_method
from maple.study.grid import method_variants

pytestmark = pytest.mark.heavy

GOLDEN = ROOT.parent / "shared/reference/adapters_golden/golden_adapters.json"
# By AdapterHub's name: our shipped method, and what it has at AdapterHub's defaults that its file or axes leave open.
ARCHITECTURES = {
    "pfeiffer": ("pfeiffer", {"reduction_factor": 16}),
    "houlsby": ("houlsby", {"reduction_factor": 16}),
    "pfeiffer+inv": ("pfeiffer-inversion", {"reduction_factor": 16}),
    "houlsby+inv": ("houlsby-inversion", {"reduction_factor": 16}),
    "parallel": ("parallel", {"reduction_factor": 2}),
    "scaled_parallel": ("scaled-parallel", {"reduction_factor": 2}),
    "compacter": ("compacter", {"reduction_factor": 32}),
    "compacter++": ("compacter-plus", {"reduction_factor": 32}),
    "prefix_tuning": ("prefix-attention", {"prefix_length": 30}),
    "prefix_tuning_flat": ("prefix-attention-flat", {"prefix_length": 30}),
    "lora": ("lora-attention", {"r": 8, "lora_alpha": 8}),
    "ia3": ("ia3-adapterhub", {}),
    "mam": ("mam", {"prefix_length": 30, "reduction_factor": 2}),
    "unipelt": ("unipelt", {"r": 8, "reduction_factor": 16, "gate": "sequence"}),
}
METHODS = read_definitions(ROOT / "config/methods", Method)


@pytest.fixture(scope="module")
def golden():
    if not GOLDEN.is_file():
        pytest.skip(f"{GOLDEN} is not there")
    return json.loads(GOLDEN.read_text())


def of_formula(golden):
    import torch
    from transformers import MBartConfig, MBartForConditionalGeneration

    network = MBartForConditionalGeneration(MBartConfig(**golden["config"]))
    for name, parameter in network.named_parameters():
        parameter.data = torch.tensor(by_formula(name, parameter.shape)).float()
    network.tie_weights()
    return network


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_logits_and_trained_parameters_are_adapter_hub_s(golden, tmp_path, architecture):
    import torch

    name, arguments = ARCHITECTURES[architecture]
    method, expected = METHODS[name], golden["kinds"][architecture]
    network = of_formula(golden)
    network = peft_method.attach(
        network, variant(method.peft, 16, method.adapter | arguments), "SEQ_2_SEQ_LM", tmp_path
    )
    shapes = dict(expected["parameters"])
    for ours, parameter in network.get_base_model().named_parameters():
        if ".default" in ours:
            hub_s = adapter_hub_s_name(ours, method.peft)
            values = torch.tensor(by_formula(hub_s, shapes.pop(hub_s))).float()
            parameter.data = values.reshape(parameter.shape)
    assert not shapes
    source, target = torch.tensor(golden["input_ids"]), torch.tensor(golden["decoder_input_ids"])
    with torch.inference_mode():
        found = network.eval()(input_ids=source, attention_mask=source != 1, decoder_input_ids=target).logits
    assert (found[..., [5, 50, 99]] - torch.tensor(expected["logits"])).abs().max() < 1e-5
    assert found.abs().mean().item() == pytest.approx(expected["mean_abs"], abs=1e-5)
    assert peft_method.parameters(network)[0] == expected["trainable"]


def test_every_architecture_of_the_file_is_tried(golden):
    assert set(golden["kinds"]) == {"none", *ARCHITECTURES}


# Su et al. 2024's Houlsby (arXiv 2404.04212) has 7.62, 2.03 and 0.52 % of mBART-50's parameters at 2, 8 and 32; the
# others are what adapters 1.3.0 counts at its defaults.
MBART_50 = {
    "houlsby": ({2: 50_405_376, 8: 12_638_208, 16: 6_343_680, 32: 3_196_416}, "reduction_factor"),
    "houlsby-inversion": ({2: 50_931_200, 16: 6_869_504}, "reduction_factor"),
    "pfeiffer-inversion": ({16: 3_697_664}, "reduction_factor"),
    "parallel": ({2: 25_202_688}, "reduction_factor"),
    "scaled-parallel": ({2: 25_202_712}, "reduction_factor"),
    "compacter": ({32: 152_128}, "reduction_factor"),
    "compacter-plus": ({32: 76_096}, "reduction_factor"),
    "prefix-attention": ({30: 39_489_024}, "prefix_length"),
    "prefix-attention-flat": ({30: 2_211_840}, "prefix_length"),
    "lora-attention": ({8: 1_179_648}, "r"),
    "ia3-adapterhub": ({None: 172_032}, None),
    "mam": ({2: 86_810_976}, "reduction_factor"),
    "unipelt": ({16: 43_914_372}, "reduction_factor"),
}


@pytest.mark.parametrize("name", MBART_50)
def test_mbart_50_has_as_many_trained_parameters_as_the_study_and_adapter_hub_count(tmp_path, name):
    import torch
    from transformers import MBartConfig, MBartForConditionalGeneration

    config = MBartConfig(vocab_size=250_054, d_model=1024, encoder_layers=12, decoder_layers=12)
    counts, key = MBART_50[name]
    for value, trained in counts.items():
        with torch.device("meta"):
            base = MBartForConditionalGeneration(config)
        assert base.num_parameters() == 610_879_488
        adapter = METHODS[name].adapter | ({key: value} if key else {})
        (tmp_path / str(value)).mkdir()
        network = peft_method.attach(
            base, variant(METHODS[name].peft, 16, adapter), "SEQ_2_SEQ_LM", tmp_path / str(value)
        )
        assert peft_method.parameters(network)[0] == trained


def test_the_shipped_files_give_adapter_hub_s_defaults_at_its_point_of_their_axes(golden):
    for name, arguments in ARCHITECTURES.values():
        method = METHODS[name]
        assert isinstance(method, PeftMethod)
        points = method_variants(name, method, None, TrainingSettings(**TRAINING)).values()
        stated = {key: value for key, value in arguments.items() if key != "gate"}
        assert any(stated.items() <= point.adapter.items() for point in points), name
