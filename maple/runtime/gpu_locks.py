"""Reserve GPUs for a job by file lock, before torch or vLLM enumerates devices; parallel jobs get different GPUs."""

import fcntl
import os
import random
import re
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

# The open lock files of this process's GPUs. The system releases the locks when the process ends, even if killed.
_locks: list[IO] = []


class GPUError(ValueError):
    """A job asks for more GPUs than it may use; the message says which resource to lower."""


def candidates() -> dict[str, str]:
    """Return the GPUs that this process may use: {CUDA's name: UUID}.

    These are the GPUs in CUDA_VISIBLE_DEVICES if Slurm or the user has set it, else all of the machine; none without
    NVIDIA's driver. CUDA_VISIBLE_DEVICES is later set to CUDA's numbers, since vLLM accepts few other names; locks are
    named by UUID, since two Slurm jobs may both call their GPU 0.
    """
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return {}
    uuids = dict(re.findall(r"^GPU (\d+): .*\(UUID: (\S+)\)", listed, re.M))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if not uuids or visible is None:
        return uuids
    names = [name.strip() for name in visible.split(",")]
    return {name: uuids.get(name, name) for name in names if name not in ("", "-1", "NoDevFiles")}


def _lock(uuid: str) -> IO | None:
    """Return the open file that locks a GPU; None if another process holds the lock."""
    path = Path(tempfile.gettempdir()) / f"maple-{uuid.replace('/', '-')}.lock"
    with suppress(FileExistsError):
        path.touch(exist_ok=False)
        path.chmod(0o644)  # whatever the umask: other users of this machine must be able to read it to lock it
    file = open(path, "rb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def claim(count: int) -> None:
    """Reserve `count` GPUs for this process until it ends; call it before torch or vLLM enumerates devices.

    Each GPU has a lock file in the temporary folder, so that parallel jobs get different GPUs. Prints a line and waits
    while too few are free. On a machine without GPUs it returns at once, and the CPU computes. Raises GPUError if the
    process may use fewer than `count` GPUs.
    """
    if count == 0:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        return
    gpus = candidates()
    if not gpus:
        print("no NVIDIA GPU: the CPU computes")
        return
    if len(gpus) < count:
        raise GPUError(
            f"the job wants {count} GPUs and may use {', '.join(gpus)} alone; lower its resource gpu in the profile, "
            "or name more in CUDA_VISIBLE_DEVICES"
        )
    waiting = False
    while True:
        locks: dict[str, IO] = {}
        for name, uuid in gpus.items():
            if len(locks) < count and (file := _lock(uuid)):
                locks[name] = file
        if len(locks) == count:
            break
        for file in locks.values():  # a job that keeps one GPU while it waits for a second may deadlock with another
            file.close()
        if not waiting:
            print(f"waiting for {count} of the GPUs {', '.join(gpus)}: other jobs have them")
        waiting = True
        time.sleep(random.uniform(0.5, 1.5))  # random, so that two jobs that need two GPUs each do not retry in step
    _locks.extend(locks.values())
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(locks)
    os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"  # as nvidia-smi numbers them; CUDA's default starts with the fastest
    print(f"GPU {', '.join(locks)}")
