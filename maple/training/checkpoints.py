"""Checkpoints of a training: each is complete or absent, and only the training that wrote it resumes from it."""

import json
import logging
import os
import shutil
from dataclasses import dataclass
from hashlib import blake2b, file_digest
from pathlib import Path

from maple.runtime.files import read_json, sync, write_json

KEEP = 2  # the last one, and the one before it in case the last is damaged
UNFINISHED = "unfinished"
CONTENTS = "contents.json"


@dataclass(frozen=True)
class CheckpointPlan:
    """Where a run's checkpoints are written, and how often. It decides nothing of what is learnt."""

    folder: str | Path
    """A folder for this run alone."""
    steps: int
    """Steps between two checkpoints."""


def training_digest(**inputs: object) -> str:
    """Return a digest of everything that decides a training; it names the folder of its checkpoints."""
    return blake2b(json.dumps(inputs, sort_keys=True).encode(), digest_size=16).hexdigest()


def clear_for(digest: str, folder: str | Path) -> Path:
    """Return the folder of one training's checkpoints below `folder`; remove the checkpoints of other trainings."""
    folder = Path(folder)
    for other in folder.glob("*"):
        if other.name != digest and other.is_dir():
            logging.info("%s: belongs to a training with other weights, data, settings or versions; removed", other)
            shutil.rmtree(other)
    shutil.rmtree(folder / digest / UNFINISHED, ignore_errors=True)
    return folder / digest


def _digests(checkpoint: Path) -> dict[str, str]:
    digests = {}
    for path in _files(checkpoint):
        if path.name != CONTENTS:
            with open(path, "rb") as file:
                digests[str(path.relative_to(checkpoint))] = file_digest(file, "blake2b").hexdigest()
    return digests


def _files(checkpoint: Path) -> list[Path]:
    return [path for path in sorted(checkpoint.rglob("*")) if path.is_file()]


def seal(written: Path, folder: Path, step: int) -> None:
    """Move the checkpoint `written` to `folder`/{step} once all of it is on disk; remove all but the last KEEP."""
    write_json(_digests(written), written / CONTENTS)
    for path in _files(written):
        sync(path)
    os.replace(written, folder / str(step))
    for old in _steps(folder)[:-KEEP]:
        shutil.rmtree(folder / str(old))


def _steps(folder: Path) -> list[int]:
    return sorted(int(path.name) for path in folder.glob("*") if path.name.isdecimal())


def newest(folder: Path) -> Path | None:
    """Return the newest complete checkpoint, or None; damaged ones are named in the log and removed."""
    for step in reversed(_steps(folder)):
        checkpoint = folder / str(step)
        try:
            if read_json(checkpoint / CONTENTS) == _digests(checkpoint):
                return checkpoint
        except (OSError, ValueError):
            pass
        logging.warning("%s: torn or changed; removed, the one before it is used", checkpoint)
        shutil.rmtree(checkpoint)
    return None
