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
    return task and {"name": task.name, "labels": list(task.prompt_spec.choices)}


def learnt_task(wildcards):
    """A task as its rows are learnt: name, prompt, words of the language, and the phrases of embedded rows."""
    dataset, code = STUDY.datasets[wildcards.dataset], wildcards.language
    return {
        "name": dataset.task.name,
        "spec": dataset.task.prompt_spec.params(),
        "words": dataset.task.words(code, STUDY.languages, STUDY.config.prompt_language),
        "language": identity_of(wildcards),
        "phrases": STUDY.languages.phrases.get(code) if dataset.embedded else None,
    }


def training_places_of(wildcards):
    """The places of the task's rows in the language."""
    return STUDY.datasets[wildcards.dataset].training_places(wildcards.language, STUDY.languages, FOLDERS)


def training_rows(wildcards):
    """The task's rows by their content."""
    return training_places_of(wildcards).params(DIGESTS)


def places_of_training_rows(wildcards, resources):
    """Where the task's rows lie, which Snakemake does not compare (DIGESTS)."""
    return training_places_of(wildcards).params()


def fetched_training_rows(wildcards):
    """The fetched repositories that hold the task's rows."""
    return fetched_rows(training_places_of(wildcards).sources(), f"dataset {wildcards.dataset}", wildcards.language)


def most_training_rows(wildcards):
    """The number of train rows to keep per language; None for all."""
    return STUDY.datasets[wildcards.dataset].definition.task.max_rows


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
