"""The rows of a study that lie on disk, and those of them that are not there."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from maple.data.sources import LocalSource, RowFolders, RowSource
from maple.evaluation.task_pictures import SplitPictures
from maple.study.pictures import parts_of_pictures, places_of_pictures
from maple.study.study import Study

# Files that a message names; the others are counted.
NAMED = 20


@dataclass(frozen=True)
class LocalFile:
    """A file of rows that a study reads, or a folder of pictures that they name."""

    reader: str
    """The task or the dataset, as "task xnli"."""
    language: str
    path: str
    is_folder: bool = False

    @property
    def readable(self) -> bool:
        """True if the file or the folder is there and can be opened."""
        there = Path(self.path).is_dir() if self.is_folder else Path(self.path).is_file()
        return there and os.access(self.path, os.R_OK)


def local_files(sources: Iterable[RowSource | None], reader: str, language: str) -> list[LocalFile]:
    """Return the files among the places of a reader's rows in one language."""
    local = [source.local for source in sources if isinstance(source, LocalSource)]
    paths = [(rows.path, rows.target_path, rows.join.file if rows.join else "") for rows in local]
    return [LocalFile(reader, language, path) for of_rows in paths for path in of_rows if path]


def picture_folders(places: Iterable[SplitPictures], reader: str) -> list[LocalFile]:
    """Return the folders of the pictures that rows name."""
    return [LocalFile(reader, place.language, place.folder, is_folder=True) for place in places if place.folder]


def files_of_study(study: Study, folders: RowFolders) -> Iterator[LocalFile]:
    """Yield all files of rows that a study's jobs read, and the folders of their pictures."""
    languages = study.languages
    for task in study.tasks.values():
        for code in task.languages:
            yield from local_files(task.places(code, languages, folders).sources(), f"task {task.name}", code)
    for dataset in study.datasets.values():
        for code in dataset.languages:
            reader = f"dataset {dataset.name}"
            yield from local_files([dataset.rows(code, languages, folders)], reader, code)
            for places in dataset.training_places(code, languages, folders):
                yield from local_files(places.sources(), reader, code)
            tests = {**study.guarded(code, folders), **dataset.decontamination(code, languages, folders).tests}
            for task, test in tests.items():
                yield from local_files(test.sources, f"task {task}", code)
    for task, part in parts_of_pictures(study):
        yield from picture_folders(places_of_pictures(study, task, part, folders), f"task {task.name}")


def refusal_of_missing_rows(study: Study, folders: RowFolders) -> str:
    """Return a message that names all files of rows which are not there, with task or dataset and language."""
    data = study.config.data
    missing: dict[str, LocalFile] = {}
    for file in files_of_study(study, folders):
        if not file.readable:
            missing.setdefault(file.path, file)
    if data is None:
        why = "the config has no `data`, the folder in which local rows lie; write it"
    elif not Path(data).is_dir():
        why = f"the config's `data` names {data}, which is no folder; mend it"
    else:
        why = f"put them there, or mend the config's `data` ({data}) or `path` of the local source"
    lines = [f"{file.reader}, {file.language}: {file.path}" for file in missing.values()]
    more = [f"and {len(lines) - NAMED} more"] if len(lines) > NAMED else []
    files = "1 file" if len(lines) == 1 else f"{len(lines)} files"
    return "\n  ".join([f"{files} of rows cannot be read: {why}", *lines[:NAMED], *more])
