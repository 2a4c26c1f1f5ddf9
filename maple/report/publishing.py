"""Publishing: an adapter or a merged model on the Hugging Face Hub, with its model card."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from maple.runtime.files import SUMS, check_folder, read_json

CARD, ADAPTER_CONFIG = "README.md", "adapter_config.json"


class PublishingError(ValueError):
    """A run cannot be published; the message names the repository, and what to do. It never has the token."""


@dataclass(frozen=True)
class UploadRecord:
    """What a run's repository has."""

    repository: str
    """The Hub's id."""
    commit: str
    """The Hub's commit that has these files."""
    url: str
    """The commit's page."""
    files: dict[str, str]
    """BLAKE2b digests of the files, by their path in the repository."""
    stage: str = "upload"
    schema_version: int = 1


def upload(weights: Path, card: Path, repository: str, *, private: bool, record: Path) -> UploadRecord:
    """Upload the files of the folder `weights`, and `card` as README.md, in one commit; return the new record.

    The repository is created if it is not there. Files that are there already are not uploaded again, and if none has
    changed there is no new commit. Of other files, those that the earlier `record` names are removed. The token is
    taken from the environment (HF_TOKEN) alone. Raises PublishingError.
    """
    token = os.environ.get("HF_TOKEN")
    if not token:
        raise PublishingError(
            f"{repository}: no token: export HF_TOKEN, one that may write (https://huggingface.co/settings/tokens)"
        )
    files = _files(weights, card)
    digests = {name: blake2b(path.read_bytes()).hexdigest() for name, path in files.items() if path == card}
    digests |= {name: digest for name, digest in check_folder(weights).items() if name in files and name != CARD}
    before = read_json(record) if record.is_file() else {}
    leftovers = set(before.get("files", {})) - set(files) if before.get("repository") == repository else set()
    # For this process alone: all other jobs are offline. huggingface_hub reads the variable when it is imported.
    os.environ["HF_HUB_OFFLINE"] = "0"
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    api = HfApi(token=token)
    with _in_our_words(repository):
        api.create_repo(repository, private=private, exist_ok=True)
        operations: list[Any] = [CommitOperationAdd(name, path) for name, path in files.items()]
        if leftovers:
            leftovers &= set(api.list_repo_files(repository))
            operations += [CommitOperationDelete(name) for name in sorted(leftovers)]
        commit = api.create_commit(repository, operations, commit_message=f"Upload {repository.split('/')[1]}")
    return UploadRecord(repository, commit.oid, commit.commit_url, dict(sorted(digests.items())))


def _files(weights: Path, card: Path) -> Mapping[str, Path]:
    """Return the files to upload by their path in the repository: weights, configs and tokenizer, and the card."""
    if (weights / ADAPTER_CONFIG).is_file():
        base = read_json(weights / ADAPTER_CONFIG).get("base_model_name_or_path")
        if base and (Path(base).exists() or Path(base).is_absolute()):
            raise PublishingError(
                f"{weights}/{ADAPTER_CONFIG}: names {base} for its base, a path of this machine; make the adapter "
                f"again by `snakemake --cores all --forcerun {weights}`"
            )
    paths = [path for path in sorted(weights.rglob("*")) if path.is_file()]
    files = {path.relative_to(weights).as_posix(): path for path in paths if path.name != SUMS}
    return {name: path for name, path in files.items() if not name.startswith(".")} | {CARD: card}


@contextmanager
def _in_our_words(repository: str) -> Iterator[None]:
    """Turn what huggingface_hub raises into PublishingError, without its text: a server may repeat the token there."""
    from httpx2 import HTTPError

    try:
        yield
    except (HTTPError, OSError, RuntimeError, ValueError) as error:
        raise PublishingError(f"{repository}: {_reason(repository, error)}") from None


def _reason(repository: str, error: BaseException) -> str:
    from httpx2 import HTTPError
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(error, RuntimeError) and error.__cause__:  # of the upload of one file
        return _reason(repository, error.__cause__)
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        if status in (401, 403):
            owner = repository.split("/")[0]
            return (
                f"the Hub refuses it ({status}): export HF_TOKEN, a token that may write to repositories of {owner}, "
                "or write another owner into publish.repository of the config"
            )
        return f"the Hub answers {status}: run `snakemake publish` again, it goes on from what is there"
    if isinstance(error, (HTTPError, OSError)):
        return (
            f"the Hub cannot be reached ({type(error).__name__}): run `snakemake publish` where there is a network, it "
            "goes on from what is there"
        )
    return f"the Hub does not take a file or the model card ({type(error).__name__})"
