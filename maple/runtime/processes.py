"""One function in several processes at once, one per GPU, connected by torch.distributed."""

import ctypes
import importlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from maple.runtime.devices import device
from maple.runtime.loopback import stay_on_loopback

RECORD = "__record__"  # the key under which JSON names the class of a record


def on_processes(count: int, function: Callable, *args, **settings) -> Any:
    """Call a function in `count` processes, or in this one if that is 1; return what the first of them returns.

    Workers are new processes: they import the function by name and receive its arguments as JSON, paths as strings and
    records (pydantic models and dataclasses) as what they are. What is returned goes as JSON too.
    If one fails or dies the others are ended, and torch's ChildFailedError says which; its own message is in the log.

    They find each other through files in a private folder. torch's usual store listens on all interfaces, and what it
    is sent is unpickled: whoever reached its port could run code here.
    """
    if count < 2:
        return function(*args, **settings)
    stay_on_loopback()
    os.environ["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"  # else the launcher starts that store as well
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder) / "job.json"
        job.write_text(dumps([function.__module__, function.__name__, args, settings]))
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=count,
            rdzv_backend="c10d",
            rdzv_endpoint=str(job.with_name("launcher.store")),
            rdzv_configs={"store_type": "file"},
            max_restarts=0,
            monitor_interval=0.1,
        )
        os.environ["PYTHONPATH"] = import_path()
        elastic_launch(config, sys.executable)("-P", "-m", "maple.runtime.processes", str(job))
        return loads(result_of(job).read_text())


def import_path() -> str:
    """Return the PYTHONPATH with which a new process imports this `maple`.

    Start it with `python -P` as well: the working folder, which would come first, may hold another `maple`.
    """
    return os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))


def dumps(content: object) -> str:
    """Return JSON in which a record names its class."""
    return json.dumps(content, default=_plain)


def loads(text: str) -> Any:
    """Return what `dumps` was given, records of their own class again."""
    return json.loads(text, object_hook=_record)


def _plain(value: Any) -> object:
    if isinstance(value, Path):
        return str(value)
    fields = value.model_dump(exclude_unset=True) if hasattr(value, "model_dump") else vars(value)
    return {RECORD: [type(value).__module__, type(value).__name__], "fields": fields}


def _record(content: dict) -> object:
    if RECORD not in content:
        return content
    module, name = content[RECORD]
    return getattr(importlib.import_module(module), name)(**content["fields"])


def end_with_parent() -> None:
    """Let the system kill this process once its parent is gone (prctl(2), Linux).

    A killed job is started again: processes that it has left behind would compute beside it, on the same GPUs.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def result_of(job: Path) -> Path:
    """Return the file to which the first process writes its result."""
    return job.with_name("result.json")


def main(job: Path) -> None:
    """Call the function that `on_processes` has written to the file `job`, as one of its processes."""
    from torch.distributed import (
        FileStore,  # pyright: ignore[reportPrivateImportUsage]
        barrier,
        destroy_process_group,
        init_process_group,
    )

    module, name, args, settings = loads(job.read_text())
    rank, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    backend = "cuda:nccl,cpu:gloo" if device() == "cuda" else "gloo"
    store = FileStore(str(job.with_name("processes.store")), count)
    init_process_group(backend, store=store, rank=rank, world_size=count)
    # If one were done, and gone, before the others have connected, they would fail.
    barrier()
    result = getattr(importlib.import_module(module), name)(*args, **settings)
    if rank == 0:
        result_of(job).write_text(dumps(result))
    destroy_process_group()


if __name__ == "__main__":
    end_with_parent()
    main(Path(sys.argv[1]))
