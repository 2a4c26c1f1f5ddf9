"""Digests of the content of files, remembered: gigabytes of rows are read once, and not whenever a study is planned."""

import os
import time
from contextlib import suppress
from hashlib import blake2b, file_digest
from pathlib import Path

from maple.runtime.files import read_json, write_json

# Seconds. A file that changed a moment ago could change again without another date, since clocks of file systems are
# coarse; its digest is not remembered yet (Git treats its index in the same way).
SETTLED = 2


class ContentDigests:
    """The digest of a file by its path; that of a file which is not there is "".

    `memory` is a JSON file of digests by real path, with what changes whenever a file is written: inode, size, and the
    dates of content and inode, of which nobody can set the second one.
    """

    def __init__(self, memory: Path | None = None):
        self._memory = memory
        self._digests: dict[str, list] = {}
        with suppress(OSError, ValueError):
            self._digests = read_json(memory) if memory else {}

    def __call__(self, path: str) -> str:
        """Return the digest of a file's bytes. Raises OSError for a file that cannot be read."""
        real = os.path.realpath(path)
        try:
            status = Path(real).stat()
        except FileNotFoundError:
            return ""
        state = [status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
        before = self._digests.get(real)
        if isinstance(before, list) and before[:-1] == state:
            return before[-1]
        started = time.time()
        with open(real, "rb") as file:
            digest = file_digest(file, lambda: blake2b(digest_size=16)).hexdigest()
        if self._memory and status.st_ctime + SETTLED < started:
            self._digests[real] = [*state, digest]
            with suppress(OSError):  # without a memory, planning takes longer and says the same
                write_json(self._digests, self._memory)
        return digest
