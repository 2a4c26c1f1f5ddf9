"""What a study cannot do, refused before any job starts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Formatter

from maple.definitions.loading import DefinitionError, check, pick, read_yaml
from maple.definitions.tables import IDENTITY, PIVOT
from maple.engines.start import AUTO, ENGINES
from maple.methods.capabilities import KINDS, OWN, biases_asked, lacks_biases, untrainable
from maple.methods.peft_config_keys import config_keys


def read_by_language(path: Path, schema: Path, table: Mapping) -> dict:
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


def check_prompt(text: str, code: str, file: Path) -> None:
    """Refuse a prompt of self_instruct that lacks a value or a mark, or names an unknown value."""
    from maple.synthesis.self_instruct import MARKS, VALUES

    named = _named(text, f"{file}: {code}")
    values = [*VALUES, "language"] if code == PIVOT else VALUES
    lacking = [f"{{{name}}}" for name in values if name not in named] + [mark for mark in MARKS if mark not in text]
    if lacking:
        raise DefinitionError(f"{file}: {code}: the prompt lacks {', '.join(lacking)}; see the head of the file")
    if unknown := sorted(named - {*VALUES, "language"}):
        raise DefinitionError(f"{file}: {code}: unknown value {unknown}; known are language, {', '.join(VALUES)}")


def check_path(where: str, path: str, known: Sequence[str]) -> None:
    """Refuse a path with a placeholder that is not in `known`."""
    if unknown := sorted(_named(path, where) - set(known)):
        raise DefinitionError(
            f"{where}: unknown placeholder {{{unknown[0]}}}; known are {', '.join(f'{{{name}}}' for name in known)}"
        )


def check_places(where: str, sources: Mapping[str, Mapping], *more: str) -> None:
    """Check what the paths of sources name; `more` is what they may name besides what `resolve` always knows."""
    for kind, place in sources.items():
        known = [*IDENTITY, *more, *(["data"] if kind == "local" else [])]
        known += ["key"] if isinstance(place.get("languages"), Mapping) else []
        for key in ("path", "files"):
            check_path(f"{where}.{kind}.{key}", place.get(key, ""), known)


def check_phrases(worded: Mapping[str, Mapping], needed: Sequence[str], table: Mapping) -> None:
    """Refuse phrases of unknown languages or keys, and languages in `needed` without phrases."""
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


def check_source(name: str, task: Mapping, config: Mapping) -> None:
    """Refuse a task that lacks the source of rows that the config asks for."""
    if config["task_source"] not in task["sources"]:
        raise DefinitionError(
            f"config/tasks/{name}.yaml: has no source {config['task_source']!r}, which the config's task_source asks "
            f"for; it has {', '.join(task['sources'])}"
        )


def check_task(name: str, task: Mapping, config: Mapping, table: Mapping) -> None:
    """Refuse a task with a template, metric, field or word that is none."""
    from jinja2 import TemplateSyntaxError

    from maple.evaluation.prompts import ENVIRONMENT, VOICES, worded, words_named
    from maple.metrics.registry import METRICS

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


def check_engine(name: str) -> None:
    """Refuse the name of an unknown engine."""
    # Only the name: the engine may be installed in the jobs' environments and not in this one.
    if name not in (AUTO, *ENGINES):
        raise DefinitionError(
            f"config: generate.engine: {name!r} is unknown; write one of {AUTO}, {', '.join(ENGINES)}"
        )


def check_hardware(name: str, path: Path) -> None:
    """Refuse the name of hardware that the table lacks."""
    from maple.definitions.tables import read_hardware

    if name not in (table := read_hardware(path)):
        raise DefinitionError(
            f"config: forecast.hardware: config/hardware.tsv has no {name!r}; it has {', '.join(table)}"
        )


def check_method(name: str, definition: Mapping) -> None:
    """Refuse a method whose axes or arguments PEFT's type does not have."""
    file, peft, adapter = f"config/methods/{name}.yaml", definition["peft"], set(definition["adapter"])
    if peft not in KINDS:
        raise DefinitionError(
            f"{file}: peft: {peft!r} has no line in maple/methods/capabilities.py; it has {', '.join(KINDS)}"
        )
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


def check_endpoint(name: str, adapted: Sequence[Mapping], answers: Mapping, tasks: Mapping) -> None:
    """Refuse finetuning or ranking with a model behind an endpoint."""
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


def check_run(run: Mapping, cell: Mapping, model: Mapping) -> None:
    """Refuse a run whose method does not train on its bits or its model."""
    file = f"config/methods/{run['family']}.yaml"
    if reason := untrainable(cell):
        raise DefinitionError(f"{file}: {reason}; leave {cell['bits']} out of its bits, and of the grid's")
    if (asked := biases_asked(cell["adapter"])) and "build" in model and lacks_biases(model["build"]["architecture"]):
        raise DefinitionError(f"{file}: adapter.{asked}: model {run['model']} has no biases; leave it out")


def check_training(methods: Mapping[str, dict], known: Mapping) -> None:
    """Refuse unknown training keys of methods, and batches that hold no example of full length."""
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
