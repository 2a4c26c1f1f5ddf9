"""The files of a model: what a fetch takes, and what its digest covers."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from huggingface_hub.utils import filter_repo_objects

from maple.models.model_files import MODEL_FILES, UNWANTED, folder_digest, has_vocabulary, model_files
from maple.runtime.content_digests import ContentDigests

FILES = {"config.json": "{}", "tokenizer.json": "{}", "model.safetensors": "weights", "README.md": "A model."}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model/onnx").mkdir(parents=True)
    for name, text in FILES.items():
        (tmp_path / "model" / name).write_text(text)
    return tmp_path / "model"


def digest(folder, trust_remote_code=False):
    return folder_digest(folder, ContentDigests(), trust_remote_code=trust_remote_code)


def test_the_files_of_every_tokenizer_of_transformers_are_fetched():
    sources = Path(find_spec("transformers").origin).parent / "models"
    named = re.compile(r'"\w+_file": *"([^"]+)"')
    names = {name for path in sources.glob("*/tokenization*.py") for name in named.findall(path.read_text("utf-8"))}
    assert {"merges.txt", "vocab.txt", "spiece.model"} < names
    assert names - set(filter_repo_objects(names, allow_patterns=MODEL_FILES, ignore_patterns=UNWANTED)) == set()


def test_what_is_not_the_model_stays_out(folder):
    for name in ("pytorch_model.bin", "model.fp16.safetensors", "params.json", "optimizer.pt", "onnx/config.json"):
        (folder / name).write_text("x")
    (folder / "modeling_toy.py").write_text("x = 1")
    assert {path.name for path in model_files(folder, trust_remote_code=False)} == set(FILES)
    assert {path.name for path in model_files(folder, trust_remote_code=True)} == {*FILES, "modeling_toy.py"}


def test_a_digest_is_of_the_content_and_not_of_the_place(folder):
    before = digest(folder)
    moved = folder.rename(folder.with_name("moved"))
    assert digest(moved) == before
    (moved / "README.md").write_text("Another word.")
    assert digest(moved) == before, "a README decides no answer"


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json", "chat_template.jinja"])
def test_another_content_of_a_file_that_decides_is_another_digest(folder, name):
    before = digest(folder)
    (folder / name).write_text("other")
    assert digest(folder) != before


def test_code_counts_only_where_it_is_trusted(folder):
    before, trusted = digest(folder), digest(folder, trust_remote_code=True)
    (folder / "modeling_toy.py").write_text("x = 1")
    assert digest(folder) == before and digest(folder, trust_remote_code=True) != trusted


@pytest.mark.parametrize(
    ("name", "there"), [("vocab.json", True), ("source.spm", True), ("tokenizer_config.json", False)]
)
def test_a_config_alone_is_no_tokenizer(folder, name, there):
    (folder / "tokenizer.json").unlink()
    (folder / name).write_text("{}")
    assert has_vocabulary(folder) == there
