"""Starts as many copies of an engine as a job has GPUs for."""

from maple.engines.engine import Engine, EngineError, EngineOptions
from maple.engines.replicas import Replicas
from maple.engines.start import start
from maple.runtime.devices import visible_gpus


def start_on(gpus: int, name: str, settings: EngineOptions) -> Engine:
    """Start as many copies of an engine as fit on `gpus` devices, `tensor_parallel` devices per copy.

    One copy on one device runs in this process; several copies run in processes of their own. Raises EngineError if
    `tensor_parallel` does not divide the number of devices.
    """
    per_copy = settings.tensor_parallel
    if gpus % per_copy:
        raise EngineError(
            f"generate.tensor_parallel: {per_copy} does not divide the {gpus} GPUs that the job was given"
        )
    if gpus == 1:
        return start(name, settings)
    visible = visible_gpus()[:gpus]
    devices = [",".join(visible[at : at + per_copy]) or None for at in range(0, gpus, per_copy)]
    return Replicas(name, settings, devices)
