"""Repositories of the Hub: fetched at a pinned revision, each file held against the Hub's checksum and the last one."""

import os
from collections.abc import Iterable, Mapping
from hashlib import file_digest
from pathlib import Path

from maple.runtime.files import read_json

# Of a model: safetensors and tokenizer. Pickled weights run code when they are read.
MODEL_FILES = [
    *("*.safetensors", "*.json", "chat_template.jinja", "LICENSE*", "README.md"),
    *("tokenizer.model", "sentencepiece.bpe.model", "spiece.model"),
]
# Mistral's weights once more, in its own format, which vLLM would prefer.
UNWANTED = ["consolidated*", "params.json"]


class HubError(ValueError):
    """A repository that cannot be had; the message names it, and what to edit or which page to visit."""


def fetch(repository: Mapping, folder: Path, *, unfinished: Path, card: Path) -> dict:
    """Download the files of a repository and move them to `folder` once all of them are right; return the card.

    `repository` has kind ("model" or "dataset"), id, revision (the commit) and files (globs). What is there of a
    download that was killed stays in `unfinished`, and is not loaded again. Each file must have the checksum that the
    Hub lists (SHA-256, or Git's own for small files), and the SHA-256 that an older `card` recorded of the same
    revision. The new card has kind, id, revision, bytes and files, {path: {"bytes", "sha256"}}. A token is taken from
    the environment (HF_TOKEN) alone. Raises HubError.
    """
    # For this process alone: all other jobs are offline. The library reads it when it is imported.
    os.environ["HF_HUB_OFFLINE"] = "0"
    from httpx2 import TransportError
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    kind, name, revision = repository["kind"], repository["id"], repository["revision"]
    page = f"https://huggingface.co/{'datasets/' if kind == 'dataset' else ''}{name}"
    wanted = {"repo_id": name, "repo_type": kind, "revision": revision, "local_dir": unfinished}
    api = HfApi(token=os.environ.get("HF_TOKEN") or False)
    unfinished.mkdir(parents=True, exist_ok=True)
    try:
        api.snapshot_download(**wanted, allow_patterns=repository["files"], ignore_patterns=UNWANTED)
        checked = api.verify_repo_checksums(**wanted)
    except GatedRepoError:
        raise HubError(
            f"{name}: gated. Open {page}, agree to its terms with your account, then export HF_TOKEN, a token of that "
            "account (https://huggingface.co/settings/tokens), and run again"
        ) from None
    except RevisionNotFoundError:
        raise HubError(f"{name}: the Hub has no revision {revision}; look for one at {page}/commits/main") from None
    except RepositoryNotFoundError:
        raise HubError(f"{name}: not on the Hub, or not open to you; look at {page}, export HF_TOKEN") from None
    except (HfHubHTTPError, LocalEntryNotFoundError, TransportError) as error:
        raise HubError(
            f"{name}: the Hub could not be asked ({type(error).__name__}); run `snakemake --until fetch` where there "
            "is a network, it goes on from what is there"
        ) from error
    # The library hands out what an earlier call left behind when the Hub cannot list a repository.
    if lacking := list(_wanted(checked.missing_paths, repository["files"])):
        raise HubError(f"{name}@{revision}: {', '.join(lacking)} could not be loaded; run again")
    for wrong in checked.mismatches:
        (unfinished / wrong["path"]).unlink()
    if checked.mismatches:
        told = ", ".join(f"{wrong['path']} ({wrong['algorithm']} {wrong['actual']})" for wrong in checked.mismatches)
        raise HubError(f"{name}@{revision}: not what the Hub lists: {told}; removed, run again to load it once more")
    files = _recorded(unfinished)
    if not files:
        raise HubError(f"{name}@{revision}: has none of the files {', '.join(repository['files'])}; look at {page}")
    _check_unchanged(f"{name}@{revision}", files, card)
    os.replace(unfinished, folder)
    size = sum(file["bytes"] for file in files.values())
    return {"kind": kind, "id": name, "revision": revision, "bytes": size, "files": files}


def _wanted(paths: Iterable[str], patterns: list[str]) -> Iterable[str]:
    from huggingface_hub.utils import filter_repo_objects

    return filter_repo_objects(paths, allow_patterns=patterns, ignore_patterns=UNWANTED)


def _recorded(folder: Path) -> dict[str, dict]:
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith(".cache/"):  # the library's own notes of the download
            with open(path, "rb") as file:
                found[name] = {"bytes": path.stat().st_size, "sha256": file_digest(file, "sha256").hexdigest()}
    return found


def _check_unchanged(pinned: str, files: Mapping[str, Mapping], card: Path) -> None:
    before = read_json(card)["files"] if card.is_file() else {}
    if changed := [name for name in files if name in before and files[name]["sha256"] != before[name]["sha256"]]:
        raise HubError(
            f"{pinned}: {', '.join(changed)}: not the SHA-256 of the first download, which {card} has, although the "
            "revision is the same; find out why, and remove that card to accept the new files"
        )
