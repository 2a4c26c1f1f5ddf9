"""A run: model, dataset, method and seed, and the path of its files.

Standard dataclasses, since a scoring job needs a run: importing pydantic would nearly double its start (0.46 instead of
0.28 s of CPU time).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Self

NONE = "none"
# A value of an axis: a rank, a number of bits, a place in the model.
AxisValue = int | float | str
# How the value of a dataset's axis stands in the names of its mixtures, in this order.
_NAMED = {"domain": "-{}", "direction": "-{}", "rows": "-{}rows"}


def mixture_name(dataset: str, axes: Mapping[str, AxisValue]) -> str:
    """Return the name of a dataset, a file of config/datasets/, at some values of its axes; other axes do not count.

    >>> mixture_name("pairs", {"rows": 64, "domain": "units", "rank": 8})
    'pairs-units-64rows'
    """
    return dataset + "".join(text.format(axes[axis]) for axis, text in _NAMED.items() if axis in axes)


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
    axes: Mapping[str, AxisValue] = field(default_factory=dict, hash=False)
    """Values of the axes of its method and dataset, as {"rank": 8, "bits": 4}; empty for a baseline."""
    tasks: tuple[str, ...] = ()
    """The tasks that it is asked, files of config/tasks/."""

    @classmethod
    def baseline(cls, model: str, tasks: tuple[str, ...] = ()) -> Self:
        """Return the untouched base model as a run."""
        return cls(model, NONE, NONE, 0, NONE, {}, tasks)

    def axis(self, name: str) -> AxisValue | None:
        """Return the value of an axis; None if the run does not have it."""
        return self.axes.get(name)

    @property
    def dataset_family(self) -> str:
        """The dataset's file of config/datasets/, without the values of its axes: mahasent of mahasent-250rows."""
        return self.dataset.removesuffix(mixture_name("", self.axes))

    @property
    def bits(self) -> int | None:
        """The precision of the base in training: 4, 8 or 16; None for a baseline."""
        bits = self.axes.get("bits")
        return bits if isinstance(bits, int) else None

    @property
    def key(self) -> RunKey:
        """The four names that identify the run."""
        return RunKey(self.model, self.dataset, self.method, self.seed)
