"""Files that were fetched, with the SHA-256 of each: the same address must give the same files again."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

from maple.runtime.files import read_json


class FetchError(ValueError):
    """Something cannot be fetched; the message names it, and what to edit or which page to visit."""


@dataclass(frozen=True)
class FetchedFile:
    """A file as it was fetched."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class FetchCard:
    """What was fetched, and its files, by their path in it."""

    kind: str
    """model or dataset, of the Hub; package, of a package index."""
    id: str
    revision: str
    """The commit, or the version."""
    bytes: int
    files: dict[str, FetchedFile]
    stage: str = "fetch"
    schema_version: int = 1


def files_in(folder: Path) -> dict[str, FetchedFile]:
    """Return the files below a folder by their path there, without huggingface_hub's notes on the download."""
    files = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith(".cache/"):
            with open(path, "rb") as file:
                files[name] = FetchedFile(path.stat().st_size, file_digest(file, "sha256").hexdigest())
    return files


def check_unchanged(pinned: str, files: Mapping[str, FetchedFile], card: Path) -> None:
    """Refuse files that have another SHA-256 than an older `card` recorded; `pinned` says what was fetched."""
    before = read_json(card)["files"] if card.is_file() else {}
    if changed := [name for name in files if name in before and files[name].sha256 != before[name]["sha256"]]:
        raise FetchError(
            f"{pinned}: {', '.join(changed)}: not the SHA-256 of the first download, which {card} has, although the "
            "revision is the same; find out why, and remove that card to accept the new files"
        )
