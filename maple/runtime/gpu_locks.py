"""Reserve GPUs for a job, before torch or vLLM enumerates devices, so that parallel jobs get different GPUs."""

import errno
import os
import random
import re
import socket
import subprocess
import time

from maple.runtime.devices import VISIBLE, visible_names

# The sockets whose names reserve this process's GPUs. The system closes them when the process ends, even if killed.
_locks: list[socket.socket] = []
REPAIR = f"repair the driver, or export {VISIBLE}= (empty) for the CPU to compute"
PATIENCE = 120  # seconds; without its persistence daemon, a driver may take half a minute to wake eight GPUs
UUID = re.compile(r"\(UUID: ([^)\s]+)\)")


class GPUError(ValueError):
    """A job cannot have the GPUs that it was given; the message says what to change."""


def candidates() -> dict[str, str]:
    """Return the GPUs that this process may use: {CUDA's name: UUID}.

    These are the GPUs in CUDA_VISIBLE_DEVICES if Slurm or the user has set it, else all of the machine; none without
    NVIDIA's driver. A GPU that is divided (MIG) counts as its parts. CUDA_VISIBLE_DEVICES is later set to CUDA's
    numbers, since vLLM accepts few other names; locks are named by UUID, since two Slurm jobs may both call their GPU
    0. Raises GPUError if the driver does not answer, and for a name that it does not list.
    """
    names = visible_names()
    if names == []:
        return {}
    uuids = listed_gpus(broken_is_fatal=names is None)
    if names is None or uuids is None:
        return uuids or {name: name for name in names or []}
    return dict({uuid: (name, uuid) for name, uuid in (_resolved(name, uuids) for name in names)}.values())


def listed_gpus(broken_is_fatal: bool = True) -> dict[str, str] | None:
    """Return the machine's GPUs by nvidia-smi, {CUDA's name: UUID}; None without nvidia-smi.

    Raises GPUError if nvidia-smi fails or, with `broken_is_fatal`, if it cannot read one of the GPUs.
    """
    try:
        done = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, errors="replace", check=False, timeout=PATIENCE
        )
    except FileNotFoundError:
        return None
    except subprocess.TimeoutExpired:
        raise GPUError(f"nvidia-smi -L has not answered for {PATIENCE} seconds; {REPAIR}") from None
    except OSError as error:
        raise GPUError(f"nvidia-smi cannot be started ({error}); {REPAIR}") from None
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    words = " ".join((done.stdout + done.stderr).split())
    if "no devices" in words.lower():
        return {}
    if done.returncode:
        raise GPUError(f"nvidia-smi -L fails with status {done.returncode} ({words[:200]}); {REPAIR}")
    gpus: dict[str, str] = {}
    number = ""
    for line in lines:
        found, gpu = UUID.search(line), re.match(r"GPU (\d+):", line)
        if gpu:
            number = gpu.group(1)
        if found and gpu:
            gpus[number] = found.group(1)
        elif found:  # a part of the GPU before it, which is then none by itself
            gpus.pop(number, None)
            gpus[found.group(1)] = found.group(1)
        elif broken_is_fatal:
            raise GPUError(f"nvidia-smi -L cannot read a GPU ({line.strip()[:200]}); name the others in {VISIBLE}")
    return gpus


def _resolved(name: str, uuids: dict[str, str]) -> tuple[str, str]:
    """Return a GPU that CUDA_VISIBLE_DEVICES names, as (CUDA's name, UUID); a UUID may be cut short, as CUDA allows."""
    if name in uuids:
        return name, uuids[name]
    full = [uuid for uuid in uuids.values() if not name.isdigit() and uuid.startswith(name)]
    if len(full) != 1:
        listed = ", ".join(f"{number} ({uuid})" for number, uuid in uuids.items()) or "none"
        several = "is the beginning of several GPUs" if full else "is no GPU"
        raise GPUError(f"{VISIBLE}: {name!r} {several} of those that nvidia-smi -L lists: {listed}")
    return full[0], full[0]


def _lock(uuid: str) -> socket.socket | None:
    """Return the socket that reserves a GPU; None if another process has it.

    The name is in the kernel's own (abstract) space, not in a folder: it is the same for all users and jobs of the
    machine, whatever their temporary folder is, and it goes with its process. Nobody listens there.
    """
    lock = socket.socket(socket.AF_UNIX)
    try:
        lock.bind(f"\0maple-gpu-{uuid}")
    except OSError as error:
        lock.close()
        if error.errno != errno.EADDRINUSE:
            raise
        return None
    return lock


def claim(count: int) -> None:
    """Reserve `count` GPUs for this process until it ends; call it before torch or vLLM enumerates devices.

    Prints a line and waits while too few are free. On a machine without GPUs it returns at once, and the CPU computes;
    with GPUs, maple.runtime.devices refuses to compute if torch does not find them. Raises GPUError if the process may
    use fewer than `count` GPUs.
    """
    if count == 0:
        os.environ[VISIBLE] = ""
        return
    gpus = candidates()
    if not gpus:
        print("no NVIDIA GPU: the CPU computes")
        return
    if len(gpus) < count:
        raise GPUError(
            f"the job wants {count} GPUs and may use {', '.join(gpus)} alone; lower its resource gpu in the profile, "
            f"or name more in {VISIBLE}"
        )
    waiting = False
    while True:
        locks: dict[str, socket.socket] = {}
        for name, uuid in gpus.items():
            if len(locks) < count and (lock := _lock(uuid)):
                locks[name] = lock
        if len(locks) == count:
            break
        for lock in locks.values():  # a job that keeps one GPU while it waits for a second may deadlock with another
            lock.close()
        if not waiting:
            print(f"waiting for {count} of the GPUs {', '.join(gpus)}: other jobs have them")
        waiting = True
        time.sleep(random.uniform(0.5, 1.5))  # random, so that two jobs that need two GPUs each do not retry in step
    _locks.extend(locks.values())
    os.environ[VISIBLE] = ",".join(locks)
    os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"  # as nvidia-smi numbers them; CUDA's default starts with the fastest
    print(f"GPU {', '.join(locks)}")
