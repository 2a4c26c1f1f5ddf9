"""A study: what a config asks for, with every name looked up and every contradiction found before any job starts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Formatter

from maple.contamination import OVERLAP
from maple.definitions import (
    BASELINE,
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
from maple.hub import MODEL_FILES
from maple.local_teacher import DECIDES as LOCAL_DECIDES
from maple.methods import KINDS, OWN, biases_asked, config_keys, lacks_biases, merges, unserved, untrainable
from maple.openai_endpoint import DECIDES as OPENAI_DECIDES
from maple.sources import folder_of, resolve
from maple.translators import DECIDES as TRANSLATOR_DECIDES

# What a recipe needs to know of a language; the rest of the table's columns are words of evaluation prompts.
IDENTITY = ("code", "name", "iso639_1", "script")
# Which keys of the blocks that say how a dataset is made decide what is made; the others say how it is asked.
DECIDES = {
    "openai": OPENAI_DECIDES,
    "vllm": LOCAL_DECIDES,
    "transformers": LOCAL_DECIDES,
    "translator": TRANSLATOR_DECIDES,
}
# Of these blocks `model` is a file of config/models/.
LOCAL = ("vllm", "transformers", "translator")
# What decides a task's prompts and gold answers; its metrics do not.
RENDERING = ("item", "prompt", "targets", "choices", "fields", "repair", "max_new_tokens")

# What a model's file says for model cards and the forecast; it decides no result.
DESCRIBES = ("license", "architecture")

NOT_DECONTAMINATED = {"tasks": [], "words": OVERLAP}


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


def _blocks(definition: dict) -> dict[str, str]:
    """Return the blocks that say how a dataset is made, by role: of its teacher, where one needs it, and translator."""
    blocks = {"teacher": definition.get("teacher"), "translator": "translator" if "translator" in definition else None}
    return {role: block for role, block in blocks.items() if block in DECIDES}


def _dataset_models(name: str, definition: dict, models: Mapping[str, dict]) -> dict[str, str]:
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


def _recipe(definition: dict, models: Mapping[str, dict]) -> dict:
    """Return the part of a dataset's definition that decides what is synthesized."""
    kind = definition["recipe"]
    kept = {key: definition[key] for key in ("recipe", "teacher", "seed", "seed_tasks", kind) if key in definition}
    for block in _blocks(definition).values():
        kept[block] = {key: value for key, value in definition[block].items() if key in DECIDES[block]}
        if block in LOCAL:
            kept[block]["trust_remote_code"] = models[definition[block]["model"]].get("trust_remote_code", False)
    return kept


def _service(name: str, definition: dict) -> dict:
    """Return how a dataset's teacher and translator are asked, and the file that says so; it decides no answer."""
    file = f"config/datasets/{name}.yaml"
    return {role: _how(definition[block], DECIDES[block], file) for role, block in _blocks(definition).items()}


def _how(block: Mapping, decides: Sequence[str], file: str) -> dict:
    return {**{key: value for key, value in block.items() if key not in decides}, "file": file}


def _made_from(definition: Mapping) -> dict[str, str]:
    """Return the datasets that one is made from, by the keys that name them."""
    seeds = definition.get("seed_tasks")
    named = {
        "translate_respond.instructions": definition.get("translate_respond", {}).get("instructions"),
        "seed_tasks.dataset": seeds["dataset"] if isinstance(seeds, Mapping) else None,
    }
    return {key: name for key, name in named.items() if name}


def _datasets_needed(
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


def _by_language(path: Path, schema: Path, table: Mapping) -> dict:
    """Return what a file says of each language; a DefinitionError names a code that config/languages.tsv lacks."""
    content = read_yaml(path)
    check(content, schema, path)
    pick(list(content), table, str(path), "config/languages.tsv")
    return content


def _named(text: str, where: str) -> set[str]:
    """Return the names in braces."""
    try:
        return {name for _, name, _, _ in Formatter().parse(text) if name is not None}
    except ValueError as error:
        raise DefinitionError(f"{where}: {error}; braces stand around values alone") from None


def _check_prompt(text: str, code: str, file: Path) -> None:
    from maple.self_instruct import MARKS, VALUES

    named = _named(text, f"{file}: {code}")
    values = [*VALUES, "language"] if code == PIVOT else VALUES
    lacking = [f"{{{name}}}" for name in values if name not in named] + [mark for mark in MARKS if mark not in text]
    if lacking:
        raise DefinitionError(f"{file}: {code}: the prompt lacks {', '.join(lacking)}; see the head of the file")
    if unknown := sorted(named - {*VALUES, "language"}):
        raise DefinitionError(f"{file}: {code}: unknown value {unknown}; known are language, {', '.join(VALUES)}")


def _check_path(where: str, path: str, known: Sequence[str]) -> None:
    if unknown := sorted(_named(path, where) - set(known)):
        raise DefinitionError(
            f"{where}: unknown placeholder {{{unknown[0]}}}; known are {', '.join(f'{{{name}}}' for name in known)}"
        )


def _check_places(where: str, sources: Mapping[str, Mapping], *more: str) -> None:
    """Check what the paths of sources name; `more` is what they may name besides what `resolve` always knows."""
    for kind, place in sources.items():
        known = [*IDENTITY, *more, *(["data"] if kind == "local" else [])]
        known += ["key"] if isinstance(place.get("languages"), Mapping) else []
        for key in ("path", "files"):
            _check_path(f"{where}.{kind}.{key}", place.get(key, ""), known)


def _check_phrases(worded: Mapping[str, Mapping], needed: Sequence[str], table: Mapping) -> None:
    from maple.embedded.speech import KEYS, check_words

    file = "config/phrases.yaml"
    for code, words in worded.items():
        if code not in table:
            raise DefinitionError(f"{file}: {code} is no code of config/languages.tsv; write one, or add its row there")
        if unknown := [key for key in words or {} if key not in KEYS]:
            raise DefinitionError(f"{file}: {code}: unknown key {unknown[0]!r}; write the keys of eng_Latn, no others")
        try:
            check_words(code, words or {})
        except ValueError as error:
            raise DefinitionError(str(error)) from None
    if lacking := [code for code in dict.fromkeys(needed) if code not in worded]:
        raise DefinitionError(f"{file}: has no {', '.join(lacking)}; add its block, as eng_Latn's")


def _repositories(models: Mapping[str, dict], sources: Sequence[tuple[dict, Sequence[Mapping]]]) -> dict[str, dict]:
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
        _check_method(name, methods[name])
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
    dataset_languages = _datasets_needed(datasets, in_grid, list(languages), table)
    chosen = {name: datasets[name] for name in dataset_languages}

    decontaminated, compared = {}, dict(tasks)
    for name, definition in chosen.items():
        decontaminated[name] = definition["curate"].get("decontaminate") or NOT_DECONTAMINATED
        key = f"config/datasets/{name}.yaml: curate.decontaminate.tasks"
        compared |= pick(decontaminated[name]["tasks"], all_tasks, key, "config/tasks/")
    if config["task_source"] == "embedded":  # rows that are made here are in no set
        decontaminated, compared = {name: NOT_DECONTAMINATED for name in chosen}, {}
    for name, task in {**tasks, **compared}.items():
        _check_source(name, task, config)
        _check_places(f"config/tasks/{name}.yaml: sources", task["sources"], "split")
    for name, definition in chosen.items():
        file = f"config/datasets/{name}.yaml"
        loaded = {kind: place for kind, place in definition.get("load", {}).items() if kind in ("local", "hub")}
        _check_places(f"{file}: load", loaded)
        if isinstance(seeds := definition.get("seed_tasks"), str):
            _check_path(f"{file}: seed_tasks", seeds, IDENTITY)
    for name, task in tasks.items():
        _check_task(name, task, config, table)
    for key in ("shots", "max_new_tokens", "answers"):
        pick(list(config[key]), all_tasks, f"config: {key}", "config/tasks/")
    if config["task_source"] == "embedded" and config["items"] is None:
        raise DefinitionError("config: items: embedded tasks have no end; write a number")
    if config["task_source"] == "local" and config["data"] is None:
        raise DefinitionError("config: data: write the folder in which the local rows lie")
    _check_engine(config["generate"]["engine"])
    _check_hardware(config["forecast"]["hardware"], folder / "hardware.tsv")
    _check_training(methods, config["finetune"])
    for name in {run["model"]: None for run in runs if "openai" in models[run["model"]]}:
        _check_endpoint(name, [run for run in adapted if run["model"] == name], config["answers"], tasks)
    for run in adapted:
        _check_run(run, cells[run["method"]], models[run["model"]])
    attached = {
        name for name, cell in cells.items() if config["generate"]["adapters"] == "attached" or not merges(cell)
    }
    served = {name for name, cell in cells.items() if unserved(cell) is None}
    settings = {
        name: value for name, value in config["generate"].items() if name not in ("adapters", "compare_attached")
    }

    prompts = _by_language(folder / "self_instruct.yaml", schemas / "prompts.schema.yaml", table)
    for code, text in prompts.items():
        _check_prompt(text, code, folder / "self_instruct.yaml")
    identities = {code: {key: row[key] for key in IDENTITY} for code, row in table.items()}
    made_by = {name: _dataset_models(name, definition, models) for name, definition in chosen.items()}
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
        _check_phrases(worded, needed, table)
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
        repositories=_repositories(chosen_models, rows_read),
        architectures={name: model["architecture"] for name, model in chosen_models.items() if "architecture" in model},
        declared_sets={name: definition["size"] for name, definition in chosen.items() if "size" in definition},
        corpora={name: speech if "build" in model else {} for name, model in chosen_models.items()},
        recipes={name: _recipe(definition, models) for name, definition in chosen.items()},
        dataset_models=made_by,
        services={name: _service(name, definition) for name, definition in chosen.items()},
        # Recipes curate between their rounds: what names test sets is no limit of theirs, and makes nothing anew.
        limits={
            name: {key: limit for key, limit in definition["curate"].items() if key != "decontaminate"}
            for name, definition in chosen.items()
        },
        prompts={
            name: {PIVOT: prompts[PIVOT]} if definition.get("prompt_language") == "english" else prompts
            for name, definition in chosen.items()
        },
        refusals=_by_language(folder / "refusals.yaml", schemas / "words.schema.yaml", table),
        unservable=_by_language(folder / "unservable.yaml", schemas / "words.schema.yaml", table),
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
        measures={name: _measure(task, asked[name]["answers"], task_languages[name]) for name, task in tasks.items()},
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
        endpoints={name: _how(block, OPENAI_DECIDES, f"config/models/{name}.yaml") for name, block in remote.items()},
    )


def _check_source(name: str, task: Mapping, config: Mapping) -> None:
    if config["task_source"] not in task["sources"]:
        raise DefinitionError(
            f"config/tasks/{name}.yaml: has no source {config['task_source']!r}, which the config's task_source asks "
            f"for; it has {', '.join(task['sources'])}"
        )


def _check_task(name: str, task: Mapping, config: Mapping, table: Mapping) -> None:
    from jinja2 import TemplateSyntaxError

    from maple.metrics import METRICS
    from maple.tasks import ENVIRONMENT, VOICES, worded, words_named

    file = f"config/tasks/{name}.yaml"
    templates = [("prompt", task["prompt"])]
    templates += [(f"choices.{label}", form) for label, forms in task.get("choices", {}).items() for form in forms]
    expressions = [(key, f"{{{{ {task[key]} }}}}") for key in ("item", "targets")]
    for key, template in templates + expressions:
        try:
            ENVIRONMENT.parse(template)
        except TemplateSyntaxError as error:
            raise DefinitionError(
                f"{file}: {key}: {error.message}; its placeholders are {', '.join(task['fields'])} and number, in "
                f"prompt and choices also {', '.join(f'{voice}.NAME' for voice in VOICES)}, there as {{{{ NAME }}}}"
            ) from None
    for metric in (*task["metrics"], task["headline"]):
        if metric not in METRICS:
            raise DefinitionError(f"{file}: metric {metric!r} is unknown; write one of {', '.join(METRICS)}")
    if task["headline"] not in task["metrics"]:
        raise DefinitionError(f"{file}: headline {task['headline']!r} must be one of its metrics")
    if task.get("cluster") not in (None, *task["fields"]):
        raise DefinitionError(f"{file}: cluster {task['cluster']!r} must be one of its fields")
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


def _check_hardware(name: str, path: Path) -> None:
    from maple.forecast import read_hardware

    if name not in (table := read_hardware(path)):
        raise DefinitionError(
            f"config: forecast.hardware: config/hardware.tsv has no {name!r}; it has {', '.join(table)}"
        )


def _check_method(name: str, definition: Mapping) -> None:
    file, peft, adapter = f"config/methods/{name}.yaml", definition["peft"], set(definition["adapter"])
    if peft not in KINDS:
        raise DefinitionError(f"{file}: peft: {peft!r} has no line in maple/methods.py; it has {', '.join(KINDS)}")
    kind, ranked, scaled = KINDS[peft], "rank" in definition["axes"], "alpha_over_rank" in definition
    if ranked and not kind.rank:
        raise DefinitionError(f"{file}: axes.rank: PEFT's {peft} has no rank; leave it out")
    if scaled and not (ranked and kind.alpha):
        raise DefinitionError(
            f"{file}: alpha_over_rank: there is no axes.rank, or no alpha in PEFT's {peft}; leave it out"
        )
    if ranked and kind.alpha and not scaled and kind.alpha not in adapter:
        raise DefinitionError(f"{file}: alpha_over_rank: write it, or adapter.{kind.alpha} for one alpha at every rank")
    taken = OWN | (set(kind.rank) if ranked else set()) | ({kind.alpha} if scaled else set())
    if double := taken & adapter:
        raise DefinitionError(f"{file}: adapter: {', '.join(sorted(double))} is set by the workflow; leave it out")
    known = config_keys(peft)
    if known is not None and (unknown := adapter - known):
        raise DefinitionError(
            f"{file}: adapter: PEFT's {peft} has no key {', '.join(map(repr, sorted(unknown)))}; "
            f"it has {', '.join(sorted(known - taken))}"
        )


def _check_endpoint(name: str, adapted: Sequence[Mapping], answers: Mapping, tasks: Mapping) -> None:
    if adapted:
        raise DefinitionError(
            f"config: grid: {name} is behind an endpoint (config/models/{name}.yaml) and cannot be finetuned here; "
            f"give it a part of its own: {{models: [{name}], datasets: [], methods: {{}}, seeds: []}}"
        )
    for task in tasks:
        if answers.get(task) == ["rank"]:
            raise DefinitionError(
                f"config: answers.{task}: {name} is behind an endpoint, which tells no likelihood of a choice that is "
                f"given to it, and no run could be compared with it; write [generate, rank], or leave {name} out of "
                "the grid"
            )


def _check_run(run: Mapping, cell: Mapping, model: Mapping) -> None:
    file = f"config/methods/{run['family']}.yaml"
    if reason := untrainable(cell):
        raise DefinitionError(f"{file}: {reason}; leave {cell['bits']} out of its bits, and of the grid's")
    if (asked := biases_asked(cell["adapter"])) and "build" in model and lacks_biases(model["build"]["architecture"]):
        raise DefinitionError(f"{file}: adapter.{asked}: model {run['model']} has no biases; leave it out")


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
