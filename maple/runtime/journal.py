"""A journal: the rows of an unfinished job, so that a killed one does nothing twice."""

import json
import os
from collections.abc import Container, Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path


def key_of(*facts: object) -> str:
    """Return the key of a row: a digest of the facts (what JSON can hold) that decide it."""
    return blake2b(json.dumps(facts).encode(), digest_size=16).hexdigest()


def batches_to_do(keys: Sequence[str], size: int, known: Container[str]) -> Iterator[list[str]]:
    """Yield those batches of `size` keys of which one is not `known`, each whole.

    Neighbours in a batch move the last bits of a float: a job that goes on after a kill computes in the same company.
    """
    for at in range(0, len(keys), size):
        batch = list(keys[at : at + size])
        if any(key not in known for key in batch):
            yield batch


class Journal:
    """Rows of an unfinished job, one JSON line each, beside its outputs; synced after every batch.

    `previous` is where a job that replaces its own outputs may keep what they held, as Parquet.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.previous = self.path.with_suffix(".previous.parquet")

    def read(self) -> list[dict]:
        """Return the whole lines; a torn last line (a job killed while writing) is left out."""
        if not self.path.is_file():
            return []
        rows = []
        # By bytes: a text may hold what str.splitlines takes for the end of a line too (U+2028).
        for line in self.path.read_bytes().split(b"\n"):
            try:
                rows.append(json.loads(line))
            except ValueError:
                continue
        return rows

    def append(self, rows: Iterable[dict]) -> None:
        """Write rows and wait until they are on disk; a torn line before them is closed first."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "ab+") as file:
            if file.tell() and (file.seek(-1, os.SEEK_END), file.read(1))[1] != b"\n":
                file.write(b"\n")
            file.writelines(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
            file.flush()
            os.fsync(file.fileno())

    def remove(self) -> None:
        """Remove the files: their rows stand in the outputs now."""
        self.path.unlink(missing_ok=True)
        self.previous.unlink(missing_ok=True)
