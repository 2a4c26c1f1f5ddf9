"""What a study fetches from the Hub."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

from maple.data.hub import MODEL_FILES
from maple.data.sources import folder_of, resolve
from maple.definitions.language import LanguageIdentity
from maple.definitions.model import HubModel, Model


@dataclass(frozen=True)
class HubRepository:
    """A repository of the Hub at a pinned revision, and which of its files are fetched."""

    kind: Literal["model", "dataset"]
    id: str
    revision: str
    files: list[str] = field(default_factory=list)
    """Globs."""

    @property
    def folder(self) -> str:
        """The name of the folder that it is fetched into."""
        return folder_of(self.kind, self.id, self.revision)

    def params(self) -> dict:
        """Return the fields as plain values."""
        return asdict(self)


def hub_repositories(
    models: Mapping[str, Model], sources: Sequence[tuple[dict, Sequence[LanguageIdentity]]]
) -> dict[str, HubRepository]:
    """Return what is fetched from the Hub, by the name of its folder.

    `sources` are those of rows, each with all languages that it offers, not the study's alone: one language more then
    fetches nothing.
    """
    repositories = {
        repository.folder: repository
        for model in models.values()
        if isinstance(model, HubModel)
        for repository in [HubRepository("model", model.hub, model.revision, MODEL_FILES)]
    }
    for source, languages in sources:
        if "hub" not in source:
            continue
        pinned = HubRepository("dataset", source["hub"]["dataset"], source["hub"]["revision"])
        files = repositories.get(pinned.folder, pinned).files
        resolved = [resolve(source, row.params(), None, split) for row in languages for split in ("test", "dev")]
        files = sorted({*files, *(place["hub"]["files"] for place in resolved if place)})
        repositories[pinned.folder] = HubRepository(pinned.kind, pinned.id, pinned.revision, files)
    return repositories
