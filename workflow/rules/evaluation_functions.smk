"""Functions of the evaluation rules: their inputs and params."""

from maple.study.first_rows import check_first_rows


def fetched_task(wildcards):
    """The fetched repositories that hold a task's rows; ends Snakemake if its templates fail on the first rows."""
    check_rows(wildcards.task, wildcards.language)
    return fetched_rows(task_places(wildcards).sources(), f"task {wildcards.task}", wildcards.language)


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


def test_source(wildcards):
    """The place of a task's test rows in the language."""
    return task_places(wildcards).test.source


def place_of_tests(wildcards, resources):
    """Where a task's test rows lie, which Snakemake does not compare (DIGESTS)."""
    return test_source(wildcards).params()


def places_of_guarded(wildcards, resources):
    """Where the test rows of the study's tasks lie, which Snakemake does not compare (DIGESTS)."""
    return {task: test.params() for task, test in guarded(wildcards).items()}


def words_of_task(wildcards):
    """The words of the language and of English that the task's file names. An edit of other words renders nothing."""
    return STUDY.tasks[wildcards.task].words(wildcards.language, STUDY.languages, STUDY.config.prompt_language)


def attached_adapter(wildcards):
    """The adapter that is attached to the base while a run generates; none for a merged run or a baseline."""
    method = STUDY.methods.get(wildcards.method)
    return f"results/adapters/{run_key(wildcards).path}" if method and method.attached else []


def shared_card(wildcards):
    """The run card of the job that generates for all attached runs of the base; none if this run has its own engine."""
    method = STUDY.methods.get(wildcards.method)
    return f"results/cards/generate_attached/{wildcards.model}.json" if method and method.shares_engine else []


def completions_of(run):
    """A run's files of completions, by language: `generate_attached` only reads them, `generate` writes them."""
    return {code: f"results/generations/{run.path}/{code}.parquet" for code in CODES}


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
