"""The device that a model computes on: a GPU in bfloat16 if there is one, else the CPU in float32."""

import os
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

VISIBLE = "CUDA_VISIBLE_DEVICES"
# Set to 1, it lets the CPU compute for a job that was given GPUs: to try a profile for GPUs where there are none.
ALLOW_CPU = "MAPLE_ALLOW_CPU"


class DeviceError(ValueError):
    """torch does not find the GPUs that a job was given; the message says what to change."""


def visible_names() -> list[str] | None:
    """Return the GPUs that CUDA_VISIBLE_DEVICES names; an empty list if it hides all, None if it is not set."""
    visible = os.environ.get(VISIBLE)
    if visible is None:
        return None
    names = dict.fromkeys(name.strip() for name in visible.split(","))
    return [name for name in names if name not in ("", "-1", "NoDevFiles")]


def on_gpu() -> bool:
    """Return True if torch finds a GPU.

    Raises DeviceError if the job was given more GPUs than torch finds: the CPU would compute for days, and its numbers
    would be taken for a GPU's.
    """
    import torch

    given = visible_names() or []
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count < len(given) and os.environ.get(ALLOW_CPU) != "1":
        reason = "it is a build for the CPU" if torch.version.cuda is None else "see what nvidia-smi says of the driver"
        raise DeviceError(
            f"the job was given the GPUs {', '.join(given)} ({VISIBLE}), and torch {torch.__version__} finds {count} "
            f"of them: {reason}. Install requirements/gpu.txt or repair the driver; for the CPU to compute, write "
            f"gpu: 0 for the rule in the profile, or export {VISIBLE}= (empty)"
        )
    return count > 0


def prepare(threads: int, seed: int) -> None:
    """Fix threads, seeds and algorithms, so that the same job on the same machine gives the same numbers.

    The number of threads can change a result: it sets the order in which floats are added up.
    """
    # Large tensors in pages of 2 MB: the gradient of a large embedding is filled in half the time. torch reads this at
    # its first such tensor.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    import numpy as np
    import torch
    from torch.utils import deterministic

    if on_gpu():
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
    """Return "cuda" if torch finds a GPU, else "cpu"; raises DeviceError as `on_gpu` does."""
    return "cuda" if on_gpu() else "cpu"


def visible_gpus() -> list[str]:
    """Return the names of the GPUs that this process may use, as in CUDA_VISIBLE_DEVICES."""
    import torch

    names = visible_names()
    return [str(number) for number in range(torch.cuda.device_count())] if names is None else names


def compute_dtype(name: str = "auto") -> "torch.dtype":
    """Return the dtype of the arithmetic: the one named, or with auto bfloat16 on a GPU, else float32.

    Both of auto's hold stored bfloat16 weights exactly; float16 rounds the smallest and has no place for the largest.
    """
    import torch

    if name != "auto":
        return getattr(torch, name)
    return torch.bfloat16 if on_gpu() else torch.float32


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
