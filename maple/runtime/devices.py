"""Where a model is computed: a GPU in bfloat16 when there is one, else the CPU in float32."""

import os
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def prepare(threads: int, seed: int) -> None:
    """Fix threads, seeds and algorithms, so that the same job on the same machine gives the same numbers.

    The number of threads belongs to the result: it sets the order in which floats are added up.
    """
    import numpy as np
    import torch

    if torch.cuda.is_available():
        torch.cuda.set_device(local_rank())
    torch.set_num_threads(threads)
    # As transformers' set_seed does, whose import brings all that trains along: most of a second of every job.
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # a check for reads of it, paid at every allocation


def local_rank() -> int:
    """Return which process of its job on this machine this is, counted from 0; its GPU has that number too."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def device() -> str:
    """Return "cuda" where torch finds a GPU, else "cpu"."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def visible_gpus() -> list[str]:
    """Return the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    import torch

    named = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return named.split(",") if named else [str(number) for number in range(torch.cuda.device_count())]


def compute_dtype() -> "torch.dtype":
    """Return the dtype of the arithmetic; stored 16-bit weights keep their values in either."""
    import torch

    return torch.bfloat16 if torch.cuda.is_available() else torch.float32


def peak_memory_gib() -> float:
    """Return the most memory this process has held so far, on the GPU when it used one, in GiB."""
    import resource

    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # ru_maxrss is in KiB on Linux


def energy_joules() -> float | None:
    """Return what the GPUs of this process have used since their driver was loaded, in joules; None without a meter.

    NVML tells it, the driver's own library, of a Volta or newer (nvmlDeviceGetTotalEnergyConsumption, in millijoules).
    Whatever else runs on these GPUs is in it. Of processors nothing is told: most systems let only root read theirs.
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
    """Return the joules used since `energy_joules` said `before`; None where it says nothing."""
    now = None if before is None else energy_joules()
    return None if now is None else round(now - before, 1)
