"""Models in folders of this machine: what is refused while a study is planned, and when their jobs run again."""

import json
import shutil

import numpy as np
import pytest
from project import TOY_STUDY, Project
from safetensors.numpy import save_file

from maple.definitions.errors import DefinitionError
from maple.definitions.local_model import HubModel, PathModel
from maple.study.model_folders import check_model_folders


@pytest.fixture
def folder(tmp_path):
    """A folder with the files of a model, as far as planning looks at them."""
    path = tmp_path / "model"
    path.mkdir()
    for name in ("config.json", "tokenizer.json"):
        (path / name).write_text("{}")
    save_file({"layer.weight": np.zeros((2, 2), np.float16)}, path / "model.safetensors")
    return path


def check(folder, **keys):
    check_model_folders({"mine": PathModel(path=str(folder), **keys)})


def without(name):
    return lambda folder: (folder / name).unlink()


def with_file(name, text):
    return lambda folder: (folder / name).write_text(text)


def pickled(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def coded(folder):
    save_file({"layer.weight": np.zeros((2, 2), np.uint8)}, folder / "model.safetensors")


def a_shard_short(folder):
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    shards = {"weight_map": {"layer.weight": "model-1.safetensors", "more.weight": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(shards))


def test_a_whole_folder_is_taken(folder):
    check(folder)
    check_model_folders({"other": HubModel(hub="org/toy", revision="0" * 40)})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (shutil.rmtree, "model is not there; write a model's folder, with config.json"),
        (without("config.json"), "config.json: not readable as JSON"),
        (without("tokenizer.json"), "has no tokenizer; put its files there"),
        (with_file("adapter_config.json", "{}"), "holds an adapter; name the model that the adapter was trained on"),
        (with_file("quantize_config.json", "{}"), "the weights are quantized already"),
        (with_file("config.json", '{"quantization_config": {"bits": 4}}'), "the weights are quantized already"),
        (with_file("model.safetensors", "torn"), "torn, or no safetensors file"),
        (pickled, "no safetensors are there; pickled weights are refused"),
        (coded, r"quantized already: layer.weight \(U8\)"),
        (a_shard_short, "names files that are not there: model-2.safetensors"),
    ],
)
def test_a_folder_that_holds_no_such_model_is_refused_with_file_and_key(folder, change, says):
    change(folder)
    with pytest.raises(DefinitionError, match=rf"^config/models/mine.yaml: path: .*{says}"):
        check(folder)


def test_a_file_is_no_folder(folder):
    with pytest.raises(DefinitionError, match=r"config\.json is no folder"):
        check(folder / "config.json")


@pytest.mark.heavy
def test_a_moved_folder_makes_nothing_again_and_a_changed_one_its_base(toy_base, tmp_path):
    (tmp_path / "study").mkdir()
    project = Project.made_in(tmp_path / "study")
    folder = shutil.copytree(toy_base, tmp_path / "shelf/model")
    project.write("config/models/toy.yaml", {"path": str(folder)})
    lengths = {
        "finetune": TOY_STUDY["finetune"] | {"max_length": 128},
        "generate": TOY_STUDY["generate"] | {"max_length": 256},
    }
    project.study(**lengths)
    base = "results/base/toy"
    project.snakemake(base)
    assert project.jobs(base) == {}
    moved = folder.rename(tmp_path / "elsewhere")
    assert "config/models/toy.yaml: path: " in project.snakemake("-n", base, fails=True)
    project.write("config/models/toy.yaml", {"path": str(moved)})
    assert project.jobs(base) == {}
    config = json.loads((moved / "config.json").read_text())
    (moved / "config.json").write_text(json.dumps(config | {"initializer_range": 0.5}))
    assert project.jobs(base) == {"base": 1}
