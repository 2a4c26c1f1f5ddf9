"""One function in several processes at once, which find each other through torch.distributed: a GPU to each."""

import ctypes
import importlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path


def on_processes(count: int, function: Callable, *args, **settings) -> object:
    """Call a function in `count` processes, or in this one where that is 1; return what the first of them returns.

    The processes start afresh and have nothing of this one but the function's name, its arguments, which go as JSON
    (paths as strings), and the environment. What is returned goes as JSON too.
    If one fails or dies the others are ended, and torch's ChildFailedError says which; its own words are in the log.
    """
    if count < 2:
        return function(*args, **settings)
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder) / "job.json"
        job.write_text(json.dumps([function.__module__, function.__name__, args, settings], default=str))
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=count,
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            max_restarts=0,
            monitor_interval=0.1,
        )
        path = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
        os.environ["PYTHONPATH"] = path
        elastic_launch(config, sys.executable)("-m", "maple.runtime.processes", str(job))
        return json.loads(result_of(job).read_text())


def end_with_parent() -> None:
    """Let the system kill this process once its parent is gone (prctl(2), Linux).

    A job that is killed frees its GPUs and is tried again: what it has started must not compute on beside that.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def result_of(job: Path) -> Path:
    """Return the file that the first process puts its result into."""
    return job.with_name("result.json")


def main(job: Path) -> None:
    """Do what `on_processes` has left in the file `job`, as one of the processes."""
    from torch.distributed import destroy_process_group, is_initialized

    module, name, args, settings = json.loads(job.read_text())
    result = getattr(importlib.import_module(module), name)(*args, **settings)
    if int(os.environ["RANK"]) == 0:
        result_of(job).write_text(json.dumps(result))
    if is_initialized():
        destroy_process_group()


if __name__ == "__main__":
    end_with_parent()
    main(Path(sys.argv[1]))
