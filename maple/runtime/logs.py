"""Everything a job says goes into its rule's log."""

import faulthandler
import logging
import os
import sys
from pathlib import Path


def log_to(path: str | Path) -> None:
    """Send this process's standard output and error, and its children's, to the file `path`.

    The descriptors themselves are redirected: reassigning `sys.stderr` would miss child processes and compiled code.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    log = open(path, "w", encoding="utf-8", buffering=1)
    os.dup2(log.fileno(), 1)
    os.dup2(log.fileno(), 2)
    sys.stdout = sys.stderr = log
    faulthandler.enable(log)
    logging.basicConfig(stream=log, level=logging.INFO, format="%(asctime)s %(name)s: %(message)s", force=True)
