"""The pictures of a study: who sees them, and where those of each task come from."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from maple.data.sources import EmbeddedSource, RowFolders, Split, picture_folder, resolve
from maple.definitions.config import Config
from maple.definitions.dataset import Dataset
from maple.definitions.errors import DefinitionError
from maple.definitions.language import Language
from maple.definitions.model import Model
from maple.definitions.reading import read_yaml
from maple.definitions.run import Run
from maple.definitions.task import EmbeddedRows, Task
from maple.embedded.pictures import words_of_task
from maple.evaluation.task_pictures import SplitPictures
from maple.evaluation.training_rows import EMBEDDED_ROWS
from maple.models.kind import KINDS
from maple.study.corpora import pictured_corpora
from maple.study.datasets import StudyDataset
from maple.study.languages import Languages
from maple.study.study import Study
from maple.study.tasks import StudyTask

WORDS = "config/pictures.yaml"
# The pictures of rows that models are asked, and of rows that datasets learn. They lie apart, so that another number of
# items to ask trains nothing anew.
Part = Literal["asked", "learnt"]


def check_sight(
    runs: Iterable[Run], models: Mapping[str, Model], datasets: Mapping[str, Dataset], tasks: Mapping[str, Task]
) -> None:
    """Refuse pictures for a model that sees none: in its dataset, and in a task; `datasets` by the runs' dataset."""
    for run in runs:
        kind = models[run.model].kind
        if KINDS[kind].sees:
            continue
        seeing = " or ".join(name for name, facts in KINDS.items() if facts.sees) or "one that sees"
        what = f"config: grid: {run.model} is of the kind {kind}, which sees no pictures"
        if not run.is_baseline and datasets[run.dataset].recipe == "pictures":
            raise DefinitionError(
                f"{what}, and the dataset {run.dataset} has recipe pictures; name another for it, or a model of the "
                f"kind {seeing}"
            )
        for task in run.tasks:
            if tasks[task].pictures:
                raise DefinitionError(
                    f"{what}, and config/tasks/{task}.yaml asks about some; name others under `tasks` of its part of "
                    f"the grid, or a model of the kind {seeing}"
                )


def check_pictured_tasks(tasks: Mapping[str, Task], config: Config) -> None:
    """Refuse demonstrations of a task with pictures: they would stand in the prompt without theirs."""
    for name, task in tasks.items():
        if task.pictures and config.shots.get(name, 0):
            raise DefinitionError(
                f"config: shots.{name}: a demonstration has no picture, and config/tasks/{name}.yaml asks about "
                "pictures; write 0"
            )


def read_picture_words(
    languages: Languages,
    folder: Path,
    tasks: Iterable[StudyTask],
    datasets: Iterable[StudyDataset],
    models: Mapping[str, Model],
) -> dict[str, dict]:
    """Return the words of `folder`/pictures.yaml with the identity of their language, by code.

    There are none if nothing needs any.

    Raises DefinitionError for a language that a task is asked or learnt in, also by a base, and that lacks words.
    """
    asked = [(task, task.languages) for task in tasks]
    learnt = [(task, dataset.languages) for dataset in datasets for task in dataset.learnt]
    needed = [
        (task.name, codes, f"`sources.embedded.languages` in config/tasks/{task.name}.yaml")
        for task, codes in asked + learnt
        if task.embedded and task.definition.pictures
    ]
    needed += [
        (task, corpus.languages, f"`build.languages` in config/models/{model}.yaml, and of the config's `languages`")
        for model, corpus in pictured_corpora(models, languages).items()
        for task in corpus.tasks
    ]
    if not needed:
        return {}
    blocks = read_yaml(folder / "pictures.yaml")
    table: Mapping[str, Language] = languages.table
    words = {code: table[code].identity.params() | block for code, block in blocks.items() if code in table}
    for task, codes, place in needed:
        for code in codes:
            if code not in words:
                raise DefinitionError(
                    f"{WORDS}: has no {code}; add its block, as eng_Latn's, or leave the language out of {place}"
                )
            try:
                words_of_task(task, words[code])
            except ValueError as error:
                raise DefinitionError(str(error)) from None
    return words


def pictured_tasks(study: Study) -> dict[str, StudyTask]:
    """Return the tasks with pictures that a study asks, or whose rows its datasets learn."""
    learnt = {task.name: task for dataset in study.datasets.values() for task in dataset.learnt}
    return {name: task for name, task in {**learnt, **study.tasks}.items() if task.definition.pictures}


def learning(study: Study, task: str) -> list[StudyDataset]:
    """Return the datasets that learn rows of a task."""
    return [dataset for dataset in study.datasets.values() if task in {one.name for one in dataset.learnt}]


def parts_of_pictures(study: Study) -> list[tuple[StudyTask, Part]]:
    """Return the tasks with pictures and their parts of which a study needs the pictures.

    A dataset of rows that others published may learn no test picture of any task.
    """
    compared = any(one.definition.recipe == "pictures" and not one.embedded for one in study.datasets.values())
    parts: list[tuple[StudyTask, Part]] = []
    for name, task in pictured_tasks(study).items():
        if name in study.tasks or compared:
            parts.append((task, "asked"))
        if learning(study, name):
            parts.append((task, "learnt"))
    return parts


def places_of_pictures(study: Study, task: StudyTask, part: Part, folders: RowFolders) -> list[SplitPictures]:
    """Return where the rows of a task with pictures lie, by split and language.

    Rows of test splits are compared with those that are learnt: of the embedded world EMBEDDED_ROWS items, of other
    sources all, also of a task that the study does not ask.
    """
    datasets = learning(study, task.name)
    if isinstance(task.source, EmbeddedRows):
        items: dict[Split, int | None] = {"test": task.settings.items}
        if part == "learnt":
            rows = max((dataset.max_rows or 0 for dataset in datasets), default=0)
            items = {"train": rows, "dev": EMBEDDED_ROWS, "test": EMBEDDED_ROWS}
        return [_drawn(split, number) for split, number in items.items()]
    learnt = [code for dataset in datasets for code in dataset.languages]
    asked = study.tasks[task.name].languages if task.name in study.tasks else []
    codes = dict.fromkeys(learnt if part == "learnt" else [*asked, *learnt])
    splits: Sequence[Split] = ("train", "dev") if part == "learnt" else ("test",)
    named = [_named(study, task, code, split, folders) for code in codes for split in splits]
    return [place for place in named if place]


def _drawn(split: Split, items: int | None) -> SplitPictures:
    return SplitPictures(language="", split=split, source=EmbeddedSource(embedded={}), items=items)


def _named(study: Study, task: StudyTask, code: str, split: Split, folders: RowFolders) -> SplitPictures | None:
    """Return where the rows of a split lie in a language; None if there are none."""
    source, identity = task.source, study.languages.identity(code)
    without = split == "dev" and not isinstance(source, EmbeddedRows) and code in source.without_dev
    rows = None if without else resolve(source, identity, folders, split)
    if rows is None:
        return None
    return SplitPictures(
        language=code, split=split, source=rows, folder=picture_folder(source, identity, folders, split)
    )
