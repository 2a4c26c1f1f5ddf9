"""Run cards: the cost of each run, and all that its jobs recorded."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from maple.analysis.item_scores import key_of
from maple.definitions.run import RunKey
from maple.report.sections.run_views import RunView

# Keys of cards that other sections of the page show.
ELSEWHERE = ("stage", "run", "loss", "ways", "held_out")
# Points of a loss curve: more cannot be told apart at the width of a panel.
POINTS = 60
_JOULES_PER_KWH = 3.6e6


@dataclass(frozen=True)
class RunCost:
    """The cards of a run's jobs, and what the run cost."""

    view: RunView
    """The run."""
    stages: dict[str, Mapping[str, Any]]
    """Its cards, by stage."""
    seconds: dict[str, float]
    """Wall-clock seconds of its jobs, by stage."""
    gib: float | None
    """Peak memory of its jobs, in GiB."""
    kwh: float | None
    """Energy, in kWh; None without a meter."""
    usd: float | None
    """What an endpoint was paid; None without an endpoint."""
    share: float | None
    """The share of the parameters that was trained; None for a base."""
    tokens: int | None
    """The tokens that it was trained on; None for a base."""
    stopped_at: int | None
    """The step at which early stopping ended its training; None if it made all its steps, and for a base."""

    @property
    def total(self) -> float:
        """Wall-clock seconds of all its jobs."""
        return sum(self.seconds.values())


def run_costs(views: Sequence[RunView], cards: Iterable[Mapping[str, Any]]) -> list[RunCost]:
    """Return the cards and costs of the runs that have any."""
    by_run: dict[RunKey, dict[str, Mapping[str, Any]]] = {}
    for card in cards:
        by_run.setdefault(key_of(card["run"]), {})[card["stage"]] = card
    costs = []
    for view in views:
        if view.key not in by_run:
            continue
        stages = by_run[view.key]
        finetune = stages.get("finetune", {})
        gib = [card["peak_memory_gib"] for card in stages.values() if card.get("peak_memory_gib")]
        joules = [card["energy_joules"] for card in stages.values() if card.get("energy_joules") is not None]
        costs.append(
            RunCost(
                view=view,
                stages=stages,
                seconds={stage: card["seconds"] for stage, card in stages.items() if card.get("seconds") is not None},
                gib=max(gib, default=None),
                kwh=sum(joules) / _JOULES_PER_KWH if joules else None,
                usd=stages.get("generate", {}).get("usd"),
                share=finetune.get("trainable_share"),
                tokens=finetune.get("tokens", {}).get("all"),
                stopped_at=finetune["steps"] if finetune.get("stopped_early") else None,
            )
        )
    return costs


def loss_points(costs: Iterable[RunCost], axes: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of the chart of losses: series, run, line and dash (the first two of `axes`), step, loss.

    A run has at most POINTS rows; each is the mean of consecutive losses, at the step of the last of them.
    """
    colour, dash = [*axes[:2], "", ""][:2]
    rows = []
    for cost in costs:
        loss = cost.stages.get("finetune", {}).get("loss", [])
        width = -(-len(loss) // POINTS) or 1
        for first in range(0, len(loss), width):
            around = loss[first : first + width]
            rows.append(
                {
                    "series": cost.view.series,
                    "line": cost.view.run.axis(colour),
                    "dash": cost.view.run.axis(dash),
                    "run": cost.view.name,
                    "step": around[-1]["step"],
                    "loss": round(sum(point["loss"] for point in around) / len(around), 4),
                }
            )
    return rows


def plain(value: object) -> str:
    """Return a value of a card as text: floats with four digits, mappings and lists as JSON, an en dash for None."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, indent=1)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
