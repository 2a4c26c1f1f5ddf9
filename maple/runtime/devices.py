"""The device that a model computes on: a GPU in bfloat16 if there is one, else the CPU in float32."""

import os
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def prepare(threads: int, seed: int) -> None:
    """Fix threads, seeds and algorithms, so that the same job on the same machine gives the same numbers.

    The number of threads can change a result: it sets the order in which floats are added up.
    """
    import numpy as np
    import torch
    from torch.utils import deterministic

    if torch.cuda.is_available():
        torch.cuda.set_device(local_rank())
    torch.set_num_threads(threads)
    # The same as transformers.set_seed, whose import also loads the trainer: most of a second in every job.
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Else every allocation is filled, to find reads of it. A property of the module, which pyright does not see.
    deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]


def local_rank() -> int:
    """Return the local rank of this process within its job, from 0; its GPU has the same number."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def device() -> str:
    """Return "cuda" if torch finds a GPU, else "cpu"."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def visible_gpus() -> list[str]:
    """Return the names of the GPUs that this process may use, as in CUDA_VISIBLE_DEVICES."""
    import torch

    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return visible.split(",") if visible else [str(number) for number in range(torch.cuda.device_count())]


def compute_dtype() -> "torch.dtype":
    """Return the dtype of the arithmetic: bfloat16 on a GPU, else float32. Both hold stored 16-bit weights exactly."""
    import torch

    return torch.bfloat16 if torch.cuda.is_available() else torch.float32


def peak_memory_gib() -> float:
    """Return the peak memory of this process so far in GiB, of the GPU if there is one, else of the host."""
    import resource

    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # ru_maxrss is in KiB on Linux


def energy_joules() -> float | None:
    """Return the energy of this process's GPUs since their driver was loaded, in joules; None if it cannot be read.

    From the driver's library NVML (nvmlDeviceGetTotalEnergyConsumption, in millijoules; Volta or newer). It includes
    all other work on these GPUs. Processors are left out: on most systems only root may read their counters.
    """
    import ctypes

    gpus = visible_gpus()
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return None
    if not gpus or nvml.nvmlInit_v2():
        return None
    used = 0
    for name in gpus:
        gpu, millijoules = ctypes.c_void_p(), ctypes.c_ulonglong()
        if name.isdigit():
            failed = nvml.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(int(name)), ctypes.byref(gpu))
        else:
            failed = nvml.nvmlDeviceGetHandleByUUID(name.encode(), ctypes.byref(gpu))
        if failed or nvml.nvmlDeviceGetTotalEnergyConsumption(gpu, ctypes.byref(millijoules)):
            return None
        used += millijoules.value
    return used / 1000


def energy_since(before: float | None) -> float | None:
    """Return the joules used since `energy_joules` returned `before`; None if either cannot be read."""
    if before is None or (now := energy_joules()) is None:
        return None
    return round(now - before, 1)
