"""Redirect all output of a job to its rule's log file."""

import faulthandler
import logging
import os
import sys
from pathlib import Path


def log_to(path: str | Path) -> None:
    """Redirect standard output and error of this process and its children to the file `path`.

    The file descriptors are redirected: reassigning `sys.stderr` would miss child processes and compiled code.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    log = open(path, "w", encoding="utf-8", buffering=1)
    os.dup2(log.fileno(), 1)
    os.dup2(log.fileno(), 2)
    sys.stdout = sys.stderr = log
    faulthandler.enable(log)
    logging.basicConfig(stream=log, level=logging.INFO, format="%(asctime)s %(name)s: %(message)s", force=True)
