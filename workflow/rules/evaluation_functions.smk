"""Functions of the evaluation rules: their inputs and params."""

from maple.study.first_rows import check_first_rows
from maple.study.local_rows import picture_folders


def fetched_task(wildcards):
    """The fetched repositories that hold a task's rows; ends Snakemake if its templates fail on the first rows."""
    check_rows(wildcards.task, wildcards.language)
    return fetched_rows(task_places(wildcards).sources(), f"task {wildcards.task}", wildcards.language)


def prompt_of_task(wildcards):
    """What a task's file says of its prompts."""
    return STUDY.tasks[wildcards.task].prompt_spec.params()


def settings_of_task(wildcards):
    """What the config says of a task in the language."""
    return STUDY.tasks[wildcards.task].settings_in(wildcards.language).params()


def rows_of_task(wildcards):
    """A task's rows by their content."""
    return task_places(wildcards).params(DIGESTS)


def places_of_task(wildcards, resources):
    """Where a task's rows lie, which Snakemake does not compare (DIGESTS)."""
    return task_places(wildcards).params()


@cache
def check_rows(task, code):
    """Refuse a task whose templates fail on the first rows that are there, or without dev rows that it needs."""
    try:
        check_first_rows(STUDY.tasks[task], code, STUDY.languages, FOLDERS, STUDY.config.prompt_language)
    except DefinitionError as error:
        sys.exit(str(error))  # an error of Snakemake's own it drops while there are outputs of an earlier study


def asked_pictures(wildcards):
    """The pictures of a task's rows; none for a task without any."""
    return pictures_of([wildcards.task], "asked")


def pictured_task(wildcards):
    """What a task's file says of its pictures."""
    task = PICTURED_TASKS[wildcards.task]
    return {"name": task.name, "pictures": task.prompt_spec.pictures, "max_faulty": task.prompt_spec.max_faulty}


def picture_places(wildcards):
    """The places of the rows of a task with pictures, that are asked or learnt."""
    return places_of_pictures(STUDY, PICTURED_TASKS[wildcards.task], wildcards.part, FOLDERS)


def fetched_pictures(wildcards):
    """The fetched repositories with these rows; ends Snakemake if local rows or their pictures are not there."""
    places, reader = picture_places(wildcards), f"task {wildcards.task}"
    paths = [path for place in places for path in fetched_rows([place.source], reader, place.language)]
    if workflow.is_main_process and not all(folder.readable for folder in picture_folders(places, reader)):
        sys.exit(refusal_of_missing_rows(STUDY, FOLDERS))
    return list(dict.fromkeys(paths))


def rows_of_pictures(wildcards):
    """These rows and the pictures in their folders, by their content."""
    return [place.params(DIGESTS) for place in picture_places(wildcards)]


def places_of_rows_of_pictures(wildcards, resources):
    """Where they lie, which Snakemake does not compare (DIGESTS)."""
    return [place.params() for place in picture_places(wildcards)]


def test_source(wildcards):
    """The place of a task's test rows in the language."""
    return task_places(wildcards).test.source


def fetched_test(wildcards):
    """The fetched repository that holds a task's test rows; none for rows of another source."""
    return fetched_rows([test_source(wildcards)], f"task {wildcards.task}", wildcards.language)


def clustering_of_task(wildcards):
    """What a task's file says of the items that share a text."""
    return STUDY.tasks[wildcards.task].clustering.params()


def test_rows(wildcards):
    """A task's test rows by their content."""
    return test_source(wildcards).params(DIGESTS)


def place_of_tests(wildcards, resources):
    """Where a task's test rows lie, which Snakemake does not compare (DIGESTS)."""
    return test_source(wildcards).params()


def fetched_guarded(wildcards):
    """The fetched repositories that hold test rows of the study's tasks."""
    return fetched_tests(guarded(wildcards), wildcards.language)


def rows_of_guarded(wildcards):
    """The test rows of the study's tasks by their content."""
    return {task: test.params(DIGESTS) for task, test in guarded(wildcards).items()}


def places_of_guarded(wildcards, resources):
    """Where the test rows of the study's tasks lie, which Snakemake does not compare (DIGESTS)."""
    return {task: test.params() for task, test in guarded(wildcards).items()}


def words_of_task(wildcards):
    """The words of the language and of English that the task's file names. An edit of other words renders nothing."""
    return STUDY.tasks[wildcards.task].words(wildcards.language, STUDY.languages, STUDY.config.prompt_language)


def prompts_of_run(wildcards):
    """The prompts of the tasks that a run is asked."""
    return [path for task in RUN_BY_PATH[run_key(wildcards).path].tasks for path in PROMPTS_OF_TASKS[task]]


def pictures_of_run(wildcards):
    """The pictures of these tasks, of which the prompts hold the files and their digests."""
    return pictures_of(RUN_BY_PATH[run_key(wildcards).path].tasks, "asked")


def answers_of_run(wildcards):
    """The answer modes of a run, by task that it is asked: those of its kind of model, so that a model of another kind
    that joins the study changes nothing here."""
    return STUDY.answers(RUN_BY_PATH[run_key(wildcards).path])


def engine_settings(wildcards):
    """The settings of a run's engine."""
    return STUDY.settings(wildcards.method, wildcards.model)


def shared_settings(wildcards):
    """The settings of the engine that attaches adapters to a base in turn."""
    first, *_ = RUNS_ON_ONE_ENGINE[wildcards.model]
    return STUDY.settings(first.method, wildcards.model)


def attached_adapter(wildcards):
    """The adapter that is attached to the base while a run generates; none for a merged run or a baseline."""
    method = STUDY.methods.get(wildcards.method)
    return f"results/adapters/{run_key(wildcards).path}" if method and method.attached else []


def answering_code(wildcards):
    """The digests of the modules of a model's kind, and of this project's modules that an attached adapter needs."""
    own = modules_of(STUDY.methods[wildcards.method].variant)[1:] if attached_adapter(wildcards) else []
    return [*kind_code(wildcards), *(code_of(f"maple/methods/{name}.py") for name in own)]


def shared_card(wildcards):
    """The run card of the job that generates for all attached runs of the base; none if this run has its own engine."""
    shares = run_key(wildcards).path in {run.path for run in RUNS_ON_ONE_ENGINE[wildcards.model]}
    return f"results/cards/generate_attached/{wildcards.model}.json" if shares else []


def shared_adapters(wildcards):
    """The adapters that one engine attaches to a base in turn."""
    return for_runs("results/adapters/{run}", RUNS_ON_ONE_ENGINE[wildcards.model])


def shared_clearances(wildcards):
    """The clearances of all their datasets."""
    runs = RUNS_ON_ONE_ENGINE[wildcards.model]
    return list(dict.fromkeys(path for run in runs for path in clearances(run)))


def shared_model(wildcards):
    """The base, as all of these runs are asked: a run with a frame of its own has an engine of its own."""
    return STUDY.asked_as(RUNS_ON_ONE_ENGINE[wildcards.model][0].key, DIGESTS)


def shared_runs(wildcards):
    """Model, dataset, method and seed of these runs."""
    return [run.key.params() for run in RUNS_ON_ONE_ENGINE[wildcards.model]]


def shared_answers(wildcards):
    """The answer modes of these runs, by task: they are asked all tasks."""
    return STUDY.answers(RUNS_ON_ONE_ENGINE[wildcards.model][0])


def shared_completions(wildcards):
    """These runs' files of completions, by language: `generate_attached` only reads them, `generate` writes them."""
    return [
        {code: f"results/generations/{run.path}/{code}.parquet" for code in CODES}
        for run in RUNS_ON_ONE_ENGINE[wildcards.model]
    ]


def shared_journals(wildcards):
    """These runs' journals."""
    return for_runs("results/generations/{run}/journal.jsonl", RUNS_ON_ONE_ENGINE[wildcards.model])


def model_service(wildcards, resources):
    """How requests are sent to a model behind an endpoint; None for another model.

    These settings change no answer, so no job may run again because of them: Snakemake does not compare params that are
    computed from `resources`.
    """
    return STUDY.endpoint(wildcards.model)


def engine_memory(wildcards, resources):
    """The limits of vLLM's memory. They change no answer; as above, they are not compared."""
    return STUDY.config.generate.memory


def metrics_in_language(code):
    """The metrics of each task that has the language."""
    return {task.name: task.definition.metrics for task in STUDY.tasks.values() if code in task.languages}


def readings_of(tasks):
    """How the answers of tasks are read, of those that say so."""
    return {task: reading for task in tasks if (reading := STUDY.tasks[task].definition.reading)}


def name_of_model(wildcards):
    """The name of a model, for a table that several models share."""
    return wildcards.model


def translations_of(tasks):
    """The translations among tasks, one per language of their rows: the languages to translate from and into."""
    return [
        {"task": task.name, "language": code, **task.pair(code, STUDY.languages).params()}
        for task in map(STUDY.tasks.get, tasks)
        if task.definition.pair
        for code in task.languages
    ]


def translations_of_run(wildcards):
    """The translations that a run is asked."""
    return translations_of(RUN_BY_PATH[run_key(wildcards).path].tasks)


def answer_languages_of_run(wildcards):
    """The languages of the answers of a run's tasks that state one."""
    asked = {name: STUDY.tasks[name].definition.answer_language for name in RUN_BY_PATH[run_key(wildcards).path].tasks}
    return {name: STUDY.languages.identity(code).params() for name, code in asked.items() if code}


def prompts_of_translations(wildcards):
    """Their prompts, which hold the texts to translate."""
    return [f"results/prompts/{each['task']}/{each['language']}.parquet" for each in translations_of_run(wildcards)]


def round_trips_of_run(wildcards):
    """The references of these translations as the model's tokenizer gives them back; none for an endpoint's model."""
    has_tokenizer = STUDY.endpoint(wildcards.model) is None
    return f"results/round_trips/{wildcards.model}.parquet" if has_tokenizer and translations_of_run(wildcards) else []
