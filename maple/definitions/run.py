"""A run: model, dataset, method and seed, and the path of its files.

Standard dataclasses: a scoring job builds one, and importing pydantic would nearly double its start (0.28 to 0.46 s of
a processor).
"""

from dataclasses import asdict, dataclass
from typing import Self

NONE = "none"


@dataclass(frozen=True)
class RunKey:
    """What tells a run from all others."""

    model: str
    """The base model, a file of config/models/."""
    dataset: str
    """The dataset that it is finetuned on, a file of config/datasets/; "none" for a baseline."""
    method: str
    """The method variant, as lora-r16-4bit; "none" for a baseline."""
    seed: int
    """Seed of the finetuning; 0 for a baseline."""

    @property
    def path(self) -> str:
        """The run's part of the paths of its files: `{model}/{dataset}/{method}/seed{seed}`."""
        return f"{self.model}/{self.dataset}/{self.method}/seed{self.seed}"

    @property
    def is_baseline(self) -> bool:
        """True for a base model that nothing was trained on."""
        return self.method == NONE

    def params(self) -> dict:
        """Return the fields as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Run(RunKey):
    """A cell of the grid."""

    family: str
    """The method, a file of config/methods/, that the variant belongs to; "none" for a baseline."""
    rank: int | None
    """The rank of the adapter; None for a method without one, and for a baseline."""
    bits: int | None
    """The precision of the base that it is trained on: 4, 8 or 16; None for a baseline."""

    @classmethod
    def baseline(cls, model: str) -> Self:
        """Return the untouched base model as a run."""
        return cls(model, NONE, NONE, 0, NONE, None, None)

    @property
    def key(self) -> RunKey:
        """What tells the run from all others."""
        return RunKey(self.model, self.dataset, self.method, self.seed)
