"""What a study fetches from the Hub."""

from collections.abc import Mapping, Sequence

from maple.data.hub import MODEL_FILES
from maple.data.sources import folder_of, resolve


def hub_repositories(models: Mapping[str, dict], sources: Sequence[tuple[dict, Sequence[Mapping]]]) -> dict[str, dict]:
    """Return what is fetched from the Hub, by the name of its folder.

    `sources` are those of rows, each with the identities of all languages that it offers, not of the grid's alone: one
    language more then fetches nothing.
    """
    found = {
        folder_of("model", model["hub"], model["revision"]): {
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
        known = found.setdefault(folder_of(*pinned.values()), {**pinned, "files": []})
        resolved = [resolve(source, row, None, split) for row in languages for split in ("test", "dev")]
        known["files"] = sorted({*known["files"], *(place["hub"]["files"] for place in resolved if place)})
    return found
