"""Functions of the synthesis rules: their inputs and params."""


def models_of_dataset(wildcards):
    """The folders of a dataset's teacher and translator, of those that are models on this machine."""
    return {role: f"results/base/{model}" for role, model in STUDY.datasets[wildcards.dataset].makers.items()}


def english_examples(wildcards):
    """The curated English examples that the recipe `translate_respond` translates; none for other recipes."""
    source = STUDY.datasets[wildcards.dataset].translated_from
    return f"results/examples/{source}/{ENGLISH}.parquet" if source else []


def seed_examples(wildcards):
    """The curated examples of another dataset that `self_instruct` takes as seed tasks; none without such a dataset."""
    source = STUDY.datasets[wildcards.dataset].seeded_from
    return f"results/examples/{source}/{wildcards.language}.parquet" if source else []


def recipe_by_content(wildcards):
    """What a dataset's recipe decides in the language: its settings, and the digest of its rows."""
    return STUDY.datasets[wildcards.dataset].recipe(wildcards.language, STUDY.languages, FOLDERS, DIGESTS)


def recipe_of(wildcards, resources):
    """A dataset's recipe in the language with the path of its rows, which Snakemake does not compare (DIGESTS)."""
    return STUDY.datasets[wildcards.dataset].recipe(wildcards.language, STUDY.languages, FOLDERS)


def fetched_examples(wildcards):
    """The fetched repository that the recipe `load` reads; none for other recipes."""
    rows = STUDY.datasets[wildcards.dataset].rows(wildcards.language, STUDY.languages, FOLDERS)
    return fetched_rows([rows], f"dataset {wildcards.dataset}", wildcards.language)


def places_of_tests(wildcards, resources):
    """The test rows that examples must not overlap with, by path, which Snakemake does not compare (DIGESTS)."""
    return decontamination(wildcards).params()


def teacher_phrases(wildcards):
    """The phrases of the embedded teacher or seed tasks, in the language and in English, from which it translates."""
    phrases = STUDY.languages.phrases if STUDY.datasets[wildcards.dataset].embedded else {}
    return {code: phrases[code] for code in (ENGLISH, wildcards.language) if code in phrases}


def makers_code(wildcards):
    """The digests of the modules of a dataset's teacher and translator: an edit of others synthesizes nothing again."""
    files = [f"{module.replace('.', '/')}.py" for module in modules(STUDY.datasets[wildcards.dataset].recipe_of_all)]
    return [code_of(file) for file in files]


def teacher_service(wildcards, resources):
    """How requests are sent to a dataset's teacher and translator.

    These settings change no answer, so no job may run again because of them: Snakemake does not compare params that are
    computed from `resources`.
    """
    return STUDY.datasets[wildcards.dataset].request_settings


def examples_of_dataset(wildcards):
    """A dataset's curated examples in all its languages."""
    dataset = mixed_dataset(wildcards)
    return [f"results/examples/{dataset.name}/{code}.parquet" for code in dataset.languages]


def mixed_dataset(wildcards):
    """The dataset of a mixture, which has a name of its own at each of its sizes."""
    return STUDY.datasets[STUDY.mixtures[wildcards.dataset].dataset]


def mix_of_dataset(wildcards):
    """How a dataset is mixed, at one of its sizes."""
    return STUDY.mixtures[wildcards.dataset].settings(mixed_dataset(wildcards).definition).params()


def labels_of_dataset(wildcards):
    """The task whose rows a dataset consists of, and its labels, which all must be there to be learnt; None if none."""
    task = mixed_dataset(wildcards).task
    return task and {"name": task.name, "labels": list(task.prompt_spec.choices) if task.definition.one_label else []}


def part_of_dataset(wildcards):
    """The domain and the direction of a mixture of parallel rows; None for another dataset."""
    mixture = STUDY.mixtures[wildcards.dataset]
    parallel = mixture.dataset in PARALLEL
    return {"domain": mixture.domain, "direction": mixture.direction} if parallel else None


def trained_task(task, code):
    """A task as its rows are learnt: name, prompt, words of the language, and what embedded rows are made from."""
    pair = task.pair(code, STUDY.languages)
    return {
        "name": task.name,
        "spec": task.prompt_spec.params(),
        "words": task.words(code, STUDY.languages, STUDY.config.prompt_language),
        "language": STUDY.languages.identity(code).params(),
        "phrases": None if pair else task.sentences(code, STUDY.languages),
        "pair": pair and pair.params(),
        "domain": task.definition.domain,
    }


def learnt_tasks(wildcards):
    """The tasks whose rows a dataset learns, in the language."""
    return [trained_task(task, wildcards.language) for task in STUDY.datasets[wildcards.dataset].learnt]


def learnt_task(wildcards):
    """The task whose labelled rows a dataset learns, in the language."""
    (task,) = learnt_tasks(wildcards)
    return task


def training_places_of(wildcards):
    """The places of the tasks' rows in the language."""
    return STUDY.datasets[wildcards.dataset].training_places(wildcards.language, STUDY.languages, FOLDERS)


def training_rows(wildcards):
    """The tasks' rows by their content."""
    return [places.params(DIGESTS) for places in training_places_of(wildcards)]


def places_of_training_rows(wildcards, resources):
    """Where the tasks' rows lie, which Snakemake does not compare (DIGESTS)."""
    return [places.params() for places in training_places_of(wildcards)]


def fetched_training_rows(wildcards):
    """The fetched repositories that hold the tasks' rows."""
    sources = [source for places in training_places_of(wildcards) for source in places.sources()]
    return fetched_rows(sources, f"dataset {wildcards.dataset}", wildcards.language)


def translations_tested(wildcards):
    """The translation tasks of the study and of the dataset, with each language whose test rows no pair may hold."""
    return STUDY.translations_tested(wildcards.dataset, wildcards.language)


def tested_translations(wildcards):
    """The same as they are learnt."""
    return [trained_task(task, code) for task, code in translations_tested(wildcards)]


def places_of_translations_tested(wildcards):
    """Where the test rows of these tasks lie, in the same order."""
    return [
        only_test_places(task.source, STUDY.languages.identity(code), FOLDERS)
        for task, code in translations_tested(wildcards)
    ]


def rows_of_translations(wildcards):
    """The test rows of these tasks by their content."""
    return [places.params(DIGESTS) for places in places_of_translations_tested(wildcards)]


def places_of_translations(wildcards, resources):
    """Where these test rows lie, which Snakemake does not compare (DIGESTS)."""
    return [places.params() for places in places_of_translations_tested(wildcards)]


def fetched_parallel_tests(wildcards):
    """The fetched repositories that hold test rows that pairs must not hold."""
    sources = [source for places in places_of_translations_tested(wildcards) for source in places.sources()]
    of_tasks = fetched_rows(sources, f"dataset {wildcards.dataset}", wildcards.language)
    return list(dict.fromkeys([*of_tasks, *fetched_decontamination(wildcards)]))


def limits_of_pairs(wildcards):
    """The limits of the curation of parallel rows."""
    return STUDY.datasets[wildcards.dataset].definition.curate.params()


def languages_of_pairs(wildcards):
    """The languages of all sides of a dataset's pairs, by code."""
    pairs = [task.definition.pair.languages(wildcards.language) for task in STUDY.datasets[wildcards.dataset].learnt]
    codes = dict.fromkeys(code for pair in pairs for code in pair)
    return {code: STUDY.languages.identity(code).params() for code in codes}


def most_training_rows(wildcards):
    """The number of train rows to keep per language; None for all."""
    return STUDY.datasets[wildcards.dataset].max_rows


def shuffle_of_pictures(wildcards):
    """The seed by which train rows get the pictures of others; None if they keep theirs."""
    return STUDY.datasets[wildcards.dataset].shuffle


def back_translation(wildcards):
    """The tasks whose pairs a dataset learns, those whose targets are translated back, and how many rows of each."""
    definition = STUDY.datasets[wildcards.dataset].definition
    back = definition.back_translate
    return {"pairs": definition.parallel.tasks, "tasks": back.tasks, "max_rows": back.max_rows}


def back_translator(wildcards):
    """What decides the translations of targets: the model's name and file, and how it searches."""
    return STUDY.datasets[wildcards.dataset].recipe_of_all["translator"]


def learnt_pictures(wildcards):
    """The pictures of the rows that a dataset learns."""
    return pictures_of([task.name for task in STUDY.datasets[wildcards.dataset].learnt], "learnt")


def tested_pictures(wildcards):
    """The pictures that a dataset may not learn: of the test rows of its tasks, and of all tasks of the study.

    Drawn pictures of different splits differ in every task, so that another task trains nothing anew: of its own tasks
    some test pictures are among those that are learnt.
    """
    return [] if STUDY.datasets[wildcards.dataset].embedded else pictures_of(PICTURED_TASKS, "asked")


def near_pictures_count(wildcards):
    """True if a picture that looks like one of a test row counts as it; drawings all look alike."""
    dataset = STUDY.datasets[wildcards.dataset]
    return dataset.definition.curate.near and not dataset.embedded


def nearness_of_tests(wildcards):
    """The ROUGE-L from which a row counts as a test row; None if only the same text does."""
    return STUDY.datasets[wildcards.dataset].definition.curate.near


def fetched_decontamination(wildcards):
    """The fetched repositories that hold the test rows that a dataset must not overlap with."""
    return fetched_tests(decontamination(wildcards).tests, wildcards.language)


def fetched_labelled_tests(wildcards):
    """The same of labelled rows, and the repositories of the task itself, whose test rows they must not hold."""
    return [*fetched_training_rows(wildcards), *fetched_decontamination(wildcards)]


def decontamination_by_content(wildcards):
    """The test rows that a dataset must not overlap with, by their content."""
    return decontamination(wildcards).params(DIGESTS)


def gpus_of_makers(wildcards):
    """One if the teacher or the translator is a model on this machine."""
    return int(bool(STUDY.datasets[wildcards.dataset].makers))
