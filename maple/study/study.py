"""A study: what a config asks for, with every name looked up and every contradiction found before any job starts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from maple.definitions.loading import DefinitionError, check, pick, read_definitions, read_yaml
from maple.definitions.run import BASELINE
from maple.definitions.tables import IDENTITY, PIVOT, read_languages
from maple.methods.capabilities import merges, unserved
from maple.study.checks import (
    check_endpoint,
    check_engine,
    check_hardware,
    check_method,
    check_path,
    check_phrases,
    check_places,
    check_prompt,
    check_run,
    check_source,
    check_task,
    check_training,
    read_by_language,
)
from maple.study.datasets import (
    OPENAI_DECIDES,
    NOT_DECONTAMINATED,
    dataset_models,
    datasets_needed,
    recipe_params,
    request_settings,
    service_params,
)
from maple.study.grid import expand_grid
from maple.study.repositories import hub_repositories
from maple.study.tasks import RENDERING, task_metrics

# What a model's file says for model cards and the forecast; it decides no result.
DESCRIBES = ("license", "architecture")


@dataclass(frozen=True)
class Study:
    """Everything the rules look up, keyed by name.

    languages: the grid's rows of the language table; english: the row of English; identities: code, name, iso639_1 and
    script of every row of it; phrases: the embedded world's words with the identity; models: definitions of those that
    the grid or a dataset needs; licenses: the Hub's names of their licences, where known; repositories: what of the Hub
    is fetched, {"kind", "id", "revision", "files"} by the name of its folder; architectures, declared_sets: what files
    say of models and datasets for the forecast alone; corpora: the phrases that a built one is pretrained on; recipes,
    limits, mixes: the parts of a dataset's definition, each for the rule that needs it; dataset_models: the models that
    make it, by role ("teacher", "translator"); services: how they are asked; prompts: the prompts of self_instruct that
    a dataset may use, by language; refusals, unservable: how an output begins that refuses, and words of instructions
    that text cannot serve, by language; decontaminated: the tasks that a dataset's examples may not overlap with, and
    by how many words, {"tasks", "words"}; cells: method cells; attached: those that generate with their adapter
    attached, not merged; together: those of them whose runs one engine serves; comparable: those that are merged and
    would be served; settings: the config's generate block for each of them and for "none"; tasks: definitions;
    renderings, sources, measures: the parts of them, for prompts, rows and scores; asked: how each task is asked,
    {"shots", "answers"}; tested: the texts of test rows that are looked for in datasets, {"source", "fields",
    "languages"} of the tasks and of those in decontaminated, none where rows are embedded; clusterings: what tells
    which items stand on the same text, {"item", "cluster"}, of tasks whose items do; runs: the grid, bases first;
    dataset_languages: the codes a dataset is made in; task_languages: the grid's codes that a task offers; endpoints:
    how models behind one are asked.
    """

    languages: dict[str, dict]
    english: dict
    identities: dict[str, dict]
    phrases: dict[str, dict]
    models: dict[str, dict]
    licenses: dict[str, str]
    repositories: dict[str, dict]
    architectures: dict[str, dict]
    declared_sets: dict[str, dict]
    corpora: dict[str, dict]
    recipes: dict[str, dict]
    dataset_models: dict[str, dict[str, str]]
    services: dict[str, dict]
    limits: dict[str, dict]
    prompts: dict[str, dict[str, str]]
    refusals: dict[str, list[str]]
    unservable: dict[str, list[str]]
    decontaminated: dict[str, dict]
    mixes: dict[str, dict]
    cells: dict[str, dict]
    attached: set[str]
    together: set[str]
    comparable: set[str]
    settings: dict[str, dict]
    tasks: dict[str, dict]
    renderings: dict[str, dict]
    sources: dict[str, dict]
    measures: dict[str, dict]
    asked: dict[str, dict]
    tested: dict[str, dict]
    clusterings: dict[str, dict]
    runs: list[dict]
    dataset_languages: dict[str, list[str]]
    task_languages: dict[str, list[str]]
    endpoints: dict[str, dict]


def read_study(config: Mapping, folder: Path, schemas: Path) -> Study:
    """Read the definitions that `config` names from `folder` (config/) and check them against `schemas`.

    Raises DefinitionError, one line that names file and key, for: an unknown key anywhere, a name without a file or a
    row, a task without the source the config wants, a language that no task offers or that lacks its phrases where some
    are needed, an unknown metric, engine, device or placeholder, a template that is none, a part of the grid that would
    finetune but for an empty list, a method that does not train on the grid's bits or models, an engine that does not
    generate with its adapter attached.
    """
    check(config, schemas / "config.schema.yaml", "config")
    table = read_languages(folder / "languages.tsv")
    pick([PIVOT], table, "every study", "config/languages.tsv")
    languages = pick(config["languages"], table, "config: languages", "config/languages.tsv")
    models = read_definitions(folder / "models", schemas / "model.schema.yaml")
    datasets = read_definitions(folder / "datasets", schemas / "dataset.schema.yaml")
    methods = read_definitions(folder / "methods", schemas / "method.schema.yaml")
    all_tasks = read_definitions(folder / "tasks", schemas / "task.schema.yaml")
    tasks = pick(config["tasks"], all_tasks, "config: tasks", "config/tasks/")
    for name in dict.fromkeys(name for part in config["grid"] for name in part["methods"] if name in methods):
        check_method(name, methods[name])
    for number, part in enumerate(config["grid"], start=1):
        empty = [key for key in ("datasets", "methods", "seeds") if not part[key]]
        if len(empty) in (1, 2):
            raise DefinitionError(
                f"config: grid: part {number} finetunes nothing, for it has no {' and no '.join(empty)}; write "
                "some, as seeds: [1], or leave datasets, methods and seeds empty for the base alone"
            )
    runs, cells = expand_grid(config["grid"], models, datasets, methods)
    adapted = [run for run in runs if run["method"] != BASELINE["method"]]
    in_grid = {run["dataset"] for run in adapted}
    dataset_languages = datasets_needed(datasets, in_grid, list(languages), table)
    chosen = {name: datasets[name] for name in dataset_languages}

    decontaminated, compared = {}, dict(tasks)
    for name, definition in chosen.items():
        decontaminated[name] = definition["curate"].get("decontaminate") or NOT_DECONTAMINATED
        key = f"config/datasets/{name}.yaml: curate.decontaminate.tasks"
        compared |= pick(decontaminated[name]["tasks"], all_tasks, key, "config/tasks/")
    if config["task_source"] == "embedded":  # rows that are made here are in no set
        decontaminated, compared = {name: NOT_DECONTAMINATED for name in chosen}, {}
    for name, task in {**tasks, **compared}.items():
        check_source(name, task, config)
        check_places(f"config/tasks/{name}.yaml: sources", task["sources"], "split")
    for name, definition in chosen.items():
        file = f"config/datasets/{name}.yaml"
        loaded = {kind: place for kind, place in definition.get("load", {}).items() if kind in ("local", "hub")}
        check_places(f"{file}: load", loaded)
        if isinstance(seeds := definition.get("seed_tasks"), str):
            check_path(f"{file}: seed_tasks", seeds, IDENTITY)
    for name, task in tasks.items():
        check_task(name, task, config, table)
    for key in ("shots", "max_new_tokens", "answers"):
        pick(list(config[key]), all_tasks, f"config: {key}", "config/tasks/")
    if config["task_source"] == "embedded" and config["items"] is None:
        raise DefinitionError("config: items: embedded tasks have no end; write a number")
    if config["task_source"] == "local" and config["data"] is None:
        raise DefinitionError("config: data: write the folder in which the local rows lie")
    check_engine(config["generate"]["engine"])
    check_hardware(config["forecast"]["hardware"], folder / "hardware.tsv")
    check_training(methods, config["finetune"])
    for name in {run["model"]: None for run in runs if "openai" in models[run["model"]]}:
        check_endpoint(name, [run for run in adapted if run["model"] == name], config["answers"], tasks)
    for run in adapted:
        check_run(run, cells[run["method"]], models[run["model"]])
    attached = {
        name for name, cell in cells.items() if config["generate"]["adapters"] == "attached" or not merges(cell)
    }
    served = {name for name, cell in cells.items() if unserved(cell) is None}
    settings = {
        name: value for name, value in config["generate"].items() if name not in ("adapters", "compare_attached")
    }

    prompts = read_by_language(folder / "self_instruct.yaml", schemas / "prompts.schema.yaml", table)
    for code, text in prompts.items():
        check_prompt(text, code, folder / "self_instruct.yaml")
    identities = {code: {key: row[key] for key in IDENTITY} for code, row in table.items()}
    made_by = {name: dataset_models(name, definition, models) for name, definition in chosen.items()}
    named = [*(run["model"] for run in runs), *(model for roles in made_by.values() for model in roles.values())]
    chosen_models = {name: models[name] for name in dict.fromkeys(named)}
    remote = {name: model["openai"] for name, model in chosen_models.items() if "openai" in model}
    decisive = {
        name: {"openai": {key: value for key, value in block.items() if key in OPENAI_DECIDES}}
        for name, block in remote.items()
    }
    sources, offered = {}, {}
    for name, task in {**tasks, **compared}.items():
        sources[name] = {config["task_source"]: task["sources"][config["task_source"]]}
        stated = sources[name][config["task_source"]]["languages"]
        offered[name] = [code for code in table if stated == "all" or code in stated]
    task_languages = {name: [code for code in languages if code in offered[name]] for name in tasks}
    if unasked := [code for code in languages if not any(code in codes for codes in task_languages.values())]:
        raise DefinitionError(
            f"config: languages: {', '.join(unasked)}: none of the tasks {', '.join(tasks)} offers it from "
            f"`{config['task_source']}`; leave it out, or add a task that has it"
        )
    worded = read_yaml(folder / "phrases.yaml")
    needed = [
        code
        for name, definition in chosen.items()
        if "embedded" in (definition.get("teacher"), definition.get("seed_tasks"))
        for code in (PIVOT, *dataset_languages[name])
    ]
    if config["task_source"] == "embedded":  # else a built base is pretrained on what languages have phrases
        needed += languages
    if needed:
        check_phrases(worded, needed, table)
    phrases = {code: {**identity, **worded[code]} for code, identity in identities.items() if worded.get(code)}
    speech = {code: phrases[code] for code in languages if code in phrases}
    rows_read = [(sources[name], [identities[code] for code in offered[name]]) for name in sources]
    for name, codes in dataset_languages.items():
        if "hub" in (source := chosen[name].get("load", {})):
            rows_read.append(({"hub": source["hub"]}, [identities[code] for code in codes]))
    asked = {
        name: {"shots": config["shots"].get(name, 0), "answers": config["answers"].get(name, ["generate"])}
        for name in tasks
    }
    return Study(
        languages=languages,
        english=table[PIVOT],
        identities=identities,
        phrases=phrases,
        models={
            name: {key: value for key, value in model.items() if key not in DESCRIBES}
            for name, model in {**chosen_models, **decisive}.items()
        },
        licenses={name: model["license"] for name, model in chosen_models.items() if "license" in model},
        repositories=hub_repositories(chosen_models, rows_read),
        architectures={name: model["architecture"] for name, model in chosen_models.items() if "architecture" in model},
        declared_sets={name: definition["size"] for name, definition in chosen.items() if "size" in definition},
        corpora={name: speech if "build" in model else {} for name, model in chosen_models.items()},
        recipes={name: recipe_params(definition, models) for name, definition in chosen.items()},
        dataset_models=made_by,
        services={name: service_params(name, definition) for name, definition in chosen.items()},
        # Recipes curate between their rounds: what names test sets is no limit of theirs, and makes nothing anew.
        limits={
            name: {key: limit for key, limit in definition["curate"].items() if key != "decontaminate"}
            for name, definition in chosen.items()
        },
        prompts={
            name: {PIVOT: prompts[PIVOT]} if definition.get("prompt_language") == "english" else prompts
            for name, definition in chosen.items()
        },
        refusals=read_by_language(folder / "refusals.yaml", schemas / "words.schema.yaml", table),
        unservable=read_by_language(folder / "unservable.yaml", schemas / "words.schema.yaml", table),
        decontaminated=decontaminated,
        mixes={name: definition["mix"] for name, definition in chosen.items()},
        cells={name: {**cell, "training": {**config["finetune"], **cell["training"]}} for name, cell in cells.items()},
        attached=attached,
        together=attached & served,
        comparable=served - attached,
        settings={
            BASELINE["method"]: settings,
            **{name: _settings(name, cell, name in attached, settings) for name, cell in cells.items()},
        },
        tasks=tasks,
        renderings={
            name: {key: task[key] for key in RENDERING if key in task}
            | {"max_new_tokens": config["max_new_tokens"].get(name, task["max_new_tokens"])}
            for name, task in tasks.items()
        },
        sources=sources,
        measures={
            name: task_metrics(task, asked[name]["answers"], task_languages[name]) for name, task in tasks.items()
        },
        asked=asked,
        tested={
            name: {"source": sources[name], "fields": task["fields"], "languages": offered[name]}
            for name, task in compared.items()
        },
        clusterings={
            name: {"item": task["item"], "cluster": task["cluster"]}
            for name, task in tasks.items()
            if "cluster" in task
        },
        runs=runs,
        dataset_languages=dataset_languages,
        task_languages=task_languages,
        endpoints={
            name: request_settings(block, OPENAI_DECIDES, f"config/models/{name}.yaml")
            for name, block in remote.items()
        },
    )


def _settings(name: str, cell: Mapping, attached: bool, settings: Mapping) -> dict:
    """Return the generate block of a method: transformers where vLLM would have to attach what it does not."""
    reason = unserved(cell) if attached and settings["engine"] != "transformers" else None
    if reason is None:
        return dict(settings)
    if settings["engine"] == "vllm" and merges(cell):
        raise DefinitionError(
            f"config: generate.adapters: attached: {name}: {reason}; write merged, or engine: transformers"
        )
    return {**settings, "engine": "transformers", "engine_reason": reason}
