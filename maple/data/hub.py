"""Fetch repositories of the Hub at a pinned revision, and verify each file against the Hub's checksum."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from maple.data.sources import repository_folder
from maple.runtime.files import read_json, seal_folder

if TYPE_CHECKING:
    from huggingface_hub.utils._verification import FolderVerification

# Of a model: safetensors and tokenizer. Pickled weights could run code when they are loaded.
MODEL_FILES = [
    *("*.safetensors", "*.json", "chat_template.jinja", "LICENSE*", "README.md"),
    *("tokenizer.model", "sentencepiece.bpe.model", "spiece.model"),
]
# Of a model with trust_remote_code, besides: its own Python code, which is pinned by the same revision.
CODE_FILES = ["*.py"]
# Mistral's weights in a second format, which vLLM would prefer.
UNWANTED = ["consolidated*", "params.json"]


class HubError(ValueError):
    """A repository cannot be fetched; the message names it, and what to edit or which page to visit."""


@dataclass(frozen=True)
class Repository:
    """A repository of the Hub, and the files to fetch from it."""

    kind: Literal["model", "dataset"]
    id: str
    revision: str
    """The commit."""
    files: list[str]
    """Globs."""

    @property
    def folder(self) -> str:
        """The name of the folder that it is fetched into."""
        return repository_folder(self.kind, self.id, self.revision)

    @property
    def page(self) -> str:
        """Its address on the Hub."""
        return f"https://huggingface.co/{'datasets/' if self.kind == 'dataset' else ''}{self.id}"

    @property
    def pinned(self) -> str:
        """Name and revision, for messages."""
        return f"{self.id}@{self.revision}"

    def params(self) -> dict:
        """Return the fields as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class FetchedFile:
    """A file as it was fetched."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class FetchCard:
    """A fetched repository and its files, by their path in it."""

    kind: str
    id: str
    revision: str
    bytes: int
    files: dict[str, FetchedFile]
    stage: str = "fetch"
    schema_version: int = 1


def fetch(repository: Repository, folder: Path, *, unfinished: Path, card: Path) -> FetchCard:
    """Download the files of a repository, and move them to `folder` once all of them are verified.

    A killed download leaves its files in `unfinished`; they are not downloaded again. Each file must have the checksum
    that the Hub lists (SHA-256, or Git's own for small files), and the SHA-256 that an older `card` recorded of the
    same revision. A token is taken from the environment (HF_TOKEN) alone. Raises HubError.
    """
    # For this process alone: all other jobs are offline. huggingface_hub reads the variable when it is imported.
    os.environ["HF_HUB_OFFLINE"] = "0"
    checksums = _download(repository, unfinished)
    # If the Hub cannot list a repository, huggingface_hub silently returns what an earlier call left behind.
    if missing := list(_wanted(checksums.missing_paths, repository.files)):
        raise HubError(f"{repository.pinned}: {', '.join(missing)} could not be loaded; run again")
    for wrong in checksums.mismatches:
        (unfinished / wrong["path"]).unlink()
    if checksums.mismatches:
        list_ = ", ".join(f"{wrong['path']} ({wrong['algorithm']} {wrong['actual']})" for wrong in checksums.mismatches)
        raise HubError(f"{repository.pinned}: not what the Hub lists: {list_}; removed, run again to load it once more")
    files = _files_in(unfinished)
    if not files:
        patterns = ", ".join(repository.files)
        raise HubError(f"{repository.pinned}: has none of the files {patterns}; look at {repository.page}")
    _check_unchanged(repository.pinned, files, card)
    seal_folder(unfinished)
    os.replace(unfinished, folder)
    size = sum(file.bytes for file in files.values())
    return FetchCard(repository.kind, repository.id, repository.revision, size, files)


def _download(repository: Repository, unfinished: Path) -> "FolderVerification":
    """Download a repository's files into `unfinished`; return how they compare with the Hub's checksums."""
    from httpx2 import TransportError
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    name, page = repository.id, repository.page
    download: dict = {"repo_id": name, "repo_type": repository.kind, "revision": repository.revision}
    download["local_dir"] = unfinished
    api = HfApi(token=os.environ.get("HF_TOKEN") or False)
    unfinished.mkdir(parents=True, exist_ok=True)
    try:
        api.snapshot_download(**download, allow_patterns=repository.files, ignore_patterns=UNWANTED)
        return api.verify_repo_checksums(**download)
    except GatedRepoError:
        raise HubError(
            f"{name}: gated. Open {page}, agree to its terms with your account, then export HF_TOKEN, a token of that "
            "account (https://huggingface.co/settings/tokens), and run again"
        ) from None
    except RevisionNotFoundError:
        raise HubError(
            f"{name}: the Hub has no revision {repository.revision}; look for one at {page}/commits/main"
        ) from None
    except RepositoryNotFoundError:
        raise HubError(f"{name}: not on the Hub, or not open to you; look at {page}, export HF_TOKEN") from None
    except (HfHubHTTPError, LocalEntryNotFoundError, TransportError) as error:
        raise HubError(
            f"{name}: the Hub could not be asked ({type(error).__name__}); run `snakemake --until fetch` where there "
            "is a network, it goes on from what is there"
        ) from error


def _wanted(paths: Iterable[str], patterns: list[str]) -> Iterable[str]:
    from huggingface_hub.utils import filter_repo_objects

    return filter_repo_objects(paths, allow_patterns=patterns, ignore_patterns=UNWANTED)


def _files_in(folder: Path) -> dict[str, FetchedFile]:
    files = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith(".cache/"):  # huggingface_hub's notes on the download
            with open(path, "rb") as file:
                files[name] = FetchedFile(path.stat().st_size, file_digest(file, "sha256").hexdigest())
    return files


def _check_unchanged(pinned: str, files: Mapping[str, FetchedFile], card: Path) -> None:
    before = read_json(card)["files"] if card.is_file() else {}
    if changed := [name for name in files if name in before and files[name].sha256 != before[name]["sha256"]]:
        raise HubError(
            f"{pinned}: {', '.join(changed)}: not the SHA-256 of the first download, which {card} has, although the "
            "revision is the same; find out why, and remove that card to accept the new files"
        )
