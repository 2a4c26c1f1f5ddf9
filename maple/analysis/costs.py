"""What the finetuning of each run cost, read from its run card."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from maple.analysis.item_scores import key_of

_SECONDS_PER_HOUR = 3600


@dataclass(frozen=True)
class RunCost:
    """The cost of one finetuning; None for what its card does not say."""

    job_seconds: float | None
    """Wall-clock seconds of the whole job, with loading, evaluation and saving."""
    step_seconds: float | None
    """Wall-clock seconds of the optimizer steps alone."""
    gpu_hours: float | None
    """Hours of the whole job times the number of its GPUs; None on a processor."""
    peak_memory_gib: float | None
    """Peak memory, of the GPU where there is one, in GiB."""
    trainable_parameters: float | None
    """Parameters that were trained."""
    saved_bytes: float | None
    """Size of the files that were saved."""
    energy_joules: float | None
    """Energy of the GPUs, in joules; None without a meter."""


def run_costs(cards: Iterable[Mapping[str, Any]]) -> dict[str, RunCost]:
    """Return the costs of finetuned runs, by the run's path, from cards of any stages."""
    return {key_of(card["run"]).path: _cost(card) for card in cards if card["stage"] == "finetune"}


def _cost(card: Mapping[str, Any]) -> RunCost:
    seconds, gpus = card.get("seconds"), card.get("hardware", {}).get("count")
    return RunCost(
        job_seconds=seconds,
        step_seconds=card.get("step_seconds"),
        gpu_hours=seconds * gpus / _SECONDS_PER_HOUR if seconds is not None and gpus else None,
        peak_memory_gib=card.get("peak_memory_gib"),
        trainable_parameters=card.get("trainable_parameters"),
        saved_bytes=card.get("saved_bytes"),
        energy_joules=card.get("energy_joules"),
    )
