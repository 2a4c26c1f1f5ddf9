"""The answer modes by which the models of a study are asked its tasks: those of the config that a kind of model has."""

from collections.abc import Mapping, Sequence

from maple.definitions.config import Config
from maple.definitions.errors import DefinitionError
from maple.definitions.model import Model
from maple.definitions.run import Run
from maple.definitions.task import AnswerMode, Task
from maple.metrics.registry import needs_probabilities
from maple.models.kind import KINDS

# Of a task that the config's `answers` does not name: a model that generates does so, and an encoder classifies.
DEFAULT: list[AnswerMode] = ["generate", "classify"]


def answer_modes(name: str, task: Task, kind: str, config: Config) -> list[AnswerMode]:
    """Return the answer modes of a task for a kind of model, in the config's order; empty if it has none of them.

    By default a task with pictures is asked blindly as well: what a model answers without them it did not see.
    """
    default: list[AnswerMode] = [*DEFAULT, "blind"] if task.pictures else DEFAULT
    return [mode for mode in config.answers.get(name, default) if mode in KINDS[kind].answer_modes]


def kinds_asked(task: str, runs: Sequence[Run], models: Mapping[str, Model]) -> list[str]:
    """Return the kinds of the models that are asked a task."""
    return list(dict.fromkeys(models[run.model].kind for run in runs if task in run.tasks))


def check_answers(runs: Sequence[Run], tasks: Mapping[str, Task], models: Mapping[str, Model], config: Config) -> None:
    """Refuse a task that a model of the grid cannot answer, and models whose answers no metric compares."""
    for model, kind, name in dict.fromkeys(
        (run.model, models[run.model].kind, task) for run in runs for task in run.tasks
    ):
        modes = answer_modes(name, tasks[name], kind, config)
        if "blind" in modes and "generate" not in modes:
            raise DefinitionError(
                f"config: answers.{name}: blind answers are compared with those that saw the pictures; write "
                f"{_listed(['generate', *config.answers[name]])}"
            )
        if not modes:
            able = sorted(KINDS[kind].answer_modes)
            raise DefinitionError(
                f"config: answers.{name}: {_listed(config.answers[name])} is no way in which {model} answers, of the "
                f"kind {kind} (config/models/{model}.yaml); write {_listed([*config.answers[name], *able])}, or name "
                f"other tasks under `tasks` of its part of the grid"
            )
        if modes == ["classify"] and (reason := reason_against_classifying(tasks[name])):
            raise DefinitionError(
                f"config: grid: {model} is of the kind {kind}, which classifies texts, and config/tasks/{name}.yaml "
                f"has a prompt to generate from and {reason}; write them there, or name other tasks under `tasks` of "
                "its part of the grid"
            )
        needing = [metric for metric in tasks[name].metrics if needs_probabilities(metric)]
        if "generate" in modes and needing:
            raise DefinitionError(
                f"config/tasks/{name}.yaml: metrics: {', '.join(needing)} need the probabilities of the labels, which "
                f"the answers that {model} generates do not have; write `answers: {{{name}: [rank]}}` in the config, "
                "or leave them out of the metrics"
            )
    for name in tasks:
        modes = {kind: answer_modes(name, tasks[name], kind, config) for kind in kinds_asked(name, runs, models)}
        ranked = [kind for kind, of_kind in modes.items() if of_kind == ["rank"]]
        if ranked and len(ranked) < len(modes):
            named = _listed(["generate", *config.answers[name]])
            raise DefinitionError(
                f"config: answers.{name}: {', '.join(ranked)} models would only rank and others not at all: no metric "
                f"compares them; write {named}"
            )


def reason_against_classifying(task: Task) -> str | None:
    """Return what a task lacks to be classified; None if nothing."""
    lacking = [key for key, stated in (("texts", task.texts), ("choices", task.choices)) if not stated]
    return f"no {' and no '.join(lacking)}" if lacking else None


def _listed(modes: Sequence[str]) -> str:
    return f"[{', '.join(modes)}]"
