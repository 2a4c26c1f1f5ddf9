"""What the trainer of one run does."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from maple.definitions.method import MethodVariant
from maple.methods.method import AdaptationMethod
from maple.models.behaviour import ModelKind
from maple.models.example import EncodedExample
from maple.training.preflight import Packing
from maple.training.tracking import TrackingPlan


@dataclass(frozen=True)
class TrainingPlan:
    """What the trainer of one run does: its data, settings and checkpoints."""

    steps: Sequence[Sequence[EncodedExample]]
    """The examples of each step."""
    held_out: Sequence[EncodedExample]
    """Examples that are only measured."""
    pad: int
    method: MethodVariant
    kind: ModelKind
    adaptation: AdaptationMethod
    seed: int
    folder: Path
    """Where checkpoints are put, each complete or absent."""
    save_steps: int
    sharded: bool
    """True: FSDP divides the base over the processes."""
    packing: Packing
    """Whether examples share rows."""
    tracking: TrackingPlan | None = None
    """Where curves go while it trains."""
