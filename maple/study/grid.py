"""The grid: all its runs and method variants."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from maple.definitions.config import GridPart
from maple.definitions.dataset import Dataset
from maple.definitions.errors import DefinitionError
from maple.definitions.method import GridAxes, Method, MethodVariant, PeftMethod, PeftVariant, WeightsVariant
from maple.definitions.model import Model
from maple.definitions.reading import pick
from maple.definitions.run import Run
from maple.definitions.training import TrainingSettings
from maple.methods.capabilities import PEFT_TYPES
from maple.study.datasets import StudyMixture, dataset_variants
from maple.study.kinds import answers_untouched, check_untouched, tasks_asked

LEARNING_RATE = "learning_rate"


def method_variants(
    name: str, method: Method, axes: GridAxes | None, training: TrainingSettings
) -> dict[str, MethodVariant]:
    """Return all variants of a method, by name: lora-r16-4bit, pfeiffer-reduction16-4bit, or ia3-4bit without others.

    `axes` (from the grid) replaces values of the axes in the method's file. The learning rate is an axis of any method,
    named as full-lr2e-05-16bit where it is given. An adapter may have those of places, as in
    lora-r8-both-tuned-connector-16bit. Raises DefinitionError for an axis that the method does not have.
    """
    values, other = method.axes.params(), {} if axes is None else axes.params()
    if unknown := set(other) - set(values) - _of_any(method):
        raise DefinitionError(
            f"config: grid: method {name} has no axis {sorted(unknown)}; its axes are {sorted(values)}"
        )
    values |= other
    names = [axis for axis in ("rank", "reduction", "location", "connector", LEARNING_RATE, "bits") if axis in values]
    variants: dict[str, MethodVariant] = {}
    for point in itertools.product(*(values[axis] for axis in names)):
        of_point: dict[str, int | float | str] = dict(zip(names, point, strict=True))
        rate = {LEARNING_RATE: of_point[LEARNING_RATE]} if LEARNING_RATE in of_point else {}
        trained = training.changed(**method.training | rate)
        variants[_variant_name(name, of_point)] = (
            PeftVariant(peft=method.peft, axes=of_point, adapter=_arguments(method, of_point), training=trained)
            if isinstance(method, PeftMethod)
            else WeightsVariant(trains=method.trains, axes=of_point, training=trained)
        )
    return variants


def _of_any(method: Method) -> set[str]:
    """Return the axes that a grid may give a method whose file has none of them."""
    if not isinstance(method, PeftMethod):
        return {LEARNING_RATE}
    return {LEARNING_RATE, "connector"} | ({"location"} & PEFT_TYPES[method.peft].axes.keys())


def _variant_name(method: str, point: Mapping[str, int | float | str]) -> str:
    written = {"rank": "r{}", "location": "{}", "connector": "{}-connector", LEARNING_RATE: "lr{:g}", "bits": "{}bit"}
    return "-".join([method, *(written.get(axis, axis + "{}").format(value) for axis, value in point.items())])


def _arguments(method: PeftMethod, point: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of the config class of a type at one point of the axes."""
    kind, arguments = PEFT_TYPES[method.peft], dict(method.adapter)
    for axis, keys in kind.axes.items():
        if axis in point:
            arguments |= {key: round(factor * point[axis]) for key, factor in keys.items()}
    if "rank" in point and method.alpha_over_rank and kind.alpha:
        arguments[kind.alpha] = method.alpha_over_rank * point["rank"]
    return arguments


def check_parts(grid: Sequence[GridPart]) -> None:
    """Refuse a part that finetunes nothing because one or two of its lists are empty."""
    for number, part in enumerate(grid, start=1):
        empty = [key for key in ("datasets", "methods", "seeds") if not getattr(part, key)]
        if len(empty) in (1, 2):
            raise DefinitionError(
                f"config: grid: part {number} finetunes nothing, for it has no {' and no '.join(empty)}; write "
                "some, as seeds: [1], or leave datasets, methods and seeds empty for the base alone"
            )


def expand_grid(
    grid: Sequence[GridPart],
    models: Mapping[str, Model],
    datasets: Mapping[str, Dataset],
    methods: Mapping[str, Method],
    training: TrainingSettings,
    tasks: Sequence[str],
) -> tuple[list[Run], dict[str, MethodVariant]]:
    """Return all runs of the grid, baselines first, and all method variants, by name.

    A run that several parts have is asked the tasks of them all, and a baseline those of all parts with its model. A
    model that answers nothing before it is finetuned has no baseline.
    `tasks` are the config's. Raises DefinitionError for a model, dataset or method without a file, and for a part's
    task that is none of `tasks`.
    """
    for part in grid:
        pick(part.models, models, "config: grid: models", "config/models/")
        pick(list(part.datasets), datasets, "config: grid: datasets", "config/datasets/")
        pick(list(part.methods), methods, "config: grid: methods", "config/methods/")
        pick(part.tasks or [], dict.fromkeys(tasks), "config: grid: tasks", "the config's tasks: ")
    check_untouched(grid, models)
    untouched = [(part, name) for part in grid for name in part.models if answers_untouched(models[name])]
    runs: list[tuple[Run, Sequence[str] | None]] = [(Run.baseline(name), part.tasks) for part, name in untouched]
    variants: dict[str, MethodVariant] = {}
    family_of: dict[str, str] = {}
    for part in grid:
        families: dict[str, tuple[str, MethodVariant]] = {}
        for family, axes in part.methods.items():
            for name, variant in method_variants(family, methods[family], axes, training).items():
                if family_of.setdefault(name, family) != family:
                    raise DefinitionError(
                        f"config: grid: methods: {family} and {family_of[name]} both have a variant {name}; rename one "
                        "of their files in config/methods/"
                    )
                families[name] = family, variant
        variants |= {name: variant for name, (_, variant) in families.items()}
        sizes = mixtures_of([part], datasets)
        for model, dataset, name, seed in itertools.product(part.models, sizes, families, part.seeds):
            family, variant = families[name]
            axes, file = {**variant.axes, **sizes[dataset].axes}, sizes[dataset].dataset
            asked = tasks_asked(model, models[model], file, datasets[file], part.tasks, tasks)
            runs.append((Run(model, dataset, name, seed, family, axes), asked))
    return _with_tasks(runs, tasks), variants


def mixtures_of(grid: Sequence[GridPart], datasets: Mapping[str, Dataset]) -> dict[str, StudyMixture]:
    """Return the datasets of a grid at all its sizes, by name. Raises DefinitionError for a name that a file has."""
    sizes: dict[str, StudyMixture] = {}
    for part in grid:
        named = part.datasets if isinstance(part.datasets, dict) else dict.fromkeys(part.datasets)
        for name, axes in named.items():
            variants = dataset_variants(name, datasets[name], axes)
            if taken := [variant for variant in variants if variant != name and variant in datasets]:
                raise DefinitionError(
                    f"config: grid: datasets: a size of {name} is named as config/datasets/{taken[0]}.yaml; rename one"
                )
            sizes |= variants
    return sizes


def _with_tasks(runs: Sequence[tuple[Run, Sequence[str] | None]], tasks: Sequence[str]) -> list[Run]:
    """Return each run once, with the tasks of all parts that have it, in the order of `tasks`."""
    asked: dict[str, set[str]] = {}
    for run, named in runs:
        asked.setdefault(run.path, set()).update(tasks if named is None else named)
    by_path = {run.path: run for run, _ in runs}
    return [replace(run, tasks=tuple(task for task in tasks if task in asked[path])) for path, run in by_path.items()]
