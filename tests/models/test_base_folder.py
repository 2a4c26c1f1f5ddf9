"""The folder of a base model: what is linked, what is copied, and what stays where it was."""

import os
import shutil

import pytest

from maple.definitions.local_model import HubModel, PathModel
from maple.models.base_folder import link_model, prepare_base
from maple.models.tiny import BaseError

pytestmark = pytest.mark.heavy


@pytest.fixture
def source(toy_base, tmp_path):
    """A model's folder with files of other programs beside it."""
    folder = shutil.copytree(toy_base, tmp_path / "source")
    for name in ("pytorch_model.bin", "optimizer.pt", "model.fp16.safetensors"):
        (folder / name).write_bytes(b"x")
    return folder


@pytest.fixture
def base(tmp_path):
    (tmp_path / "base").mkdir()
    return tmp_path / "base"


def prepare(source, base, kind=PathModel, lengths=None):
    model = PathModel(path="digest") if kind is PathModel else HubModel(hub="org/toy", revision="0" * 40)
    prepare_base(model, base, fetched=source, lengths=lengths or {}, phrases={}, threads=1, progress=iter)


def without_hard_links(*_):
    raise OSError("another disk")


def test_weights_in_a_folder_are_linked_and_nothing_else_comes_along(source, base):
    prepare(source, base)
    assert (base / "model.safetensors").stat().st_ino == (source / "model.safetensors").stat().st_ino
    assert not {"pytorch_model.bin", "optimizer.pt", "model.fp16.safetensors"} & {path.name for path in base.iterdir()}


def test_small_files_are_copied_so_that_nobody_writes_into_the_other_folder(source, base):
    prepare(source, base)
    before = (source / "config.json").read_bytes()
    (base / "config.json").write_text("{}")
    assert (source / "config.json").read_bytes() == before


@pytest.mark.parametrize(("kind", "linked"), [(PathModel, True), (HubModel, False)])
def test_on_another_disk_a_folder_s_weights_get_symbolic_links_and_fetched_ones_are_copied(
    source, base, monkeypatch, kind, linked
):
    monkeypatch.setattr(os, "link", without_hard_links)
    prepare(source, base, kind)
    assert (base / "model.safetensors").is_symlink() == linked
    assert (base / "model.safetensors").read_bytes() == (source / "model.safetensors").read_bytes()


def test_a_folder_of_links_as_the_hub_s_cache_has_them_gives_files(source, base, tmp_path):
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    for path in source.iterdir():
        (snapshot / path.name).symlink_to(path)
    prepare(snapshot, base)
    assert not any(path.is_symlink() for path in base.iterdir())


def test_a_tokenizer_that_is_written_anew_leaves_the_other_folder_as_it_was(m2m100, base):
    def state():
        return {path.name: path.stat().st_mtime_ns for path in m2m100.iterdir()}

    before = state()
    assert "tokenizer.json" not in before, "or nothing would be written"
    link_model(m2m100, base)
    assert state() == before


def test_a_folder_whose_model_has_too_few_positions_is_refused(source, base):
    with pytest.raises(BaseError, match=r"finetune.max_length: 512 tokens are above the 256 positions"):
        prepare(source, base, lengths={"finetune.max_length": 512})
    assert not list(base.iterdir())
