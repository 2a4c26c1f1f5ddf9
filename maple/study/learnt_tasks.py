"""Tasks whose train rows are datasets of a study."""

from collections.abc import Collection, Mapping

from maple.definitions.config import Config
from maple.definitions.dataset import Dataset, TaskDataset
from maple.definitions.errors import DefinitionError
from maple.definitions.language import Language
from maple.definitions.reading import pick
from maple.definitions.task import Task
from maple.study.checks import check_places
from maple.study.datasets import check_training_task
from maple.study.languages import Languages
from maple.study.tasks import StudyTask, check_task, offered_languages, study_task


def learnt_tasks(
    names: Collection[str],
    datasets: Mapping[str, Dataset],
    tasks: Mapping[str, Task],
    config: Config,
    languages: Languages,
) -> dict[str, StudyTask]:
    """Return the tasks whose train rows are datasets of the grid, by dataset."""
    learnt = {}
    for name, definition in datasets.items():
        if isinstance(definition, TaskDataset) and name in names:
            task = definition.task.name
            pick([task], tasks, f"config/datasets/{name}.yaml: task.name", "config/tasks/")
            check_task(task, tasks[task], config, languages.table)
            check_places(f"config/tasks/{task}.yaml: sources", tasks[task].sources.params(), "split")
            learnt[name] = study_task(task, tasks[task], config, languages, kinds=())
            check_training_task(name, definition, learnt[name])
    return learnt


def offered_codes(
    name: str, codes: list[str], definition: Dataset, task: StudyTask, table: Mapping[str, Language]
) -> list[str]:
    """Return the languages of a task's dataset: those stated, or with `all` those of the study that the task offers."""
    offered = offered_languages(task.source, table)
    missing = [code for code in codes if code not in offered]
    if missing and (definition.languages != "all" or len(missing) == len(codes)):
        raise DefinitionError(
            f"config/datasets/{name}.yaml: languages: task {task.name} does not offer {', '.join(missing)} from the "
            "source that task_source chose; leave it out, or write others"
        )
    return [code for code in codes if code in offered]
