"""Reading a study: the definitions that a config names, checked before any job is planned."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from maple.data.contamination import NGRAM_WORDS
from maple.data.sources import RowFolders
from maple.definitions.config import Config
from maple.definitions.dataset import Dataset, HubFiles, LoadedDataset, SelfInstructDataset
from maple.definitions.errors import DefinitionError
from maple.definitions.language import ENGLISH, LanguageIdentity
from maple.definitions.method import Method, MethodVariant
from maple.definitions.model import Model
from maple.definitions.placeholders import Placeholders
from maple.definitions.reading import parse, pick, read_definitions
from maple.definitions.record import WordsByLanguage
from maple.definitions.run import Run
from maple.definitions.task import Task
from maple.study.answer_modes import check_answers, models_asked
from maple.study.architectures import check_architectures
from maple.study.checks import (
    IDENTITY,
    check_config,
    check_endpoints,
    check_frames,
    check_held_out,
    check_path,
    check_places,
    check_prompt,
    check_room,
    check_runs,
)
from maple.study.datasets import (
    StudyDataset,
    Wordings,
    datasets_needed,
    makers,
    ngram_words_of,
)
from maple.study.grid import check_parts, expand_grid, mixtures_of
from maple.study.kinds import check_kinds, check_labels
from maple.study.languages import Languages, check_phrases, read_by_language, read_study_languages
from maple.study.learnt_tasks import check_mixtures, learnt_tasks, offered_codes
from maple.study.methods import check_method, check_training, study_method
from maple.study.model_folders import check_model_folders
from maple.study.pictures import check_pictured_tasks, check_sight, read_picture_words
from maple.study.publishing import published_runs
from maple.study.questions import Known, study_questions
from maple.study.repositories import repositories_of
from maple.study.study import Study
from maple.study.tasks import StudyTask, TaskSource, TestSet, check_task, chosen_source, offered_languages, study_task
from maple.study.translators import (
    check_back_translators,
    check_built,
    check_languages,
    check_new_tags,
    check_tags,
    check_translations,
    languages_of,
)


def read_study(content: Mapping, folder: Path, results: Path = Path("results")) -> Study:
    """Read the definitions that a config names from `folder` (config/), and check them.

    Models that lie in `results` already are checked by their own config.json.

    Raises DefinitionError, one line that names file and key, for:
    an unknown key anywhere, or a name without a file or a row;
    an unknown metric, engine, device or placeholder, or a wrong template;
    a task without the source of rows that the config names;
    demonstrations of a task whose source has no rows for them;
    a language that no task offers, or that lacks the phrases it needs;
    a part of the grid that finetunes nothing because one of its lists is empty;
    a translator that learns or is asked anything but translations, or a language that it has no tag of;
    pictures for a model that sees none;
    a task that a model of the grid cannot answer, as a prompt to generate from that an encoder is asked;
    a method that cannot train at the grid's precisions or on its models, or an engine that cannot attach its adapter;
    a model's folder that is not there, or holds no model;
    a question of which the config or the question names what is not there;
    what would fail only after the training, such as a merge without held-out rows, or texts longer than a model takes.
    """
    config: Config = parse(Config, content, "config")
    languages = read_study_languages(folder, config.languages)
    models = read_definitions(folder / "models", Model)
    datasets = read_definitions(folder / "datasets", Dataset)
    methods = read_definitions(folder / "methods", Method)
    tasks = read_definitions(folder / "tasks", Task)
    selection = pick(config.tasks, tasks, "config: tasks", "config/tasks/")
    check_kinds(models)
    check_tags(models)
    runs, variants = _read_grid(config, models, datasets, methods)
    finetuned = [run for run in runs if not run.is_baseline]
    mixtures = mixtures_of(config.grid, datasets)
    learnt = learnt_tasks({mixture.dataset for mixture in mixtures.values()}, datasets, tasks, config, languages)
    needed = datasets_needed(
        datasets, {mixture.dataset for mixture in mixtures.values()}, languages.codes, languages.table
    )
    needed |= {
        name: offered_codes(name, codes, datasets[name], learnt[name], languages.table)
        for name, codes in needed.items()
        if name in learnt
    }
    check_mixtures(list(mixtures.values()), datasets, learnt, needed)
    tests = _test_sets(config, {name: datasets[name] for name in needed}, selection, tasks, languages)
    for name in needed:
        _check_dataset_paths(name, datasets[name])
    for name, task in selection.items():
        check_task(name, task, config, languages.table)
    check_config(config, list(tasks), folder / "hardware.tsv")
    check_answers(runs, selection, models, config)
    check_endpoints(runs, models, config, selection)
    check_runs(finetuned, variants, models)
    check_labels(finetuned, variants, models, selection)
    learnt_by_run = {name: datasets[mixture.dataset] for name, mixture in mixtures.items()}
    check_translations(runs, models, learnt_by_run, selection)
    check_sight(runs, models, learnt_by_run, selection)
    check_pictured_tasks(selection, config)
    check_new_tags(finetuned, models, variants)
    check_architectures(runs, variants, models, config.generate, results)
    check_frames(runs, variants, models)
    frame = config.finetune.frame
    of_methods = {name: study_method(name, variant, config.generate, frame) for name, variant in variants.items()}
    check_held_out(finetuned, of_methods, learnt_by_run)
    of_study = {
        name: study_task(name, task, config, languages, models_asked(name, runs, models))
        for name, task in selection.items()
    }
    _check_demonstrations(of_study, languages)
    _check_words(of_study.values(), languages, config.prompt_language)
    study_datasets = _study_datasets(folder, needed, datasets, models, tests, languages)
    study_datasets = {name: replace(one, learnt=learnt.get(name, ())) for name, one in study_datasets.items()}
    for name, tasks_learnt in learnt.items():
        of_dataset = [replace(task, languages=study_datasets[name].languages) for task in tasks_learnt]
        _check_words(of_dataset, languages, config.prompt_language)
    codes_learnt = {name: languages_of(study_datasets[mixture.dataset]) for name, mixture in mixtures.items()}
    codes_asked = {name: task.languages for name, task in of_study.items()}
    check_languages(runs, models, selection, codes_asked, codes_learnt, results)
    _check_offers(config, of_study)
    used = [run.model for run in runs] + [
        model for dataset in study_datasets.values() for model in dataset.makers.values()
    ]
    used_models = {name: models[name] for name in dict.fromkeys(used)}
    check_built(used_models, languages.table)
    words = read_picture_words(languages, folder, of_study.values(), study_datasets.values(), used_models)
    languages = replace(languages, pictures=words)
    check_room(of_study, {run.model: models[run.model] for run in runs}, config)
    _check_phrases(config, folder, study_datasets, languages)
    check_model_folders(used_models)
    check_back_translators(study_datasets, used_models, results)
    return Study(
        config=config,
        languages=languages,
        models=used_models,
        methods=of_methods,
        datasets=study_datasets,
        mixtures=mixtures,
        tasks=of_study,
        tests=tests,
        runs=runs,
        repositories=repositories_of(used_models, _hub_rows(of_study, tests, study_datasets, languages)),
        published=published_runs(config.publish, finetuned, of_methods),
        questions=study_questions(config.questions, folder, Known(models, datasets, methods, tasks, languages.table)),
    )


def _read_grid(
    config: Config, models: Mapping[str, Model], datasets: Mapping[str, Dataset], methods: Mapping[str, Method]
) -> tuple[list[Run], dict[str, MethodVariant]]:
    for name in dict.fromkeys(name for part in config.grid for name in part.methods if name in methods):
        check_method(name, methods[name])
    check_parts(config.grid)
    check_training(methods, config.finetune)
    return expand_grid(config.grid, models, datasets, methods, config.finetune, config.tasks)


def _test_sets(
    config: Config,
    datasets: Mapping[str, Dataset],
    selection: Mapping[str, Task],
    tasks: Mapping[str, Task],
    languages: Languages,
) -> dict[str, TestSet]:
    """Return the test rows that datasets must not contain; none for embedded rows, which no published set contains."""
    compared = dict(selection)
    for name, dataset in datasets.items():
        if limit := dataset.curate.decontaminate:
            place = f"config/datasets/{name}.yaml: curate.decontaminate.tasks"
            compared |= pick(limit.tasks, tasks, place, "config/tasks/")
    compared = compared if config.task_source != "embedded" else {}
    sources = {name: chosen_source(name, task, config.task_source) for name, task in {**selection, **compared}.items()}
    for name in sources:
        check_places(f"config/tasks/{name}.yaml: sources", tasks[name].sources.params(), "split")
    return {
        name: TestSet(sources[name], task.fields, task.passage, offered_languages(sources[name], languages.table))
        for name, task in compared.items()
    }


def _check_dataset_paths(name: str, dataset: Dataset) -> None:
    file = f"config/datasets/{name}.yaml"
    if isinstance(dataset, LoadedDataset):
        places = {kind: place for kind, place in dataset.load.params().items() if kind in ("local", "hub")}
        check_places(f"{file}: load", places)
    if isinstance(dataset, SelfInstructDataset) and isinstance(dataset.seed_tasks, str):
        check_path(f"{file}: seed_tasks", dataset.seed_tasks, IDENTITY)


def _study_datasets(
    folder: Path,
    needed: Mapping[str, list[str]],
    datasets: Mapping[str, Dataset],
    models: Mapping[str, Model],
    tests: Mapping[str, TestSet],
    languages: Languages,
) -> dict[str, StudyDataset]:
    file = folder / "self_instruct.yaml"
    prompts = read_by_language(file, dict[str, str], languages.table)
    if ENGLISH not in prompts:
        raise DefinitionError(f"{file}: has no {ENGLISH}; add its prompt, which serves every language without one")
    for code, text in prompts.items():
        check_prompt(text, code, file)
    refusals, unservable = (
        read_by_language(folder / f"{name}.yaml", WordsByLanguage, languages.table)
        for name in ("refusals", "unservable")
    )
    placeholders = read_by_language(folder / "placeholders.yaml", dict[str, Placeholders], languages.table)
    wordings = Wordings(prompts, refusals, unservable, placeholders)
    study_datasets = {}
    for name, codes in needed.items():
        roles = makers(name, datasets[name], models)
        limit = datasets[name].curate.decontaminate
        study_datasets[name] = StudyDataset(
            name=name,
            definition=datasets[name],
            languages=codes,
            makers=roles,
            trusted={role: models[model].trust_remote_code for role, model in roles.items()},
            teaching={
                role: models[model].translating if role == "translator" else models[model].teaching
                for role, model in roles.items()
            },
            tests={task: tests[task] for task in (limit.tasks if limit and tests else [])},
            ngram_words=ngram_words_of(datasets[name]) if tests else NGRAM_WORDS,
            wordings=wordings,
        )
    return study_datasets


def _check_offers(config: Config, tasks: Mapping[str, StudyTask]) -> None:
    offers = {code for task in tasks.values() for code in task.languages}
    if missing := [code for code in config.languages if code not in offers]:
        raise DefinitionError(
            f"config: languages: {', '.join(missing)}: none of the tasks {', '.join(tasks)} offers it from "
            f"`{config.task_source}`; leave it out, or add a task that has it"
        )


def _check_demonstrations(tasks: Mapping[str, StudyTask], languages: Languages) -> None:
    for task in tasks.values():
        for code in task.languages:
            task.places(code, languages, RowFolders(data="", fetched=""))


def _check_words(tasks: Iterable[StudyTask], languages: Languages, prompt_language: str) -> None:
    for task in tasks:
        for code in task.languages:
            task.words(code, languages, prompt_language)


def _check_phrases(config: Config, folder: Path, datasets: Mapping[str, StudyDataset], languages: Languages) -> None:
    needed = [code for dataset in datasets.values() if dataset.embedded for code in (ENGLISH, *dataset.languages)]
    if config.task_source == "embedded":  # with other rows, a built model is pretrained on languages with phrases only
        needed += config.languages
    if needed:
        check_phrases(folder, needed, languages.table)


def _hub_rows(
    tasks: Mapping[str, StudyTask],
    tests: Mapping[str, TestSet],
    datasets: Mapping[str, StudyDataset],
    languages: Languages,
) -> list[tuple[TaskSource | HubFiles, list[LanguageIdentity]]]:
    """Return every source of rows with the languages that are read from it."""
    learnt = {task.name: task for dataset in datasets.values() for task in dataset.learnt}
    sources = {name: task.source for name, task in {**tasks, **learnt}.items()}
    sources |= {name: test.source for name, test in tests.items()}
    rows: list[tuple[TaskSource | HubFiles, list[LanguageIdentity]]] = [
        (source, [languages.identity(code) for code in offered_languages(source, languages.table)])
        for source in sources.values()
    ]
    for dataset in datasets.values():
        if isinstance(dataset.definition, LoadedDataset) and dataset.definition.load.hub:
            identities = [languages.identity(code) for code in dataset.languages]
            rows.append((dataset.definition.load.hub, identities))
    return rows
