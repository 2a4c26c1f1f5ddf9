"""Checks that refuse an impossible study before any job starts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Formatter

from maple.data.templates import wrong_template
from maple.definitions.config import Config
from maple.definitions.dataset import Dataset
from maple.definitions.errors import DefinitionError
from maple.definitions.hardware import read_hardware
from maple.definitions.language import ENGLISH
from maple.definitions.local_model import BuiltModel
from maple.definitions.method import MethodVariant
from maple.definitions.model import EndpointModel, Model
from maple.definitions.parts import CONNECTOR
from maple.definitions.run import Run
from maple.definitions.task import Task
from maple.engines.ctranslate2_engine import reason_against_search
from maple.engines.start import AUTO, ENGINES, OF_TRANSLATORS
from maple.methods.capabilities import (
    bias_key,
    has_no_biases,
    reason_against_early_end,
    reason_against_kind,
    reason_against_training,
)
from maple.models.kind import KINDS
from maple.models.limits import text_config
from maple.study.answer_modes import answer_modes
from maple.study.methods import StudyMethod
from maple.study.tasks import StudyTask
from maple.synthesis.self_instruct import MARKS, VALUES

IDENTITY = ("code", "name", "iso639_1", "script")
MOST_STOPS = 4  # texts that an OpenAI-compatible endpoint takes as `stop`


def placeholders(text: str, where: str) -> set[str]:
    """Return the names in braces; raises DefinitionError for braces that do not match."""
    try:
        return {name for _, name, _, _ in Formatter().parse(text) if name is not None}
    except ValueError as error:
        raise DefinitionError(f"{where}: {error}; braces stand around values alone") from None


def check_prompt(text: str, code: str, file: str | Path) -> None:
    """Refuse a prompt of self_instruct that lacks a placeholder or a mark, or has an unknown placeholder."""
    names = placeholders(text, f"{file}: {code}")
    values = [*VALUES, "language"] if code == ENGLISH else VALUES
    missing = [f"{{{name}}}" for name in values if name not in names] + [mark for mark in MARKS if mark not in text]
    if missing:
        raise DefinitionError(f"{file}: {code}: the prompt lacks {', '.join(missing)}; see the head of the file")
    if unknown := sorted(names - {*VALUES, "language"}):
        raise DefinitionError(f"{file}: {code}: unknown value {unknown}; known are language, {', '.join(VALUES)}")


def check_path(where: str, path: str, known: Sequence[str]) -> None:
    """Refuse a path with a placeholder that is not in `known`."""
    if unknown := sorted(placeholders(path, where) - set(known)):
        raise DefinitionError(
            f"{where}: unknown placeholder {{{unknown[0]}}}; known are {', '.join(f'{{{name}}}' for name in known)}"
        )


def check_places(where: str, sources: Mapping[str, Mapping], *more: str) -> None:
    """Refuse unknown placeholders in paths of sources; `more` are allowed besides those that every path may have."""
    for kind, place in sources.items():
        known = [*IDENTITY, *more, *(["data"] if kind == "local" else [])]
        known += ["key"] if isinstance(place.get("languages"), Mapping) else []
        _check_templates(f"{where}.{kind}", place, known)
        for code, part in place.get("by_language", {}).items():
            _check_templates(f"{where}.{kind}.by_language.{code}", part, known)


def _check_templates(where: str, place: Mapping, known: Sequence[str]) -> None:
    for key in ("path", "files", "file", "target_path", "pictures", "rows", "where"):
        check_path(f"{where}.{key}", place.get(key, ""), known)
    for ours, theirs in place.get("columns", {}).items():
        check_path(f"{where}.columns.{ours}", theirs, known)
    if reason := place.get("where") and wrong_template(f"{{{{ {place['where']} }}}}"):
        raise DefinitionError(f"{where}.where: {reason}; write an expression over a row, as lang == 'sw'")
    if place.get("join"):
        _check_templates(f"{where}.join", place["join"], known)


def check_config(config: Config, tasks: Sequence[str], hardware: Path) -> None:
    """Refuse unknown tasks, engines and hardware, embedded rows without a number, and local rows without a folder."""
    for key in ("shots", "max_new_tokens", "answers"):
        for name in getattr(config, key):
            if name not in tasks:
                raise DefinitionError(
                    f"config: {key} names {name!r}, which config/tasks/ lacks; it has {', '.join(tasks)}"
                )
    if config.task_source == "embedded" and config.items is None:
        raise DefinitionError("config: items: embedded tasks have no end; write a number")
    _ = config.all_looks
    if config.task_source == "local" and config.data is None:
        raise DefinitionError("config: data: write the folder in which the local rows lie")
    # Only the name is checked: the engine may be installed in the jobs' environments and not in this one.
    if config.generate.engine not in (known := (AUTO, *ENGINES, *OF_TRANSLATORS)):
        raise DefinitionError(
            f"config: generate.engine: {config.generate.engine!r} is unknown; write one of {', '.join(known)}"
        )
    if config.generate.engine == "ctranslate2" and (reason := reason_against_search(config.generate.beam_search)):
        raise DefinitionError(f"config: generate.beam_search.{reason}")
    if config.generate.batch_invariant and config.generate.engine == "transformers":
        raise DefinitionError("config: generate.batch_invariant: transformers has no such kernels; write false")
    if config.forecast.hardware not in (table := read_hardware(hardware)):
        raise DefinitionError(
            f"config: forecast.hardware: config/hardware.tsv has no {config.forecast.hardware!r}; "
            f"it has {', '.join(table)}"
        )


def check_endpoint(name: str, model: EndpointModel, finetuned: bool, config: Config, tasks: Mapping[str, Task]) -> None:
    """Refuse finetuning of a model behind an endpoint, tasks for which it would only have to rank choices, and one that
    would be asked without a prompt."""
    if KINDS[model.kind].translates:
        raise DefinitionError(
            f"config/models/{name}.yaml: kind: {model.kind}: a model behind an endpoint answers prompts; leave kind "
            "out, and it translates by the prompts of tasks"
        )
    if finetuned:
        raise DefinitionError(
            f"config: grid: {name} is behind an endpoint (config/models/{name}.yaml) and cannot be finetuned here; "
            f"give it a part of its own: {{models: [{name}], datasets: [], methods: {{}}, seeds: []}}"
        )
    for task, definition in tasks.items():
        if len(definition.answer.stop) > MOST_STOPS:
            raise DefinitionError(
                f"config/tasks/{task}.yaml: answer.stop: {name} is behind an endpoint, which takes {MOST_STOPS} texts "
                f"at most; leave out some, or leave {name} out of the grid"
            )
        if answer_modes(task, definition, model, config) == ["rank"]:
            mend = "" if definition.choice_prompts else "write [generate, rank], or "
            raise DefinitionError(
                f"config: answers.{task}: {name} is behind an endpoint, which tells no likelihood of a choice that is "
                f"given to it, and no run could be compared with it; {mend}leave {name} out of the grid"
            )


def check_runs(runs: Sequence[Run], variants: Mapping[str, MethodVariant], models: Mapping[str, Model]) -> None:
    """Refuse runs whose method cannot train at its precision or on its model."""
    for run in runs:
        file, variant, model = f"config/methods/{run.family}.yaml", variants[run.method], models[run.model]
        if reason := reason_against_kind(variant, KINDS[model.kind].adapts_like):
            raise DefinitionError(f"{file}: {reason}; give {run.model} a part of the grid without {run.family}")
        if "connector" in variant.axes and CONNECTOR not in KINDS[model.kind].parts:
            raise DefinitionError(
                f"config: grid: {run.method}: connector: {run.model} is of the kind {model.kind}, which has none; "
                "leave the axis out, or give the model a part of the grid of its own"
            )
        if reason := reason_against_training(variant, KINDS[model.kind].adapts_like):
            raise DefinitionError(f"{file}: {reason}; leave {run.bits} out of its bits, and of the grid's")
        if variant.training.measures_decide and (reason := reason_against_early_end(variant)):
            raise DefinitionError(
                f"{file}: {reason}; write training: {{early_stopping: null, keep: last}}, or leave it out of the grid"
            )
        key = bias_key(variant)
        if key and isinstance(model, BuiltModel) and has_no_biases(text_config(model.build.architecture)):
            raise DefinitionError(f"{file}: {key}: model {run.model} has no biases; leave it out")


def check_held_out(runs: Sequence[Run], methods: Mapping[str, StudyMethod], datasets: Mapping[str, Dataset]) -> None:
    """Refuse runs that need held-out rows where none are held out.

    By them a merged model is compared with the one that was trained, and early stopping and keep: best decide.
    """
    for run in runs:
        held_out, training = datasets[run.dataset].mix.held_out, methods[run.method].variant.training
        if training.measures_decide and not held_out:
            raise DefinitionError(
                f"config/datasets/{run.dataset}.yaml: mix.held_out: 0 leaves nothing for early_stopping and keep: best "
                f"of the config's finetune to decide by ({run.method}); write rows per language, or leave both out"
            )
        if methods[run.method].merged and not held_out:
            raise DefinitionError(
                f"config/datasets/{run.dataset}.yaml: mix.held_out: 0 leaves nothing to check a merge on "
                f"({run.method}); write rows per language, or generate.adapters: attached in the config"
            )


def check_room(tasks: Mapping[str, StudyTask], models: Mapping[str, Model], config: Config) -> None:
    """Refuse tasks whose completions leave no room for a prompt: all prompts would be too long."""
    rooms = {name: model.thinking_tokens for name, model in models.items() if not isinstance(model, EndpointModel)}
    thinking = max(rooms, key=rooms.__getitem__, default="")
    room = rooms.get(thinking, 0)
    for name, task in tasks.items():
        limit, length = task.prompt_spec.max_new_tokens, config.generate.max_length
        if "generate" in task.modes and limit >= length:
            raise DefinitionError(
                f"config: generate.max_length: {length} tokens leave no prompt of {name} room beside its limit of "
                f"{limit} new tokens; raise it, or lower max_new_tokens.{name}"
            )
        if "generate" in task.modes and limit + room >= length:
            raise DefinitionError(
                f"config/models/{thinking}.yaml: thinking_tokens: {room} and the limit of {limit} new tokens of {name} "
                f"leave no prompt room in the config's generate.max_length: {length}; raise that, or lower this"
            )


def check_endpoints(
    runs: Sequence[Run], models: Mapping[str, Model], config: Config, tasks: Mapping[str, Task]
) -> None:
    """Refuse for each model behind an endpoint what it cannot do; `tasks` are the config's."""
    for name in dict.fromkeys(run.model for run in runs):
        if isinstance(model := models[name], EndpointModel):
            finetuned = any(run.model == name and not run.is_baseline for run in runs)
            check_endpoint(name, model, finetuned, config, tasks)


def check_frames(runs: Sequence[Run], variants: Mapping[str, MethodVariant], models: Mapping[str, Model]) -> None:
    """Refuse the frame chat for models that are built here: they have no chat template."""
    for run in runs:
        model = models[run.model]
        frame = None if run.is_baseline else variants[run.method].training.frame
        if isinstance(model, BuiltModel) and (frame or model.frame) == "chat":
            where = (
                f"config/methods/{run.family}.yaml: training.frame, or the config's finetune.frame"
                if frame
                else (f"config/models/{run.model}.yaml: frame")
            )
            raise DefinitionError(
                f"{where}: chat: {run.model} is built here and has no chat template; write bactrian or none"
            )
