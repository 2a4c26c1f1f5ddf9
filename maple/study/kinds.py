"""What the kinds of a study's models rule out: facts of maple.models.kind held against the grid."""

from collections.abc import Mapping, Sequence

from maple.definitions.config import GridPart
from maple.definitions.dataset import Dataset
from maple.definitions.errors import DefinitionError
from maple.definitions.generation import GenerateBlock, GenerateSettings
from maple.definitions.method import MethodVariant
from maple.definitions.model import Model
from maple.definitions.run import Run
from maple.definitions.task import Task
from maple.models.kind import KINDS
from maple.study.datasets import learnt_task


def check_kinds(models: Mapping[str, Model]) -> None:
    """Refuse a model of a kind that is not there."""
    for name, model in models.items():
        if model.kind not in KINDS:
            raise DefinitionError(
                f"config/models/{name}.yaml: kind: {model.kind!r} is not one of {', '.join(KINDS)}, the lines of "
                "maple/models/kind.py"
            )


def answers_untouched(model: Model) -> bool:
    """Return True if a model can be asked before it is finetuned: such a model has a baseline."""
    return KINDS[model.kind].answers_untouched


def settings_of_kind(
    settings: GenerateSettings, block: GenerateBlock, kind: str, *, attached: bool
) -> GenerateSettings:
    """Return the settings of an engine as runs of a kind of model are asked, with an adapter that is `attached` or not.

    A translator's have every value of its search, those of other models none, so that a change of `beam_search` makes
    none of their answers anew.
    """
    if not KINDS[kind].translates:
        if block.engine != "ctranslate2" or settings.engine != block.engine:
            return settings
        return settings.changed(engine="auto", engine_reason=f"ctranslate2 serves no {kind} models")
    asked = settings.changed(engine="transformers", engine_reason=None, beam_search=block.beam_search.stated)
    if block.engine != "ctranslate2":
        return asked
    if attached:
        return asked.changed(engine_reason="ctranslate2 attaches no adapters")
    return asked.changed(engine="ctranslate2")


def check_untouched(grid: Sequence[GridPart], models: Mapping[str, Model]) -> None:
    """Refuse a part of the grid that finetunes nothing, of a model that answers nothing before it is finetuned."""
    for number, part in enumerate(grid, start=1):
        for name in part.models:
            if not part.datasets and not answers_untouched(models[name]):
                raise DefinitionError(
                    f"config: grid: part {number}: {name} is of the kind {models[name].kind}, whose head is random "
                    "before it is finetuned; write datasets, methods and seeds, or leave it out"
                )


def tasks_asked(
    name: str, model: Model, dataset: str, definition: Dataset, named: Sequence[str] | None, tasks: Sequence[str]
) -> Sequence[str] | None:
    """Return the tasks that a run is asked, None for all: a model with a head for one task is asked that task alone.

    `named` are those that its part of the grid names, `tasks` the config's. Raises DefinitionError for a dataset that
    such a model cannot learn, and for a part that asks it nothing it learns.
    """
    if not KINDS[model.kind].needs_head:
        return named
    what = f"{name} is of the kind {model.kind}, which learns the labels of one task"
    task = learnt_task(definition)
    if task is None:
        raise DefinitionError(
            f"config/datasets/{dataset}.yaml: recipe: {definition.recipe}: {what}; write a dataset of recipe: task, or "
            f"give {name} a part of the grid of its own"
        )
    if task not in tasks:
        raise DefinitionError(f"config: tasks: lacks {task}, and {what}, from {dataset} this one; add it")
    if named is not None and task not in named:
        raise DefinitionError(
            f"config: grid: tasks: {', '.join(named)}: {what}, from {dataset} {task}, and can be asked no other; write "
            f"{task}, or leave tasks out of the part"
        )
    return [task]


def check_labels(
    runs: Sequence[Run], variants: Mapping[str, MethodVariant], models: Mapping[str, Model], tasks: Mapping[str, Task]
) -> None:
    """Refuse a task without labels for a model that learns labels, and weights of labels for one that learns text."""
    for run in runs:
        kind = models[run.model].kind
        if not KINDS[kind].needs_head:
            if variants[run.method].training.class_weights != "none":
                raise DefinitionError(
                    f"config: finetune.class_weights: {run.model} is of the kind {kind}, which learns text and no "
                    "labels; write none, or give it a study of its own"
                )
            continue
        for task in run.tasks:
            if len(tasks[task].choices) < 2:
                raise DefinitionError(
                    f"config/tasks/{task}.yaml: choices: has {len(tasks[task].choices)} labels, and {run.model} is of "
                    f"the kind {kind}, which learns to tell labels apart; write two or more, or name another task"
                )
