"""The hardware of a job. A module of its own, so that datasets made without an engine depend on no engine's code."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """The threads of a processor and the GPUs that a job has (as many processes if there are no GPUs).

    `gpu_memory_utilization` is the share of a GPU's memory that vLLM may take, `max_loras` the adapters that it may
    hold there at once; None leaves both to vLLM. Neither decides a completion.
    """

    threads: int = 1
    gpus: int = 1
    gpu_memory_utilization: float | None = None
    max_loras: int | None = None
