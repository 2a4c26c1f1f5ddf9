"""What a job computes on. A module of its own: datasets that no engine makes do not depend on the engines' code."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """The threads of a processor and the GPUs that a job has (as many processes if there are no GPUs)."""

    threads: int = 1
    gpus: int = 1
