"""Run cards: what each run took, and all that its jobs recorded."""

import json
from collections.abc import Mapping, Sequence

from maple.report.sections.run_views import key

# What other sections of the page show of a card.
SHOWN = ("stage", "run", "loss", "ways", "held_out")
# Points of a curve of the loss; more than that no eye tells apart.
POINTS = 60


def run_cards(views: Sequence[Mapping], cards: Sequence[Mapping]) -> list[dict]:
    """Return what is known of each run: view, stages {name: card}, and what it took.

    seconds {stage: s} and their sum, gib (most memory), kwh (None where no meter could be read), usd (paid to an
    endpoint, None without one), share (trained, of all parameters), tokens (learnt from).
    """
    stages: dict[tuple, dict] = {}
    for card in cards:
        stages.setdefault(key(card["run"]), {})[card["stage"]] = card
    found = []
    for view in views:
        if view["key"] not in stages:
            continue
        own = stages[view["key"]]
        seconds = {stage: card["seconds"] for stage, card in own.items() if card.get("seconds") is not None}
        gib = [card["peak_memory_gib"] for card in own.values() if card.get("peak_memory_gib")]
        joules = [card["energy_joules"] for card in own.values() if card.get("energy_joules") is not None]
        finetune = own.get("finetune", {})
        found.append(
            {
                "view": view,
                "stages": own,
                "seconds": seconds,
                "sum": sum(seconds.values()),
                "gib": max(gib, default=None),
                "kwh": sum(joules) / 3.6e6 if joules else None,
                "usd": own.get("generate", {}).get("usd"),
                "share": finetune.get("trainable_share"),
                "tokens": finetune.get("tokens", {}).get("all"),
            }
        )
    return found


def losses(views: Sequence[Mapping], cards: Sequence[Mapping]) -> list[dict]:
    """Return the loss of each run over its steps, at most POINTS of them, each the mean of those around it."""
    known = {view["key"]: view for view in views}
    rows = []
    for card in cards:
        if card["stage"] != "finetune" or key(card["run"]) not in known:
            continue
        view, loss = known[key(card["run"])], card.get("loss", [])
        width = -(-len(loss) // POINTS)
        for at in range(0, len(loss), width or 1):
            around = loss[at : at + width]
            rows.append(
                {
                    **{name: view[name] for name in ("series", "rank", "bits")},
                    "run": view["name"],
                    "step": around[-1]["step"],
                    "loss": round(sum(point["loss"] for point in around) / len(around), 4),
                }
            )
    return rows


def plain(value: object) -> str:
    """Return a card's value as text: numbers short, mappings and lists as JSON."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, indent=1)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
