"""The Hub repositories that a study fetches."""

from collections.abc import Mapping, Sequence

from maple.data.hub import CODE_FILES, MODEL_FILES, Repository
from maple.data.sources import hub_files
from maple.definitions.dataset import HubFiles
from maple.definitions.language import LanguageIdentity
from maple.definitions.local_model import HubModel
from maple.definitions.model import Model
from maple.definitions.task import HubRows
from maple.study.tasks import TaskSource


def hub_repositories(
    models: Mapping[str, Model], sources: Sequence[tuple[TaskSource | HubFiles, Sequence[LanguageIdentity]]]
) -> dict[str, Repository]:
    """Return the repositories to fetch from the Hub, by the name of their folder.

    `sources` are sources of rows with all languages that they offer, and not only the study's: a study with one more
    language then fetches nothing again.
    """
    repositories: dict[str, Repository] = {}
    of_hub = [model for model in models.values() if isinstance(model, HubModel)]
    for model in sorted(of_hub, key=lambda model: model.trust_remote_code):  # the last one wins: that with its code
        files = [*MODEL_FILES, *(CODE_FILES if model.trust_remote_code else [])]
        repository = Repository("model", model.hub, model.revision, files)
        repositories[repository.folder] = repository
    for source, languages in sources:
        if not isinstance(source, HubRows | HubFiles):
            continue
        repository = Repository("dataset", source.dataset, source.revision, [])
        before = repositories.get(repository.folder, repository).files
        files = sorted({*before, *hub_files(source, languages)})
        repositories[repository.folder] = Repository("dataset", source.dataset, source.revision, files)
    return repositories
