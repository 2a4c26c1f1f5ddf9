"""The answer modes by which the models of a study are asked its tasks: those of the config that a model has."""

from collections.abc import Mapping, Sequence

from maple.definitions.config import Config
from maple.definitions.errors import DefinitionError
from maple.definitions.model import EndpointModel, Model
from maple.definitions.run import Run
from maple.definitions.task import AnswerMode, Task
from maple.metrics.registry import needs_probabilities
from maple.models.kind import KINDS

# Of a task that the config's `answers` does not name: a model that generates does so, and an encoder classifies.
DEFAULT: list[AnswerMode] = ["generate", "classify"]
# Of one with choices: what finetuning does to the form of an answer is told apart from what it does to the answer.
OF_CHOICES: list[AnswerMode] = ["generate", "rank", "classify"]


def answer_modes(name: str, task: Task, model: Model, config: Config) -> list[AnswerMode]:
    """Return the answer modes of a task for a model, in the config's order; empty if it has none of them.

    By default a model that can rank does so where a task has choices; a model behind an endpoint cannot, whatever its
    kind. A task with pictures is asked blindly instead: what a model answers without them it did not see. It is not
    ranked by default, because each choice reads the prompt with its pictures again: two choices take as much reading as
    the generated and the blind answer together, and pictures are most of what is read (LLaVA-1.5: 576 tokens each).
    """
    default = _default(task, isinstance(model, EndpointModel))
    return [mode for mode in config.answers.get(name, default) if mode in KINDS[model.kind].answer_modes]


def _default(task: Task, is_remote: bool) -> list[AnswerMode]:
    if task.choice_prompts:
        return ["rank"]
    if task.pictures:
        return [*DEFAULT, "blind"]
    return OF_CHOICES if task.one_label and not is_remote else DEFAULT


def models_asked(task: str, runs: Sequence[Run], models: Mapping[str, Model]) -> dict[str, Model]:
    """Return the models that are asked a task, by name."""
    return {run.model: models[run.model] for run in runs if task in run.tasks}


def check_answers(runs: Sequence[Run], tasks: Mapping[str, Task], models: Mapping[str, Model], config: Config) -> None:
    """Refuse a task that a model of the grid cannot answer, and models whose answers no metric compares."""
    for model, name in dict.fromkeys((run.model, task) for run in runs for task in run.tasks):
        kind, modes = models[model].kind, answer_modes(name, tasks[name], models[model], config)
        # Translators and classifiers read texts, and no prompts.
        if tasks[name].layout and "rank" not in KINDS[kind].answer_modes:
            raise DefinitionError(
                f"config/tasks/{name}.yaml: layout: {model} is of the kind {kind} and reads no prompts that could "
                f"be laid out; leave layout out, or name other tasks under `tasks` of its part of the grid"
            )
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
            mend = "" if tasks[name].multi else "write them there, or "
            raise DefinitionError(
                f"config: grid: {model} is of the kind {kind}, which classifies texts, and config/tasks/{name}.yaml "
                f"has a prompt to generate from and {reason}; {mend}name other tasks under `tasks` of its part of the "
                "grid"
            )
        needing = [metric for metric in tasks[name].metrics if needs_probabilities(metric)]
        if "generate" in modes and needing:
            raise DefinitionError(
                f"config/tasks/{name}.yaml: metrics: {', '.join(needing)} need the probabilities of the labels, which "
                f"the answers that {model} generates do not have; write `answers: {{{name}: [rank]}}` in the config, "
                "or leave them out of the metrics"
            )
    for name in tasks:
        asked = models_asked(name, runs, models).values()
        modes = {model.kind: answer_modes(name, tasks[name], model, config) for model in asked}
        ranked = [kind for kind, of_kind in modes.items() if of_kind == ["rank"]]
        if ranked and len(ranked) < len(modes):
            named = _listed(["generate", *config.answers[name]])
            raise DefinitionError(
                f"config: answers.{name}: {', '.join(ranked)} models would only rank and others not at all: no metric "
                f"compares them; write {named}"
            )


def reason_against_classifying(task: Task) -> str | None:
    """Return what keeps a task from being classified; None if nothing."""
    if task.multi:
        return "several labels in a row (`multi`), and a head has one"
    lacking = [key for key, stated in (("texts", task.texts), ("choices", task.choices)) if not stated]
    return f"no {' and no '.join(lacking)}" if lacking else None


def _listed(modes: Sequence[str]) -> str:
    return f"[{', '.join(modes)}]"
