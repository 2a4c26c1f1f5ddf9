"""Fetch repositories of the Hub at a pinned revision, and verify each file against the Hub's checksum."""

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from maple.data.fetched import FetchCard, FetchError, check_unchanged, files_in
from maple.data.repository_folders import repository_folder
from maple.runtime.files import seal_folder

if TYPE_CHECKING:
    from huggingface_hub.utils._verification import FolderVerification


@dataclass(frozen=True)
class Repository:
    """A repository of the Hub, and the files to fetch from it."""

    kind: Literal["model", "dataset"]
    id: str
    revision: str
    """The commit."""
    files: list[str]
    """Globs of files to fetch."""
    unwanted: list[str] = field(default_factory=list)
    """Globs of files that stay there."""

    fetcher: ClassVar[str] = "hub"
    """The module of maple.data that fetches it."""

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


# What the rule `fetch` makes of its params.
KIND = Repository


def fetch(repository: Repository, folder: Path, *, unfinished: Path, card: Path) -> FetchCard:
    """Download the files of a repository, and move them to `folder` once all of them are verified.

    A killed download leaves its files in `unfinished`; they are not downloaded again. Each file must have the checksum
    that the Hub lists (SHA-256, or Git's own for small files), and the SHA-256 that an older `card` recorded of the
    same revision. A token is taken from the environment (HF_TOKEN) alone. Raises FetchError.
    """
    # For this process alone: all other jobs are offline. huggingface_hub reads the variable when it is imported.
    os.environ["HF_HUB_OFFLINE"] = "0"
    checksums = _download(repository, unfinished)
    # If the Hub cannot list a repository, huggingface_hub silently returns what an earlier call left behind.
    if missing := list(_wanted(checksums.missing_paths, repository)):
        raise FetchError(f"{repository.pinned}: {', '.join(missing)} could not be loaded; run again")
    for wrong in checksums.mismatches:
        (unfinished / wrong["path"]).unlink()
    if checksums.mismatches:
        list_ = ", ".join(f"{wrong['path']} ({wrong['algorithm']} {wrong['actual']})" for wrong in checksums.mismatches)
        raise FetchError(
            f"{repository.pinned}: not what the Hub lists: {list_}; removed, run again to load it once more"
        )
    files = files_in(unfinished)
    if not files:
        patterns = ", ".join(repository.files)
        raise FetchError(f"{repository.pinned}: has none of the files {patterns}; look at {repository.page}")
    check_unchanged(repository.pinned, files, card)
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
        api.snapshot_download(**download, allow_patterns=repository.files, ignore_patterns=repository.unwanted)
        return api.verify_repo_checksums(**download)
    except GatedRepoError:
        raise FetchError(
            f"{name}: gated. Open {page}, agree to its terms with your account, then export HF_TOKEN, a token of that "
            "account (https://huggingface.co/settings/tokens), and run again"
        ) from None
    except RevisionNotFoundError:
        raise FetchError(
            f"{name}: the Hub has no revision {repository.revision}; look for one at {page}/commits/main"
        ) from None
    except RepositoryNotFoundError:
        raise FetchError(f"{name}: not on the Hub, or not open to you; look at {page}, export HF_TOKEN") from None
    except (HfHubHTTPError, LocalEntryNotFoundError, TransportError) as error:
        raise FetchError(
            f"{name}: the Hub could not be asked ({type(error).__name__}); run `snakemake --until fetch` where there "
            "is a network, it goes on from what is there"
        ) from error


def _wanted(paths: Iterable[str], repository: Repository) -> Iterable[str]:
    from huggingface_hub.utils import filter_repo_objects

    return filter_repo_objects(paths, allow_patterns=repository.files, ignore_patterns=repository.unwanted)
