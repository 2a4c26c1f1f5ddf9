"""Which GPUs a job computes on, told before any library looks for one: jobs side by side take different ones."""

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

# The locks of this process's GPUs. The system frees them when the process ends, however it ends.
_locks: list[IO] = []


class GPUError(ValueError):
    """A job that wants more GPUs than it may have; the message says which resource to lower."""


def candidates() -> dict[str, str]:
    """Return the GPUs that this process may use, {what CUDA calls it: UUID}.

    They are those that CUDA_VISIBLE_DEVICES names, where Slurm or the user has set it, else all of the machine; none
    where NVIDIA's driver finds none. CUDA is told its own numbers, since vLLM takes few other names; locks go by UUID,
    since two Slurm jobs may both call their GPU 0.
    """
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return {}
    uuids = dict(re.findall(r"^GPU (\d+): .*\(UUID: (\S+)\)", listed, re.M))
    stated = os.environ.get("CUDA_VISIBLE_DEVICES")
    if not uuids or stated is None:
        return uuids
    names = [name.strip() for name in stated.split(",")]
    return {name: uuids.get(name, name) for name in names if name not in ("", "-1", "NoDevFiles")}


def _lock(uuid: str) -> IO | None:
    """Return the open file that locks a GPU, or None while another process has it."""
    path = Path(tempfile.gettempdir()) / f"maple-{uuid.replace('/', '-')}.lock"
    with suppress(FileExistsError):
        path.touch(exist_ok=False)
        path.chmod(0o644)  # whatever the umask: who may read it may lock it, and other users compute here too
    file = open(path, "rb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def claim(count: int) -> None:
    """Take `count` GPUs for this process alone until it ends; to be called before torch or vLLM look for one.

    Jobs side by side get different ones, by a lock on a file of each in the temporary folder; where too few are free,
    this waits, and says so. Without a GPU there is nothing to wait for, and the CPU computes. Raises GPUError where
    `count` are never to be had.
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
        taken: dict[str, IO] = {}
        for name, uuid in gpus.items():
            if len(taken) < count and (file := _lock(uuid)):
                taken[name] = file
        if len(taken) == count:
            break
        for file in taken.values():  # who holds one and waits for another may wait for ever
            file.close()
        if not waiting:
            print(f"waiting for {count} of the GPUs {', '.join(gpus)}: other jobs have them")
        waiting = True
        time.sleep(random.uniform(0.5, 1.5))  # two that want two each shall not stay in step
    _locks.extend(taken.values())
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(taken)
    os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"  # nvidia-smi's; CUDA would count from the fastest
    print(f"GPU {', '.join(taken)}")
