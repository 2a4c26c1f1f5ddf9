"""Digests of the content of files, remembered: gigabytes of rows are read once, and not whenever a study is planned."""

import json
import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from hashlib import blake2b, file_digest
from pathlib import Path

from maple.runtime.files import read_json, write_json

# Seconds. A file that changed a moment ago could change again without another date, since clocks of file systems are
# coarse; its digest is not remembered yet (Git treats its index in the same way).
SETTLED = 2


class ContentDigests:
    """The digest of a file or a folder by its path; that of one which is not there is "".

    `memory` is a JSON file of digests by real path, with what changes whenever a file is written: inode, size, and the
    dates of content and inode, of which nobody can set the second one.
    """

    def __init__(self, memory: Path | None = None):
        self._memory = memory
        self._digests: dict[str, list] = {}
        with suppress(OSError, ValueError):
            self._digests = read_json(memory) if memory else {}

    def __call__(self, path: str) -> str:
        """Return the digest of a file's bytes, or of the names and bytes of all files below a folder.

        Hidden files and folders in it are left out. Raises OSError for a file that cannot be read.
        """
        real = Path(os.path.realpath(path))
        if real.is_dir():
            names = _files_below(real)
            states = [[name, *_state(real / name)] for name in names]
            changed = max((state[-1] for state in states), default=0)
            content = partial(_digest_of_files, real, names)
            return self._remembered(str(real), [_digest(states)], changed, content)
        try:
            state = _state(real)
        except FileNotFoundError:
            return ""
        return self._remembered(str(real), state, state[-1], partial(_digest_of_file, real))

    def _remembered(self, real: str, state: list, changed: int, content: Callable[[], str]) -> str:
        """Return the digest of a path of this state, which `content` computes; `changed` is the date of its inodes."""
        before = self._digests.get(real)
        if isinstance(before, list) and before[:-1] == state:
            return before[-1]
        started = time.time()
        digest = content()
        if self._memory and changed / 1e9 + SETTLED < started:
            self._digests[real] = [*state, digest]
            with suppress(OSError):  # without a memory, planning takes longer and says the same
                write_json(self._digests, self._memory)
        return digest


def _state(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _files_below(folder: Path) -> list[str]:
    """Return the files below a folder by their paths there, links followed; hidden ones are left out."""
    found = []
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [str(Path(parent, name).relative_to(folder)) for name in names if not name.startswith(".")]
    return sorted(found)


def _digest(content: list) -> str:
    return blake2b(json.dumps(content).encode(), digest_size=16).hexdigest()


def _digest_of_files(folder: Path, names: Iterable[str]) -> str:
    return _digest([[name, _digest_of_file(folder / name)] for name in names])


def _digest_of_file(path: Path) -> str:
    with open(path, "rb") as file:
        return file_digest(file, lambda: blake2b(digest_size=16)).hexdigest()
