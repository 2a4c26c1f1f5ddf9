"""Bounds on the processor time and the memory of a block of code that runs what others wrote."""

import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

_MEMORY_IN_USE = Path("/proc/self/statm")  # in pages; Linux alone has it


def _stop(number: int, frame: object) -> NoReturn:
    raise TimeoutError


@contextmanager
def limits(seconds: float, memory: int) -> Iterator[None]:
    """Raise TimeoutError after `seconds` of processor time, and MemoryError beyond `memory` more bytes.

    The time is bounded in the main thread only, where Python handles signals, and the memory on Linux only.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    handler = signal.signal(signal.SIGVTALRM, _stop)
    try:
        if _MEMORY_IN_USE.exists():
            in_use = int(_MEMORY_IN_USE.read_text().split()[0]) * resource.getpagesize()
            bounds = [in_use + memory, *(bound for bound in (soft, hard) if bound != resource.RLIM_INFINITY)]
            resource.setrlimit(resource.RLIMIT_AS, (min(bounds), hard))
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, handler)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
