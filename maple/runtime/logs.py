"""Redirect all output of a job to its rule's log file."""

import atexit
import faulthandler
import gc
import io
import logging
import os
import sys
from contextlib import suppress
from pathlib import Path

from maple.runtime.locks import lock_until_exit
from maple.text.plain import readable

# As in maple/runtime/supervisor.py, which is not imported: no edit of it shall make a job run again.
CHECKOUT = "MAPLE_CHECKOUT"
# Objects that a job makes between two collections of garbage, in the place of Python's 700: the imports of torch,
# transformers and vLLM make many that stay, and take a fifth to a quarter less time so (benchmarks/imports.py).
_OBJECTS = 20_000


class _Log(io.TextIOWrapper):
    """A log to be read in a terminal, which text of others (rows, answers, messages of servers) must not command."""

    def write(self, text: str, /) -> int:
        super().write(readable(text))
        return len(text)


def log_to(path: str | Path) -> None:
    """Redirect standard output and error of this process and its children to the file `path`, until it ends.

    Waits while another process has this log, which computes the same. Ends the process if its `maple` is not that of
    the checkout whose Snakemake has started it.
    The file descriptors are redirected: reassigning `sys.stderr` would miss child processes and compiled code.
    """
    path = Path(path)
    lock_until_exit(path.with_name(f".{path.name}.lock"), f"writes {path}")
    log = _Log(open(path, "wb"), encoding="utf-8", errors="backslashreplace", line_buffering=True)
    os.dup2(log.fileno(), 1)
    os.dup2(log.fileno(), 2)
    sys.stdout = sys.stderr = log
    faulthandler.enable(log)
    gc.set_threshold(_OBJECTS)
    # Else Python looks for garbage before it ends: two seconds where torch and vLLM are imported.
    atexit.register(gc.freeze)
    logging.basicConfig(stream=log, level=logging.INFO, format="%(asctime)s %(name)s: %(message)s", force=True)
    check_checkout(os.environ.get(CHECKOUT))


def check_checkout(checkout: str | None, package: Path = Path(__file__).parents[2]) -> None:
    """End the process if the folder `package`, from which `maple` was imported, is not the checkout; None: any is."""
    if checkout and not package.samefile(checkout):
        raise SystemExit(
            f"this job belongs to {checkout} and has imported maple from {package}: "
            "uninstall that one, or take it off sys.path (sitecustomize.py, *.pth)"
        )


def show(text: str) -> None:
    """Print `text` for a user: a terminal that has no such letter shows "?", one that is gone shows nothing."""
    with suppress(OSError, ValueError):
        encoding = sys.stdout.encoding or "utf-8"
        print(text.encode(encoding, "replace").decode(encoding), flush=True)
