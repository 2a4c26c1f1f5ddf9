"""Redirect all output of a job to its rule's log file."""

import faulthandler
import io
import logging
import os
import sys
from pathlib import Path

from maple.text.plain import readable


class _Log(io.TextIOWrapper):
    """A log to be read in a terminal, which text of others (rows, answers, messages of servers) must not command."""

    def write(self, text: str, /) -> int:
        super().write(readable(text))
        return len(text)


def log_to(path: str | Path) -> None:
    """Redirect standard output and error of this process and its children to the file `path`.

    The file descriptors are redirected: reassigning `sys.stderr` would miss child processes and compiled code.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    log = _Log(open(path, "wb"), encoding="utf-8", errors="backslashreplace", line_buffering=True)
    os.dup2(log.fileno(), 1)
    os.dup2(log.fileno(), 2)
    sys.stdout = sys.stderr = log
    faulthandler.enable(log)
    logging.basicConfig(stream=log, level=logging.INFO, format="%(asctime)s %(name)s: %(message)s", force=True)
