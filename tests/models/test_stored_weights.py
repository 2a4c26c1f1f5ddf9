"""A base is refused unless its files hold every weight that its config asks for, in bits that are its own."""

import json
import shutil
from types import SimpleNamespace

import pytest

from maple.definitions.local_model import HubModel
from maple.models import causal, seq2seq
from maple.models.base_folder import prepare_base
from maple.models.stored_weights import INDEX, SINGLE, check_stored_weights, stored_tensors
from maple.models.tiny import BaseError

pytestmark = pytest.mark.heavy
SIZE = {"vocab_size": 50, "hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4}
Q_OF_THE_SECOND_LAYER = "model.layers.1.self_attn.q_proj.weight"


class Folder:
    """A Hub-style folder of a tiny model with two layers, whose files can be changed."""

    def __init__(self, path, architecture="llama", shards=1, **config):
        from transformers import AutoConfig, AutoModelForCausalLM

        self.path = path
        config = {"num_hidden_layers": 2, **SIZE, "tie_word_embeddings": True, **config}
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(architecture, **config))
        model.save_pretrained(path, max_shard_size="1GB" if shards == 1 else "20KB")

    def write(self, name, **changes):
        file = self.path / name
        before = json.loads(file.read_text()) if file.is_file() else {}
        file.write_text(json.dumps(before | changes))

    def weights(self, change, name=SINGLE):
        """Replace the tensors of a file by what `change` makes of them."""
        from safetensors.torch import load_file, save_file

        tensors = {key: value.clone() for key, value in load_file(self.path / name).items()}
        save_file(change(tensors), self.path / name)

    def refused(self, kind=causal) -> str:
        """Return why the folder is refused; empty if it is not."""
        try:
            check_stored_weights(self.path, kind)
        except BaseError as error:
            assert str(self.path) in str(error) and "\n" not in str(error)
            return str(error)
        return ""


@pytest.fixture
def llama(tmp_path):
    return Folder(tmp_path / "llama")


def renamed(change):
    return lambda tensors: {change(name): tensor for name, tensor in tensors.items()}


def without(*parts):
    return lambda tensors: {name: value for name, value in tensors.items() if not any(part in name for part in parts)}


def test_what_fits_is_a_base(tmp_path, llama):
    assert llama.refused() == ""
    assert Folder(tmp_path / "untied", tie_word_embeddings=False).refused() == ""
    assert Folder(tmp_path / "shards", shards=3).refused() == ""
    moe = {"num_key_value_heads": 2, "num_local_experts": 2, "num_experts_per_tok": 1}
    assert Folder(tmp_path / "experts", "mixtral", **moe).refused() == "", "experts are fused when they are loaded"


def test_names_without_the_prefix_and_a_head_of_another_task_do_no_harm(llama):
    import torch

    llama.weights(renamed(lambda name: name.removeprefix("model.")))
    llama.weights(lambda tensors: {**tensors, "value_head.weight": torch.zeros(1, 32)})
    assert llama.refused() == ""


def test_frequencies_that_older_models_store_do_no_harm(llama):
    import torch

    llama.weights(lambda tensors: {**tensors, "model.layers.0.self_attn.rotary_emb.inv_freq": torch.zeros(4)})
    assert llama.refused() == ""


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (without("layers.1.self_attn.q_proj"), f"1 missing: {Q_OF_THE_SECOND_LAYER}"),
        (without("norm"), "5 missing: model.layers.0.input_layernorm.weight, "),
        (without("embed_tokens"), "missing: lm_head.weight, model.embed_tokens.weight"),
        (renamed("x.{}".format), "21 missing: lm_head.weight, model.embed_tokens.weight, "),
        (renamed(lambda name: name.replace("q_proj", "query")), "2 without a place in the model of config.json: "),
    ],
)
def test_weights_that_would_be_drawn_at_random_are_named(llama, change, says):
    llama.weights(change)
    assert says in llama.refused()


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("num_hidden_layers", 3, "9 missing: model.layers.2."),
        ("num_hidden_layers", 1, "9 without a place in the model of config.json: model.layers.1."),
        ("intermediate_size", 48, "6 of another shape than config.json says: model.layers.0.mlp.down_proj.weight"),
        ("vocab_size", 60, "1 of another shape than config.json says: "),
        ("num_key_value_heads", 2, "4 of another shape than config.json says: "),
        ("tie_word_embeddings", False, "1 missing: lm_head.weight"),
        ("attention_bias", True, "8 missing: model.layers.0.self_attn.k_proj.bias"),
        ("model_type", "mamba", "missing: backbone.embeddings.weight"),
        ("model_type", "no-such", "config and weights make no model: "),
        ("model_type", "vit", "config and weights make no model: "),
    ],
)
def test_a_config_of_another_model_is_named(llama, key, value, says):
    llama.write("config.json", **{key: value})
    assert says in llama.refused()


def test_an_encoder_has_no_head_to_generate_with(tmp_path):
    from transformers import BertConfig, BertModel

    encoder = Folder(tmp_path / "unused")
    shutil.rmtree(encoder.path)
    BertModel(BertConfig(num_hidden_layers=2, **SIZE)).save_pretrained(encoder.path)
    assert "missing: cls.predictions." in encoder.refused()


def test_a_new_head_is_the_exception_that_its_kind_names(tmp_path):
    from transformers import BertConfig, BertForPreTraining

    encoder = Folder(tmp_path / "unused")
    shutil.rmtree(encoder.path)
    BertForPreTraining(BertConfig(num_hidden_layers=2, **SIZE)).save_pretrained(encoder.path)
    classifier = SimpleNamespace(AUTO_CLASS="AutoModelForSequenceClassification", NEW_HEADS=("classifier",))
    assert encoder.refused(classifier) == ""
    encoder.weights(without("layer.1.attention"))
    assert "missing: bert.encoder.layer.1.attention." in encoder.refused(classifier)
    assert "classifier" not in encoder.refused(classifier)


def test_a_translator_is_compared_as_one(nllb, tmp_path):
    translator = Folder(tmp_path / "nllb")
    shutil.rmtree(translator.path)
    shutil.copytree(nllb, translator.path)
    assert translator.refused(seq2seq) == ""
    assert "config.json is that of an encoder and a decoder; write kind: seq2seq" in translator.refused()
    translator.weights(without("encoder.layers.0.fc1"))
    assert "2 missing: model.encoder.layers.0.fc1.bias" in translator.refused(seq2seq)


def test_a_missing_shard_a_wrong_index_and_a_torn_file_are_named(tmp_path):
    folder = Folder(tmp_path / "shards", shards=3)
    index = json.loads((folder.path / INDEX).read_text())
    last = sorted(set(index["weight_map"].values()))[-1]
    folder.write(INDEX, weight_map=index["weight_map"] | {"model.norm.weight": "model-9.safetensors"})
    assert f"{INDEX}: names files that are not there: model-9.safetensors" in folder.refused()
    folder.write(INDEX, weight_map=index["weight_map"] | {"other.weight": last})
    assert f"{INDEX}: names tensors that are not in their files: other.weight ({last})" in folder.refused()
    folder.write(INDEX, **index)
    (folder.path / last).write_bytes((folder.path / last).read_bytes()[:-9])
    assert f"{last}: torn, or no safetensors file" in folder.refused()
    (folder.path / last).unlink()
    assert f"names files that are not there: {last}; fetch the model again" in folder.refused()
    (folder.path / INDEX).unlink()
    assert f"neither {SINGLE} nor {INDEX} is there, only model-00001" in folder.refused()


def test_a_tensor_in_two_shards_is_no_base(tmp_path):
    import torch

    folder = Folder(tmp_path / "shards", shards=3)
    first, second, *_ = sorted(path.name for path in folder.path.glob("*.safetensors"))
    name = next(iter(stored_tensors(folder.path)))
    folder.weights(lambda tensors: {**tensors, name: torch.zeros(1)}, second)
    assert f"{name} is in {first} and in {second}" in folder.refused()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", {"quantization_config": {"quant_method": "gptq", "bits": 4}}),
        ("config.json", {"compression_config": {"quant_method": "compressed-tensors"}}),
        ("config.json", {"text_config": {"quantization_config": {"quant_method": "fp8"}}}),
        ("quantize_config.json", {"bits": 4}),
        ("hf_quant_config.json", {"quantization": {"quant_algo": "FP8"}}),
    ],
)
def test_a_model_that_is_quantized_already_says_what_to_name_instead(llama, name, content):
    llama.write(name, **content)
    assert "the weights are quantized already (" in llama.refused()
    assert "name the model that it was quantized from" in llama.refused()


@pytest.mark.parametrize("dtype", ["uint8", "int8", "float8_e4m3fn"])
def test_codes_are_no_weights_even_if_no_config_says_that_they_are_codes(llama, dtype):
    import torch

    llama.weights(lambda tensors: {**tensors, Q_OF_THE_SECOND_LAYER: torch.zeros(32, 32).to(getattr(torch, dtype))})
    assert f"quantized already: {Q_OF_THE_SECOND_LAYER} (" in llama.refused()


def test_a_fold_that_keeps_16_bits_is_not_taken_for_a_quantized_one(llama):
    llama.write("config.json", quantization_config=None)
    assert llama.refused() == ""


def test_an_adapter_is_no_base(llama):
    llama.write("adapter_config.json", base_model_name_or_path="org/other")
    assert "holds an adapter; name the model that the adapter was trained on" in llama.refused()


def test_the_rule_refuses_what_does_not_fit_and_links_one_form_of_the_weights(toy_base, tmp_path):
    fetched, base = tmp_path / "fetched", tmp_path / "base"
    shutil.copytree(toy_base, fetched)
    shutil.copy(fetched / SINGLE, fetched / "model.fp16.safetensors")
    (fetched / INDEX).write_text(json.dumps({"weight_map": {"a": "model.fp16.safetensors"}}))
    base.mkdir()
    model = HubModel(hub="org/toy", revision="0" * 40)
    prepare_base(model, base, fetched=fetched, lengths={}, phrases={}, threads=1, progress=iter)
    assert [path.name for path in base.glob("*.safetensors*")] == [SINGLE], "vLLM would read every file"
    config = json.loads((fetched / "config.json").read_text())
    (fetched / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 9}))
    (tmp_path / "other").mkdir()
    with pytest.raises(BaseError, match=r"fetched: .* missing: model\.layers\.2\."):
        prepare_base(model, tmp_path / "other", fetched=fetched, lengths={}, phrases={}, threads=1, progress=iter)
    assert not list((tmp_path / "other").iterdir())
