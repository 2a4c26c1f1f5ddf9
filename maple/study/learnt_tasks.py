"""Tasks whose train rows are datasets of a study."""

from collections.abc import Collection, Mapping, Sequence

from maple.definitions.config import Config
from maple.definitions.dataset import Dataset, LearntDataset, ParallelDataset, PicturesDataset, TaskDataset
from maple.definitions.errors import DefinitionError
from maple.definitions.language import Language
from maple.definitions.reading import pick
from maple.definitions.task import OWN, EmbeddedRows, Task
from maple.embedded.pictures import PICTURES
from maple.embedded.tasks import LEARNABLE
from maple.evaluation.back_translation import SOURCE
from maple.study.checks import check_places
from maple.study.datasets import StudyDataset, StudyMixture
from maple.study.languages import Languages
from maple.study.tasks import StudyTask, check_task, offered_languages, study_task

# The learnt tasks of each dataset, by its name.
LearntTasks = Mapping[str, tuple[StudyTask, ...]]


def learnt_tasks(
    names: Collection[str],
    datasets: Mapping[str, Dataset],
    tasks: Mapping[str, Task],
    config: Config,
    languages: Languages,
) -> LearntTasks:
    """Return the tasks whose train rows are datasets of the grid, by dataset.

    Raises DefinitionError for a task that is not there, one that the recipe cannot learn, and one without train rows.
    """
    learnt = {}
    for name, definition in datasets.items():
        if name not in names or not isinstance(definition, LearntDataset):
            continue
        named = _named(definition)
        for task in named:
            pick([task], tasks, f"config/datasets/{name}.yaml: {_key(definition, task)}", "config/tasks/")
            check_task(task, tasks[task], config, languages.table)
            check_places(f"config/tasks/{task}.yaml: sources", tasks[task].sources.params(), "split")
        learnt[name] = tuple(study_task(task, tasks[task], config, languages, models={}) for task in named)
        for task in learnt[name]:
            _check_recipe(name, definition, task)
            _check_rows(name, definition, task)
    return learnt


def _named(definition: LearntDataset) -> list[str]:
    """Return the tasks that a dataset's file names."""
    if isinstance(definition, TaskDataset):
        return [definition.task.name]
    return definition.pictures.tasks if isinstance(definition, PicturesDataset) else definition.tasks


def _key(definition: LearntDataset, task: str) -> str:
    """Return the key of a dataset's file that names a task."""
    if isinstance(definition, TaskDataset):
        return "task.name"
    if isinstance(definition, PicturesDataset):
        return "pictures.tasks"
    return "parallel.tasks" if task in definition.parallel.tasks else "back_translate.tasks"


def _limits(definition: LearntDataset, task: str) -> dict[str, int | None]:
    """Return the numbers of train rows of a task to keep, None for all, by the key that has them."""
    if isinstance(definition, TaskDataset):
        return {"task.max_rows": definition.task.max_rows}
    if isinstance(definition, PicturesDataset):
        return {"pictures.max_rows": definition.pictures.max_rows}
    parts = {"parallel": definition.parallel, "back_translate": definition.back_translate}
    return {f"{key}.max_rows": part.max_rows for key, part in parts.items() if part and task in part.tasks}


def _check_recipe(name: str, definition: LearntDataset, task: StudyTask) -> None:
    """Refuse translations and pictures for the recipe of labelled rows, and other tasks for that of each of them."""
    place = f"config/datasets/{name}.yaml: {_key(definition, task.name)}: {task.name}"
    pair = task.definition.pair
    if isinstance(definition, TaskDataset):
        if pair:
            raise DefinitionError(f"{place} is a translation task; write recipe: parallel")
        if task.definition.pictures:
            raise DefinitionError(f"{place} asks about pictures; write recipe: pictures")
        return
    if isinstance(definition, PicturesDataset):
        if not task.definition.pictures:
            raise DefinitionError(
                f"{place} asks about no pictures: config/tasks/{task.name}.yaml has no `pictures`; name another task"
            )
        return
    missing = [key for key, value in (("pair", pair), ("domain", task.definition.domain)) if not value]
    if missing:
        raise DefinitionError(
            f"{place} is no translation task of a domain: config/tasks/{task.name}.yaml has no "
            f"{' and no '.join(missing)}; write them there, or name another task"
        )
    if definition.back_translate and task.name in definition.back_translate.tasks:
        _check_back_translated(name, task)


def _check_back_translated(name: str, task: StudyTask) -> None:
    """Refuse a translation out of the rows' language, and one whose source text is not the field `source` alone."""
    place, pair = f"config/datasets/{name}.yaml: back_translate.tasks: {task.name}", task.definition.pair
    if pair and pair.target != OWN:
        raise DefinitionError(
            f"{place} translates into {pair.target}: only targets in the rows' own language are translated back; name "
            "a task with `pair: {source: ..., target: own}`"
        )
    if [text.strip("{} ") for text in task.definition.texts] != [SOURCE]:
        raise DefinitionError(
            f"{place}: a translated text takes the place of the field {SOURCE!r}, and texts of config/tasks/"
            f'{task.name}.yaml reads another; write texts: ["{{{{ {SOURCE} }}}}"], or name another task'
        )


def _check_rows(name: str, definition: LearntDataset, task: StudyTask) -> None:
    """Refuse a task without train or test rows, one whose rows are repaired, and embedded rows without a number."""
    key, file = _key(definition, task.name), f"config/tasks/{task.name}.yaml"
    place = f"config/datasets/{name}.yaml"
    if isinstance(task.source, EmbeddedRows):
        if task.name not in (learnable := _learnable(definition)):
            raise DefinitionError(
                f"{place}: {key}: the embedded world has no train rows of {task.name}; it has those of "
                f"{', '.join(learnable)}"
            )
        for limit, rows in _limits(definition, task.name).items():
            if rows is None:
                raise DefinitionError(f"{place}: {limit}: embedded rows have no end; write a number")
    elif not task.source.splits.train:
        raise DefinitionError(
            f"{place}: {key}: {file} names no train rows in the source that task_source chose; write its name of them "
            "under `splits.train`, and {split} in the path, or take another task"
        )
    elif not task.source.splits.test:
        raise DefinitionError(
            f"{place}: {key}: {file} names no test rows in the source that task_source chose, so that nothing could be "
            f"said of what is learnt ({task.definition.domain or task.name}); write its name of them under "
            "`splits.test`, or take another task"
        )
    if task.prompt_spec.repair:
        raise DefinitionError(
            f"{place}: {key}: {file} repairs a field of its test rows; train rows are read unrepaired"
        )


def _learnable(definition: LearntDataset) -> Sequence[str]:
    """Return the tasks of the embedded world that have train rows for a recipe."""
    if isinstance(definition, PicturesDataset):
        return [name for name, task in PICTURES.items() if "train" in task.splits]
    return LEARNABLE


def offered_codes(
    name: str, codes: list[str], definition: Dataset, tasks: Sequence[StudyTask], table: Mapping[str, Language]
) -> list[str]:
    """Return the languages of a dataset of tasks: those stated, or with `all` those of the study that all tasks offer.

    Raises DefinitionError for a stated language that a task does not offer, or if none is left.
    """
    offered = {task.name: offered_languages(task.source, table) for task in tasks}
    missing = {code: task for task, of_task in offered.items() for code in codes if code not in of_task}
    if missing and (definition.languages != "all" or len(missing) == len(codes)):
        raise DefinitionError(
            f"config/datasets/{name}.yaml: languages: task {next(iter(missing.values()))} does not offer "
            f"{', '.join(missing)} from the source that task_source chose; leave it out, or write others"
        )
    return [code for code in codes if code not in missing]


def translations_tested(
    tasks: Sequence[StudyTask], dataset: StudyDataset, code: str, table: Mapping[str, Language]
) -> list[tuple[StudyTask, str]]:
    """Return the translations whose test rows a dataset's pairs in a language must not hold, each once.

    They are those among `tasks`, the study's, and the dataset's own. Each stands with a language: all those of the
    dataset, and those in which the study asks it, since a source text of one is that of another in a parallel set; of
    embedded rows the language alone, for there no two splits share a text.
    """
    asked = {task.name: task for task in tasks if task.definition.pair}
    pairs = []
    for name, task in (asked | {task.name: task for task in dataset.learnt}).items():
        codes = [*dataset.languages, *(asked[name].languages if name in asked else [])]
        offered = offered_languages(task.source, table)
        pairs += [(task, each) for each in dict.fromkeys([code] if dataset.embedded else codes) if each in offered]
    return pairs


def check_mixtures(
    mixtures: Collection[StudyMixture],
    datasets: Mapping[str, Dataset],
    learnt: LearntTasks,
    languages: Mapping[str, Sequence[str]],
) -> None:
    """Refuse domains and directions that no named task has, and sizes above the data as far as their number is known.

    `languages` are the codes of each dataset. Raises DefinitionError.
    """
    for mixture in mixtures:
        definition = datasets[mixture.dataset]
        if not isinstance(definition, ParallelDataset):
            continue
        place = f"config/datasets/{mixture.dataset}.yaml: axes"
        tasks = _of_part(place, mixture, learnt[mixture.dataset])
        limits = [limit for task in tasks for limit in _limits(definition, task.name).items()]
        numbers = [number for _, number in limits]
        most = None if None in numbers else sum(filter(None, numbers)) * len(languages[mixture.dataset])
        if most and mixture.rows and mixture.rows > most:
            stated = " and ".join(f"{key} is {number}" for key, number in dict(limits).items())
            raise DefinitionError(
                f"{place}.rows: {mixture.rows}: there are at most {most} rows, since {stated} per "
                f"task and language ({len(tasks)} tasks, {len(languages[mixture.dataset])} languages); write fewer "
                "there or under `datasets` of the grid, or raise max_rows"
            )


def _of_part(place: str, mixture: StudyMixture, tasks: Sequence[StudyTask]) -> list[StudyTask]:
    """Return the tasks of a mixture's domain and direction; raises DefinitionError if there are none."""
    parts = {
        "domain": (mixture.domain, [task.definition.domain for task in tasks]),
        "direction": (mixture.direction, [task.definition.pair.direction for task in tasks if task.definition.pair]),
    }
    for axis, (wanted, there) in parts.items():
        if wanted is not None and wanted not in there:
            raise DefinitionError(
                f"{place}.{axis}: {wanted!r} is the {axis} of none of parallel.tasks; they have "
                f"{', '.join(dict.fromkeys(there))}; correct it there, or under `datasets` of the grid"
            )
    places = [number for number in range(len(tasks)) if _is_of(parts, number)]
    if not places:
        raise DefinitionError(
            f"{place}: no task of parallel.tasks is of the domain {mixture.domain} in the direction "
            f"{mixture.direction}; leave the combination to a part of the grid that has it, or name such a task"
        )
    return [tasks[number] for number in places]


def _is_of(parts: Mapping[str, tuple[str | None, Sequence[str]]], number: int) -> bool:
    return all(wanted is None or there[number] == wanted for wanted, there in parts.values())
