"""Locks between processes: one study per folder, one writer per log and per output."""

import atexit
import fcntl
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO


class LockedError(ValueError):
    """Another process holds the lock; the message names it."""


def _same_file(file: IO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _locked(path: Path, what: str, wait: bool) -> IO:
    """Return the open file that locks `path`."""
    while True:
        # Open for writing: without that, NFS gives no exclusive lock.
        file = open(path, "a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "another process"
            if not wait:
                file.close()
                raise LockedError(f"{holder} {what}") from None
            print(f"waiting until {holder}, which {what}, has ended", file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            print(f"{path}: this file system has no locks ({error}); start no second run here", file=sys.stderr)
        if _same_file(file, path):  # else its holder has removed it
            return file
        file.close()


@contextmanager
def lock(path: str | Path, what: str, wait: bool = True) -> Iterator[None]:
    """Hold a lock, so that no other process of any machine that sees the folder of `path` does the same.

    `what` says what the holder does, "writes logs/mix.log" for example. If another process holds the lock, a line that
    names it is printed, and this one waits; with `wait=False`, LockedError says it. The system lets go of the lock when
    the process ends, however it ends.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path, what, wait) as file:
        with suppress(OSError):  # a full disk: the lock holds without a name too
            os.ftruncate(file.fileno(), 0)
            os.write(file.fileno(), f"process {os.getpid()} on {socket.gethostname()}".encode())
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def lock_until_exit(path: str | Path, what: str, wait: bool = True) -> None:
    """Hold a lock, as `lock` does, until this process ends."""
    held = ExitStack()
    held.enter_context(lock(path, what, wait))
    atexit.register(held.close)
