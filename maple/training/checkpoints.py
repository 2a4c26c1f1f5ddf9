"""Checkpoints of a training: each is complete or absent, and only the training that wrote it resumes from it."""

import json
import logging
import os
import shutil
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from maple.runtime.files import DamagedFileError, check_folder, seal_folder

KEEP = 2  # the last one, and the one before it in case the last is damaged
UNFINISHED = "unfinished"


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


def seal(written: Path, folder: Path, step: int) -> None:
    """Move the checkpoint `written` to `folder`/{step} once all of it is on disk; remove all but the last KEEP."""
    seal_folder(written)
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
            check_folder(checkpoint)
            return checkpoint
        except (OSError, DamagedFileError):
            logging.warning("%s: torn or changed; removed, the one before it is used", checkpoint)
        shutil.rmtree(checkpoint)
    return None
