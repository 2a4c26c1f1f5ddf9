"""The questions of a study, with every name in them looked up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from maple.definitions.dataset import DatasetAxes
from maple.definitions.errors import DefinitionError
from maple.definitions.method import GridAxes
from maple.definitions.model import Model
from maple.definitions.question import Label, Question, RankingQuestion, Reference, RunSelection
from maple.definitions.reading import check_name, parse, pick, read_yaml
from maple.models.kind import KINDS

# The axes of a grid, by which runs are selected.
AXES = {**GridAxes.model_fields, **DatasetAxes.model_fields}
_PLACE_OF_AXES = "config/methods/ and config/datasets/"


@dataclass(frozen=True)
class Known:
    """What a question may name."""

    models: Mapping[str, Model]
    datasets: Mapping
    methods: Mapping
    tasks: Mapping
    languages: Mapping
    """Rows of config/languages.tsv by code."""


def study_questions(names: Sequence[str], folder: Path, known: Known) -> dict[str, Question]:
    """Read the questions `names` from `folder` (config/), which stay in this order; files of others are not read.

    A selection by kinds of models becomes one by names of models, since runs are known by these. Raises DefinitionError
    for a question without a file, and for a kind, model, dataset, method, task or language that is not there.
    """
    paths = {path.stem: path for path in sorted((folder / "questions").glob("*.yaml"))}
    questions = {}
    for name, path in pick(list(names), paths, "config: questions", "config/questions/").items():
        check_name(name, path)
        questions[name] = _looked_up(parse(Question, read_yaml(path), path), f"config/questions/{name}.yaml", known)
    return questions


def _looked_up(question: Question, file: str, known: Known) -> Question:
    resolved: dict[str, object] = {}
    for key in type(question).model_fields:
        value = getattr(question, key)
        if isinstance(value, RunSelection):
            resolved[key] = _by_name(value, f"{file}: {key}", known)
        if isinstance(value, Reference):
            pick([value.method], known.methods, f"{file}: {key}.method", "config/methods/")
        if isinstance(value, Reference | RunSelection):
            pick(list(value.axes), AXES, f"{file}: {key}.axes", _PLACE_OF_AXES)
    if isinstance(question, RankingQuestion) and question.of not in get_args(Label):
        pick([question.of], AXES, f"{file}: of", f"{', '.join(get_args(Label))}, and the axes of {_PLACE_OF_AXES}")
    if isinstance(codes := question.cells.languages, list):
        pick(codes, known.languages, f"{file}: cells.languages", "config/languages.tsv")
    pick(question.cells.tasks or [], known.tasks, f"{file}: cells.tasks", "config/tasks/")
    stated = question.model_fields_set
    return question.model_copy(update={key: value for key, value in resolved.items() if key in stated})


def _by_name(selection: RunSelection, place: str, known: Known) -> RunSelection:
    for key, folder in (("models", known.models), ("datasets", known.datasets), ("methods", known.methods)):
        pick(getattr(selection, key) or [], folder, f"{place}.{key}", f"config/{key}/")
    if selection.kinds is None:
        return selection
    pick(selection.kinds, KINDS, f"{place}.kinds", "maple/models/kind.py")
    of_kind = [name for name, model in known.models.items() if model.kind in selection.kinds]
    models = [name for name in of_kind if selection.models is None or name in selection.models]
    if not models:
        raise DefinitionError(f"{place}: no model of config/models/ fits; their kinds are {_kinds(known)}")
    stated = {key: value for key, value in selection.params().items() if key != "kinds"}
    return RunSelection.model_validate(stated | {"models": models})


def _kinds(known: Known) -> str:
    return ", ".join(sorted({model.kind for model in known.models.values()}))
