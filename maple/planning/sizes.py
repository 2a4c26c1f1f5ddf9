"""The sizes of a study's models, remembered from one forecast to the next: transformers takes seconds to load."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path

from maple.models import size
from maple.models.size import Size, UnknownSizeError, size_of_folder, size_of_keys
from maple.planning.plan import Plan, PlannedModel
from maple.runtime.files import read_json, write_json


@dataclass(frozen=True)
class ModelSizes:
    """The sizes of the models of a study whose weights are on this machine."""

    known: Mapping[str, Size]
    unknown: Mapping[str, str] = field(default_factory=dict)
    """Why a model has no size, and what gives it one."""


def model_sizes(plan: Plan, base: str, memory: Path) -> ModelSizes:
    """Return the sizes of a plan's models, by the config of the folder `base` (of {model}), else by their files' keys.

    `memory` is a JSON file of sizes by the digest of what they follow from.
    """
    remembered, known, unknown = {}, {}, {}
    with suppress(OSError, ValueError):
        remembered = read_json(memory)
    before = len(remembered)
    for name, model in plan.models.items():
        if model.endpoint:
            continue
        folder = Path(base.format(model=name))
        try:
            known[name] = _remembered_size(model, folder, remembered)
        except UnknownSizeError as error:
            unknown[name] = f"no size: {error}"
    if len(remembered) > before:
        with suppress(OSError):  # without a memory, the next forecast takes longer and says the same
            write_json(remembered, memory)
    return ModelSizes(known, unknown)


def _remembered_size(model: PlannedModel, folder: Path, remembered: dict) -> Size:
    fetched = (folder / "config.json").is_file()
    if not fetched and not model.architecture:
        raise UnknownSizeError("fetch it, or write `architecture:` with the keys of its config.json into its file")
    content = read_json(folder / "config.json") if fetched else model.architecture
    code = [path.read_bytes() for path in sorted(folder.glob("*.py"))] if model.trust_remote_code else []
    key = _digest(model.auto_class.encode(), json.dumps(content, sort_keys=True).encode(), *code)
    if key not in remembered:
        trusted = model.trust_remote_code
        found = (
            size_of_folder(folder, model.auto_class, trust_remote_code=trusted)
            if fetched
            else size_of_keys(model.architecture, model.auto_class)
        )
        remembered[key] = asdict(found)
    return Size(**{**remembered[key], "notes": tuple(remembered[key]["notes"])})


def _digest(*content: bytes) -> str:
    """Return the digest of a model's config and code, of the version of transformers, and of how sizes are counted."""
    digest = blake2b(Path(size.__file__).read_bytes(), digest_size=16)
    for part in (version("transformers").encode(), *content):
        digest.update(blake2b(part).digest())
    return digest.hexdigest()
