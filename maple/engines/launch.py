"""Starts as many copies of an engine as a job has GPUs for."""

from pathlib import Path
from typing import TYPE_CHECKING

from maple.engines.engine import Engine, EngineError
from maple.engines.start import start

if TYPE_CHECKING:
    pass


def start_on(gpus: int, name: str, model: str | Path, settings: dict, **options) -> Engine:
    """Start as many copies of an engine as `gpus` devices hold, each on `tensor_parallel` of them.

    One copy on one device is an engine in this process; more are processes of their own. Raises EngineError where the
    devices do not come out even.
    """
    each = settings.get("tensor_parallel", 1)
    if gpus % each:
        raise EngineError(f"generate.tensor_parallel: {each} does not divide the {gpus} GPUs that the job was given")
    if gpus == 1:
        return start(name, model, settings, **options)
    from maple.engines.replicas import Replicas
    from maple.runtime.devices import visible_gpus

    visible = visible_gpus()[:gpus]
    devices = [",".join(visible[at : at + each]) or None for at in range(0, gpus, each)]
    return Replicas(name, model, settings, devices, **options)
