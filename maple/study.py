"""A study: what a config asks for, with every name looked up and every contradiction found before any job starts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from maple.definitions import (
    DefinitionError,
    check,
    expand_grid,
    pick,
    read_definitions,
    read_languages,
    read_yaml,
    stated_languages,
)
from maple.engines import AUTO, ENGINES
from maple.examples import PIVOT
from maple.openai_teacher import DECIDES

# What a recipe needs to know of a language; the rest of the table's columns are words of evaluation prompts.
IDENTITY = ("code", "name", "iso639_1", "script")
# What decides a task's prompts and gold answers; its metrics do not.
RENDERING = ("item", "prompt", "targets", "choices", "fields", "repair", "max_new_tokens")


@dataclass(frozen=True)
class Study:
    """Everything the rules look up, keyed by name.

    languages: the grid's rows of the language table; english: the row of English; identities: code, name, iso639_1 and
    script of every row of it; phrases: the embedded world's words with the identity; models: definitions; corpora: the
    phrases that a built base is pretrained on; recipes, limits, mixes: the parts of a dataset's definition, each for
    the rule that needs it; services: how their teachers are asked over the network; refusals: how an output begins that
    refuses, by language; cells: method cells; tasks: definitions; renderings, sources, measures: the parts of them, for
    prompts, rows and scores; asked: how each task is asked, {"shots", "answers"}; guards: the sources of tasks whose
    passages no dataset may hold, with the field of the passage; runs: the grid, bases first; dataset_languages: the
    codes a dataset is made in; task_languages: the grid's codes that a task offers.
    """

    languages: dict[str, dict]
    english: dict
    identities: dict[str, dict]
    phrases: dict[str, dict]
    models: dict[str, dict]
    corpora: dict[str, dict]
    recipes: dict[str, dict]
    services: dict[str, dict]
    limits: dict[str, dict]
    refusals: dict[str, list[str]]
    mixes: dict[str, dict]
    cells: dict[str, dict]
    tasks: dict[str, dict]
    renderings: dict[str, dict]
    sources: dict[str, dict]
    measures: dict[str, dict]
    asked: dict[str, dict]
    guards: dict[str, dict]
    runs: list[dict]
    dataset_languages: dict[str, list[str]]
    task_languages: dict[str, list[str]]


def _recipe(definition: dict) -> dict:
    """Return the part of a dataset's definition that decides what is synthesized."""
    kind = definition["recipe"]
    kept = {key: definition[key] for key in ("recipe", "teacher", "seed", "seed_tasks", kind) if key in definition}
    if definition.get("teacher") == "openai":
        kept["openai"] = {key: value for key, value in definition["openai"].items() if key in DECIDES}
    return kept


def _service(name: str, definition: dict) -> dict:
    """Return how a dataset's teacher is asked over the network, and the file that says so; it decides no answer."""
    if definition.get("teacher") != "openai":
        return {}
    how = {key: value for key, value in definition["openai"].items() if key not in DECIDES}
    return {**how, "file": f"config/datasets/{name}.yaml"}


def _datasets_needed(datasets: Mapping[str, dict], named: set[str]) -> dict[str, dict]:
    """Return the datasets of the grid and those whose English instructions they translate."""
    needed, queue = {}, sorted(named)
    while queue:
        name = queue.pop()
        needed.update(pick([name], datasets, "translate_respond.instructions", "config/datasets/"))
        source = datasets[name].get("translate_respond", {}).get("instructions")
        if source and source not in needed:
            queue.append(source)
    return needed


def read_study(config: Mapping, folder: Path, schemas: Path) -> Study:
    """Read the definitions that `config` names from `folder` (config/) and check them against `schemas`.

    Raises DefinitionError, one line that names file and key, for: an unknown key anywhere, a name without a file or a
    row, a task without the source the config wants, an unknown metric or engine.
    """
    check(config, schemas / "config.schema.yaml", "config")
    table = read_languages(folder / "languages.tsv")
    pick([PIVOT], table, "every study", "config/languages.tsv")
    languages = pick(config["languages"], table, "languages", "config/languages.tsv")
    models = read_definitions(folder / "models", schemas / "model.schema.yaml")
    datasets = read_definitions(folder / "datasets", schemas / "dataset.schema.yaml")
    methods = read_definitions(folder / "methods", schemas / "method.schema.yaml")
    all_tasks = read_definitions(folder / "tasks", schemas / "task.schema.yaml")
    tasks = pick(config["tasks"], all_tasks, "tasks", "config/tasks/")
    runs, cells = expand_grid(config["grid"], models, datasets, methods)
    chosen = _datasets_needed(datasets, {run["dataset"] for run in runs if run["rank"] is not None})

    for name, task in tasks.items():
        _check_task(name, task, config, table)
    for key in ("shots", "max_new_tokens", "answers"):
        pick(list(config[key]), all_tasks, key, "config/tasks/")
    if config["task_source"] == "embedded" and config["items"] is None:
        raise DefinitionError("config: items: embedded tasks have no end; write a number")
    if config["task_source"] == "local" and config["data"] is None:
        raise DefinitionError("config: data: write the folder in which the local rows lie")
    _check_engine(config["generate"]["engine"])
    _check_training(methods, config["finetune"])

    identities = {code: {key: row[key] for key in IDENTITY} for code, row in table.items()}
    worded = read_yaml(folder / "phrases.yaml")
    phrases = {code: {**identity, **worded[code]} for code, identity in identities.items() if code in worded}
    chosen_models = {name: models[name] for name in dict.fromkeys(run["model"] for run in runs)}
    speech = {code: phrases[code] for code in languages if code in phrases}
    sources = {name: {config["task_source"]: task["sources"][config["task_source"]]} for name, task in tasks.items()}
    task_languages = {}
    for name, source in sources.items():
        offered = source[config["task_source"]]["languages"]
        task_languages[name] = [code for code in languages if offered == "all" or code in offered]
    if not any(task_languages.values()):
        raise DefinitionError(
            "config: languages: none of the tasks offers any of them; see `languages:` of their sources"
        )
    asked = {
        name: {"shots": config["shots"].get(name, 0), "answers": config["answers"].get(name, ["generate"])}
        for name in tasks
    }
    return Study(
        languages=languages,
        english=table[PIVOT],
        identities=identities,
        phrases=phrases,
        models=chosen_models,
        corpora={name: speech if "build" in model else {} for name, model in chosen_models.items()},
        recipes={name: _recipe(definition) for name, definition in chosen.items()},
        services={name: _service(name, definition) for name, definition in chosen.items()},
        limits={name: definition["curate"] for name, definition in chosen.items()},
        refusals=read_yaml(folder / "refusals.yaml"),
        mixes={name: definition["mix"] for name, definition in chosen.items()},
        cells={name: {**cell, "training": {**config["finetune"], **cell["training"]}} for name, cell in cells.items()},
        tasks=tasks,
        renderings={
            name: {key: task[key] for key in RENDERING if key in task}
            | {"max_new_tokens": config["max_new_tokens"].get(name, task["max_new_tokens"])}
            for name, task in tasks.items()
        },
        sources=sources,
        measures={name: _measure(task, asked[name]["answers"], task_languages[name]) for name, task in tasks.items()},
        asked=asked,
        guards={
            name: {"source": sources[name], "field": task["passage"]}
            for name, task in tasks.items()
            if "passage" in task and config["task_source"] != "embedded"
        },
        runs=runs,
        dataset_languages={
            name: stated_languages(definition, list(languages), table, f"config/datasets/{name}.yaml")
            for name, definition in chosen.items()
        },
        task_languages=task_languages,
    )


def _check_task(name: str, task: Mapping, config: Mapping, table: Mapping) -> None:
    from maple.metrics import METRICS
    from maple.tasks import VOICES, worded, words_named

    file = f"config/tasks/{name}.yaml"
    if config["task_source"] not in task["sources"]:
        raise DefinitionError(
            f"{file}: has no source {config['task_source']!r}, which the config's task_source asks for; "
            f"it has {', '.join(task['sources'])}"
        )
    for metric in (*task["metrics"], task["headline"]):
        if metric not in METRICS:
            raise DefinitionError(f"{file}: metric {metric!r} is unknown; write one of {', '.join(METRICS)}")
    if task["headline"] not in task["metrics"]:
        raise DefinitionError(f"{file}: headline {task['headline']!r} must be one of its metrics")
    if "rank" in config["answers"].get(name, []) and "choices" not in task:
        raise DefinitionError(f"config: answers.{name}: {file} has no choices to rank; write generate")
    columns = set(next(iter(table.values()), {}))
    if unknown := set().union(*(words_named(*worded(task), voice=voice) for voice in VOICES)) - columns:
        raise DefinitionError(f"{file}: words {sorted(unknown)} are no column of config/languages.tsv; add them there")
    for code in task.get("repair", {}).get("from", []):
        if code not in table:
            raise DefinitionError(f"{file}: repair.from names {code!r}, which config/languages.tsv lacks; add its row")


def _measure(task: Mapping, answers: list[str], languages: list[str]) -> dict:
    """Return what is measured of a task: its metrics, the headline among them, chance, and the languages."""
    from maple.scoring import RANK_METRICS

    generated = "generate" in answers
    return {
        "metrics": [*(task["metrics"] if generated else []), *(RANK_METRICS if "rank" in answers else [])],
        "headline": task["headline"] if generated else next(iter(RANK_METRICS)),
        "chance": task.get("chance"),
        "languages": languages,
    }


def _check_engine(name: str) -> None:
    # Only the name: the engine may be installed in the jobs' environments and not in this one.
    if name not in (AUTO, *ENGINES):
        raise DefinitionError(
            f"config: generate.engine: {name!r} is unknown; write one of {AUTO}, {', '.join(ENGINES)}"
        )


def _check_training(methods: Mapping[str, dict], known: Mapping) -> None:
    _check_lengths("config: finetune", known)
    for name, definition in methods.items():
        if unknown := set(definition.get("training", {})) - set(known):
            raise DefinitionError(
                f"config/methods/{name}.yaml: training: unknown key {sorted(unknown)}; "
                f"known keys are those of the config's finetune: {', '.join(known)}"
            )
        _check_lengths(f"config/methods/{name}.yaml: training", {**known, **definition.get("training", {})})


def _check_lengths(where: str, training: Mapping) -> None:
    for key in ("batch_tokens", "micro_batch_tokens"):
        if training[key] < training["max_length"]:
            raise DefinitionError(
                f"{where}: {key}: {training[key]} holds no example of max_length: {training['max_length']} tokens; "
                "raise it, or lower max_length"
            )
