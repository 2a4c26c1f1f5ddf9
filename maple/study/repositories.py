"""What a study fetches from the Hub."""

from collections.abc import Mapping, Sequence

from maple.data.hub import MODEL_FILES
from maple.data.sources import hub_files, repository_folder
from maple.definitions.dataset import HubFiles
from maple.definitions.language import LanguageIdentity
from maple.definitions.task import HubRows


def hub_repositories(models: Mapping[str, dict], sources: Sequence[tuple[dict, Sequence[Mapping]]]) -> dict[str, dict]:
    """Return what is fetched from the Hub, by the name of its folder.

    `sources` are those of rows, each with the identities of all languages that it offers, not of the grid's alone: one
    language more then fetches nothing.
    """
    found = {
        repository_folder("model", model["hub"], model["revision"]): {
            "kind": "model",
            "id": model["hub"],
            "revision": model["revision"],
            "files": MODEL_FILES,
        }
        for model in models.values()
        if "hub" in model
    }
    for source, languages in sources:
        if "hub" not in source:
            continue
        pinned = {"kind": "dataset", "id": source["hub"]["dataset"], "revision": source["hub"]["revision"]}
        known = found.setdefault(repository_folder(*pinned.values()), {**pinned, "files": []})
        record = (HubRows if "languages" in source["hub"] else HubFiles)(**source["hub"])
        files = hub_files(record, [LanguageIdentity(**language) for language in languages])
        known["files"] = sorted({*known["files"], *files})
    return found
