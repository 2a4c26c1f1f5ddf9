"""A run: model, dataset, method and seed, and the path of its files.

Standard dataclasses, since a scoring job needs a run: importing pydantic would nearly double its start (0.46 instead of
0.28 s of CPU time).
"""

from dataclasses import asdict, dataclass
from typing import Self

NONE = "none"


@dataclass(frozen=True)
class RunKey:
    """The four names that identify a run."""

    model: str
    """The base model, a file of config/models/."""
    dataset: str
    """The dataset that it is finetuned on, a file of config/datasets/; "none" for a baseline."""
    method: str
    """The method variant, such as lora-r16-4bit; "none" for a baseline."""
    seed: int
    """Seed of the finetuning; 0 for a baseline."""

    @property
    def path(self) -> str:
        """The run's part of the paths of its files: `{model}/{dataset}/{method}/seed{seed}`."""
        return f"{self.model}/{self.dataset}/{self.method}/seed{self.seed}"

    @property
    def is_baseline(self) -> bool:
        """True for an untouched base model."""
        return self.method == NONE

    def params(self) -> dict:
        """Return the fields as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Run(RunKey):
    """A run of the grid, with the values of its axes."""

    family: str
    """The method, a file of config/methods/, that the variant belongs to; "none" for a baseline."""
    rank: int | None
    """The rank of the adapter; None for a method without one, and for a baseline."""
    bits: int | None
    """The precision of the base in training: 4, 8 or 16; None for a baseline."""

    @classmethod
    def baseline(cls, model: str) -> Self:
        """Return the untouched base model as a run."""
        return cls(model, NONE, NONE, 0, NONE, None, None)

    @property
    def key(self) -> RunKey:
        """The four names that identify the run."""
        return RunKey(self.model, self.dataset, self.method, self.seed)
