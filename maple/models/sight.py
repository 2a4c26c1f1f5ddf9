"""What the module of a kind of model that sees has beside maple.models.behaviour.ModelKind."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from maple.models.behaviour import ModelKind, behaviour_of
from maple.models.picture_file import PictureFile

if TYPE_CHECKING:
    from torch import Tensor


class PictureReader(Protocol):
    """What a model reads of the pictures of prompts."""

    def inputs(
        self, ids: "Tensor", mask: "Tensor", ends: Sequence[int], pictures: Sequence[Sequence[PictureFile]]
    ) -> "dict[str, Tensor]":
        """Return what the model reads of a batch beside its tokens `ids` and their `mask`, [rows, length], on a CPU.

        `ends` are the places at which an answer begins in each row, or would; `pictures` those of each row, which are
        opened here. Raises maple.runtime.pictures.PictureError.
        """
        ...


class SeeingKind(ModelKind, Protocol):
    """How models that see are loaded, encoded for, trained, built and asked."""

    def picture_reader(self, folder: str | Path, *, trust_remote_code: bool = False) -> PictureReader:
        """Return what makes tensors of the pictures of prompts, for the model in a Hub-style folder."""
        ...


def sees(kind: str) -> bool:
    """Return True for a kind of model that reads pictures, as maple.models.kind says.

    Asked of its module: a new line in that table changes no engine, and so no text that an engine has written.
    """
    return hasattr(behaviour_of(kind), "picture_reader")


def picture_reader(kind: str, folder: str | Path, *, trust_remote_code: bool = False) -> PictureReader | None:
    """Return the reader of pictures of a kind of model; None for a kind that sees none."""
    if not sees(kind):
        return None
    return cast(SeeingKind, behaviour_of(kind)).picture_reader(folder, trust_remote_code=trust_remote_code)
