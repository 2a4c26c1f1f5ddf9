"""The hardware of a job. A module of its own, so that datasets made without an engine depend on no engine's code."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """The threads of a processor and the GPUs that a job has (as many processes if there are no GPUs)."""

    threads: int = 1
    gpus: int = 1
