"""What a run was made from: its cards held against the study, and against each other."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from maple.definitions.run import RunKey
from maple.runtime.files import read_json
from maple.runtime.fingerprint import weights_digest

# How a run was trained, as its finetune card says it: base, bits, method, training.
TrainedAs = Mapping[str, Any]


class ProvenanceError(ValueError):
    """A result that was made from something else; the message names the file, what differs, and what makes it again."""


def _differences(said: Any, wanted: Any, name: str) -> Iterator[str]:
    if isinstance(said, Mapping) and isinstance(wanted, Mapping):
        for key in sorted({*said, *wanted}):
            yield from _differences(said.get(key), wanted.get(key), f"{name}.{key}" if name else key)
    elif said != wanted:
        yield f"{name} is {said!r}, and the study has {wanted!r}"


def _refuse(path: str | Path, what: str) -> None:
    raise ProvenanceError(f"{path}: {what}; make it again by `snakemake --cores all --forcerun {path}`")


def _hold(path: str | Path, card: Mapping[str, Any], trained_as: TrainedAs) -> None:
    said = {key: card.get(key) for key in trained_as}
    if difference := next(_differences(said, trained_as, ""), None):
        _refuse(path, difference)


def _others(one: str | None, other: str | None) -> bool:
    """Return True if two digests differ; cards of version 0.1.0 have none, and are held against the study alone."""
    return one is not None and other is not None and one != other


def hold_adapter(path: str | Path, trained_as: TrainedAs, adapter: str | Path) -> str:
    """Return the adapter's digest; raise ProvenanceError if the finetune card at `path` is of another one or training.

    Raises DamagedFileError if the adapter is not as it was written.
    """
    card = read_json(path)
    _hold(path, card, trained_as)
    digest = weights_digest(adapter)
    if _others(card.get("digests", {}).get("adapter"), digest):
        _refuse(path, f"its adapter is not the one in {adapter}")
    return digest


def read_held_cards(paths: Iterable[str | Path], trained_as: Mapping[str, TrainedAs]) -> list[dict]:
    """Read the cards of runs; each names its `stage` and its `run` beside what the stage recorded.

    `trained_as` is how the study trains each run, by the run's path. Raises ProvenanceError for a run that was trained
    otherwise, for a merged model that was made from another adapter than the run's, and for completions of other
    weights than these: one of them was replaced after the other had been made.
    """
    cards = {str(path): read_json(path) for path in paths}
    by_run: dict[str, dict[str, tuple[str, dict]]] = {}
    for path, card in cards.items():
        by_run.setdefault(RunKey(**card["run"]).path, {})[card["stage"]] = path, card
    for run, stages in by_run.items():
        if "finetune" in stages and run in trained_as:
            _hold(*stages["finetune"], trained_as[run])
        _hold_together(stages)
    return list(cards.values())


def _hold_together(stages: Mapping[str, tuple[str, dict]]) -> None:
    if "finetune" not in stages:
        return
    trained = stages["finetune"][1].get("digests", {})
    attached = f"{trained['base']}+{trained['adapter']}" if "adapter" in trained else None
    weights = trained.get("model", attached)
    if "merge" in stages:
        path, card = stages["merge"]
        merged = card.get("digests", {})
        weights = merged.get("merged")
        if any(_others(merged.get(part), trained.get(part)) for part in ("base", "adapter")):
            _refuse(path, "it was merged from another adapter, or into another base, than the run's")
    if "generate" in stages and _others(stages["generate"][1].get("weights"), weights):
        _refuse(stages["generate"][0], "its answers are those of other weights than the run's")
