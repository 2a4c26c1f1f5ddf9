"""A study's datasets: their languages, their models, and what decides their examples."""

from collections.abc import Mapping, Sequence

from maple.data.contamination import OVERLAP
from maple.definitions.loading import DefinitionError, pick
from maple.definitions.record import DECIDES as MARK
from maple.definitions.tables import PIVOT
from maple.definitions.teacher import EndpointSettings, LocalTeacherSettings, TranslatorSettings

OPENAI_DECIDES, LOCAL_DECIDES, TRANSLATOR_DECIDES = (
    tuple(name for name, field in block.model_fields.items() if MARK in field.metadata)
    for block in (EndpointSettings, LocalTeacherSettings, TranslatorSettings)
)


def stated_languages(definition: Mapping, grid: list[str], table: Mapping, source: str) -> list[str]:
    """Return the codes under `languages:` of a dataset; the grid's for `all` or none stated.

    A DefinitionError names a code that config/languages.tsv lacks.
    """
    stated = definition.get("languages", "all")
    if stated == "all":
        return list(grid)
    for code in stated:
        if code not in table:
            raise DefinitionError(f"{source}: languages names {code!r}, which config/languages.tsv lacks; add its row")
    return list(stated)


# Which keys of the blocks that say how a dataset is made decide what is made; the others say how it is asked.
DECIDES = {
    "openai": OPENAI_DECIDES,
    "vllm": LOCAL_DECIDES,
    "transformers": LOCAL_DECIDES,
    "translator": TRANSLATOR_DECIDES,
}
# Of these blocks `model` is a file of config/models/.
LOCAL = ("vllm", "transformers", "translator")

NOT_DECONTAMINATED = {"tasks": [], "words": OVERLAP}


def _blocks(definition: dict) -> dict[str, str]:
    """Return the blocks that say how a dataset is made, by role: of its teacher, where one needs it, and translator."""
    blocks = {"teacher": definition.get("teacher"), "translator": "translator" if "translator" in definition else None}
    return {role: block for role, block in blocks.items() if block in DECIDES}


def dataset_models(name: str, definition: dict, models: Mapping[str, dict]) -> dict[str, str]:
    """Return the models that make a dataset, by role; raise a DefinitionError for one that no file defines."""
    made_by = {}
    for role, block in _blocks(definition).items():
        if block in LOCAL:
            model = definition[block]["model"]
            if model not in models:
                raise DefinitionError(
                    f"config/datasets/{name}.yaml: {block}.model names {model!r}, which config/models/ lacks; "
                    f"it has {', '.join(models)}"
                )
            if "openai" in models[model]:
                raise DefinitionError(
                    f"config/datasets/{name}.yaml: {block}.model names {model!r}, which is behind an endpoint; write "
                    "`teacher: openai` with a block of its own"
                )
            made_by[role] = model
    return made_by


def recipe_params(definition: dict, models: Mapping[str, dict]) -> dict:
    """Return the part of a dataset's definition that decides what is synthesized."""
    kind = definition["recipe"]
    kept = {key: definition[key] for key in ("recipe", "teacher", "seed", "seed_tasks", kind) if key in definition}
    for block in _blocks(definition).values():
        kept[block] = {key: value for key, value in definition[block].items() if key in DECIDES[block]}
        if block in LOCAL:
            kept[block]["trust_remote_code"] = models[definition[block]["model"]].get("trust_remote_code", False)
    return kept


def service_params(name: str, definition: dict) -> dict:
    """Return how a dataset's teacher and translator are asked, and the file that says so; it decides no answer."""
    file = f"config/datasets/{name}.yaml"
    return {
        role: request_settings(definition[block], DECIDES[block], file) for role, block in _blocks(definition).items()
    }


def request_settings(block: Mapping, decides: Sequence[str], file: str) -> dict:
    """Return the settings of a block that decide no answer, and the file that says them."""
    return {**{key: value for key, value in block.items() if key not in decides}, "file": file}


def _made_from(definition: Mapping) -> dict[str, str]:
    """Return the datasets that one is made from, by the keys that name them."""
    seeds = definition.get("seed_tasks")
    named = {
        "translate_respond.instructions": definition.get("translate_respond", {}).get("instructions"),
        "seed_tasks.dataset": seeds["dataset"] if isinstance(seeds, Mapping) else None,
    }
    return {key: name for key, name in named.items() if name}


def datasets_needed(
    datasets: Mapping[str, dict], grid: set[str], languages: list[str], table: Mapping
) -> dict[str, list[str]]:
    """Return the languages in which each dataset is made.

    Those of the grid are made in all that they state; those that they are made from in what that takes: English to
    translate, the languages themselves for seed tasks.
    """
    made: dict[str, list[str]] = {}
    queue = [
        (name, stated_languages(datasets[name], languages, table, f"config/datasets/{name}.yaml"), ())
        for name in sorted(grid)
    ]
    while queue:
        name, codes, users = queue.pop(0)
        file = f"config/datasets/{name}.yaml"
        if name in users:
            circle = " from ".join((*users[users.index(name) :], name))
            raise DefinitionError(f"{file}: no dataset can be made from itself: {circle}; let one name another dataset")
        if name not in grid or not users:
            made[name] = list(dict.fromkeys((*made.get(name, ()), *codes)))
        for key, source in _made_from(datasets[name]).items():
            pick([source], datasets, f"{file}: {key}", "config/datasets/")
            wanted = [PIVOT] if key == "translate_respond.instructions" else codes
            stated = stated_languages(datasets[source], wanted, table, f"config/datasets/{source}.yaml")
            if lacking := [code for code in wanted if code not in stated]:
                raise DefinitionError(
                    f"{file}: {key}: {source} is not made in {', '.join(lacking)}; add to its `languages`, or state "
                    "fewer here"
                )
            queue.append((source, wanted, (*users, name)))
    return made
