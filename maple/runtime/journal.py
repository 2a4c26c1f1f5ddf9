"""A journal: the rows of an unfinished job, so that a killed job resumes and computes nothing twice."""

import json
import os
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path

from maple.runtime import strict_json
from maple.runtime.files import named, sealed, unsealed


def key_of(*facts: object) -> str:
    """Return the key of a row: a digest of the facts (JSON values) that decide its content."""
    return blake2b(json.dumps(facts).encode(), digest_size=16).hexdigest()


def incomplete_batches(keys: Sequence[str], size: int, done: Container[str]) -> Iterator[list[str]]:
    """Yield each batch of `size` keys of which at least one is not `done`, with all its keys.

    The other rows of a batch change the last bits of a result, so that a job that resumes must compute the same batches
    as an undisturbed one.
    """
    for at in range(0, len(keys), size):
        batch = list(keys[at : at + size])
        if any(key not in done for key in batch):
            yield batch


class Journal:
    """Rows of an unfinished job, one JSON line each, beside its outputs; synced to disk after every `append`.

    `previous` is the Parquet file in which a job that replaces its own outputs may keep their earlier rows.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.previous = self.path.with_suffix(".previous.parquet")

    def read(self, is_row: Callable[[dict], bool] = lambda row: True) -> list[dict]:
        """Return the rows that are whole: JSON objects with a key, of which `is_row` is true.

        A line that is none is left out, and the log says how many there are: the last one of a job that was killed
        while it wrote, or what another program wrote.
        """
        if not self.path.is_file():
            return []
        # By bytes: str.splitlines would also split at U+2028, which a text may contain.
        lines = [line for line in self.path.read_bytes().split(b"\n") if line]
        rows = [row for line in lines if (row := _row(line)) and is_row(row)]
        if skipped := len(lines) - len(rows):
            print(f"{self.path}: {skipped} of {len(lines)} lines are no whole records; they are computed again")
        return rows

    def append(self, rows: Iterable[dict]) -> None:
        """Write rows and wait until they are on disk; a torn line before them is closed first.

        Raises ValueError for a row with NaN or infinity, before anything is written.
        """
        lines = [_line(row, self.path) for row in rows]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with named(self.path), open(self.path, "ab+") as file:
            if file.tell() and (file.seek(-1, os.SEEK_END), file.read(1))[1] != b"\n":
                file.write(b"\n")
            file.write(b"".join(lines))
            file.flush()
            os.fsync(file.fileno())

    def remove(self) -> None:
        """Remove the journal's files, once their rows are in the outputs."""
        self.path.unlink(missing_ok=True)
        self.previous.unlink(missing_ok=True)


def _row(line: bytes) -> dict | None:
    """Return the row of a journal's line; None for a line that is none."""
    try:
        row = strict_json.loads(line)
        return unsealed(row) if isinstance(row, dict) and isinstance(row.get("key"), str) else None
    except (ValueError, RecursionError):
        return None


def _line(row: dict, path: Path) -> bytes:
    try:
        return json.dumps(sealed(row), ensure_ascii=False, allow_nan=False).encode() + b"\n"
    except ValueError:
        raise ValueError(f"{path}: the row {row.get('key')} has NaN, an infinity or half a letter in it") from None


class JournaledRows(Mapping[str, dict]):
    """The rows of a job by their `key`: those of an earlier attempt, and those that `add` or `compute` journals.

    `carried_over` are rows of the job's earlier outputs; the journal's rows replace those of the same key. A journaled
    row of which `is_row` is not true is none.
    """

    def __init__(
        self,
        journal: Journal,
        carried_over: Iterable[dict] = (),
        is_row: Callable[[dict], bool] = lambda row: True,
    ):
        self.journal = journal
        self._rows = {row["key"]: row for row in (*carried_over, *journal.read(is_row))}

    def __getitem__(self, key: str) -> dict:
        return self._rows[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def missing(self, keys: Iterable[str]) -> list[str]:
        """Return the keys without a row, each once, in the order given."""
        return [key for key in dict.fromkeys(keys) if key not in self._rows]

    def add(self, rows: Sequence[dict]) -> None:
        """Append rows to the journal; they count once they are on disk."""
        self.journal.append(rows)
        self._rows.update((row["key"], row) for row in rows)

    def compute(
        self,
        batches: Iterable[Sequence[dict]],
        progress: Callable[[Iterable[Sequence[dict]]], Iterable[Sequence[dict]]] = iter,
    ) -> None:
        """Add batches of rows as an iterator computes them; a killed job loses the batch that was being computed."""
        for rows in progress(batches):
            self.add(rows)
