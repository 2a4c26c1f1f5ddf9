PROMPTS = [f"results/prompts/{task.name}/{code}.parquet" for task in STUDY.tasks.values() for code in task.languages]


def task_files(wildcards):
    """The files and fetched folders of a task's rows."""
    return task_places(wildcards).files()


def test_source(wildcards):
    """Where the rows lie that a task asks about in the language."""
    return task_places(wildcards).test.source


def words_of_task(wildcards):
    """The words of the language, and of English, that the task's file names, and no other."""
    return STUDY.tasks[wildcards.task].words(wildcards.language, STUDY.languages, STUDY.config.prompt_language)


def attached_adapter(wildcards):
    """The adapter that a run generates with beside the base; none where there is none, or where it is merged."""
    method = STUDY.methods.get(wildcards.method)
    return f"results/adapters/{run_key(wildcards).path}" if method and method.attached else []


def shared_card(wildcards):
    """The card of the job that completes this run with others of its base; none where the run is completed alone."""
    method = STUDY.methods.get(wildcards.method)
    return f"results/cards/generate_attached/{wildcards.model}.json" if method and method.shares_engine else []


def completions_of(run):
    """A run's files of completions, by language. Their rows are carried over; `generate` replaces the files."""
    return {code: f"results/generations/{run.path}/{code}.parquet" for code in CODES}


def model_service(wildcards, resources):
    """How a model behind an endpoint is asked. It decides no answer, so that a change must make none anew.

    Snakemake takes what is made of `resources` for no reason to run a job again.
    """
    return STUDY.endpoint(wildcards.model)


def metrics_in_language(wildcards):
    """The metrics of each task that has the language."""
    tasks = STUDY.tasks.values()
    return {task.name: task.definition.metrics for task in tasks if wildcards.language in task.languages}


rule render_prompts:
    """Render a task's prompts and gold answers in one language."""
    input:
        rows=task_files,
    output:
        prompts="results/prompts/{task}/{language}.parquet",
    log:
        "logs/render_prompts/{task}/{language}.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        task=lambda w: STUDY.tasks[w.task].prompt_spec.params(),
        asked=lambda w: STUDY.tasks[w.task].settings.params(),
        places=lambda w: task_places(w).params(),
        words=words_of_task,
        phrases=phrases_of_task,
        rows_wanted=STUDY.config.items,
        seed=STUDY.config.shots_seed,
        code=fingerprint("render_prompts.py"),
    script:
        "../scripts/render_prompts.py"


rule cluster:
    """Tell which items of a task stand on the same text, in one language."""
    input:
        rows=lambda w: test_source(w).path or [],
    output:
        clusters="results/clusters/{task}/{language}.parquet",
    log:
        "logs/cluster/{task}/{language}.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        task=lambda w: STUDY.tasks[w.task].clustering.params(),
        source=lambda w: test_source(w).params(),
        phrases=phrases_of_task,
        rows_wanted=STUDY.config.items,
        code=fingerprint("cluster.py"),
    script:
        "../scripts/cluster.py"


rule guard:
    """Refuse a dataset that holds, in one language, passages it may not; count what overlaps with its test rows."""
    input:
        examples="results/examples/{dataset}/{language}.parquet",
        tests=lambda w: test_files(guarded(w)),
    output:
        cleared="results/cleared/{dataset}/{language}.json",
    log:
        "logs/guard/{dataset}/{language}.log",
    # Before anything is trained. Training does not wait for it: else a new task would train everything anew.
    priority: 1
    conda:
        "../../envs/synthesis.yaml"
    params:
        tests=lambda w: {task: test.params() for task, test in guarded(w).items()},
        code=fingerprint("guard.py"),
    script:
        "../scripts/guard.py"


rule generate:
    """Complete a run's prompts of all tasks and languages, those that are missing."""
    input:
        model=weights,
        adapter=attached_adapter,
        prompts=PROMPTS,
        cleared=clearances,
        shared=shared_card,
    output:
        generations=update(
            expand(f"results/generations/{RUN}/{{language}}.parquet", language=CODES, allow_missing=True)
        ),
        card=f"results/cards/{RUN}/generate.json",
    log:
        f"logs/generate/{RUN}.log",
    # Before anything else is merged: merged weights that are not kept go as soon as they have answered.
    priority: 2
    conda:
        "../../envs/generation.yaml"
    params:
        model=lambda w: STUDY.models[w.model].params(),
        languages=CODES,
        service=model_service,
        settings=lambda w: STUDY.settings(w.method),
        run=run_of,
        journal=f"results/generations/{RUN}/journal.jsonl",
        code=fingerprint("generate.py"),
    script:
        "../scripts/generate.py"


rule generate_attached:
    """Complete the prompts of all runs of a base that one engine serves, into the journals that `generate` reads."""
    input:
        model="results/base/{model}",
        adapters=lambda w: for_runs("results/adapters/{run}", SHARED[w.model]),
        prompts=PROMPTS,
        cleared=lambda w: list(dict.fromkeys(path for run in SHARED[w.model] for path in clearances(run))),
    output:
        card="results/cards/generate_attached/{model}.json",
    log:
        "logs/generate_attached/{model}.log",
    conda:
        "../../envs/generation.yaml"
    params:
        model=lambda w: STUDY.models[w.model].params(),
        settings=STUDY.settings("none"),
        runs=lambda w: [run.key.params() for run in SHARED[w.model]],
        outputs=lambda w: [completions_of(run) for run in SHARED[w.model]],
        journals=lambda w: for_runs("results/generations/{run}/journal.jsonl", SHARED[w.model]),
        code=fingerprint("generate_attached.py"),
    script:
        "../scripts/generate_attached.py"


rule compare_attached:
    """Complete a sample of a merged run's prompts with its adapter attached, and count the answers that differ."""
    input:
        base="results/base/{model}",
        adapter=f"results/adapters/{RUN}",
        prompts=PROMPTS,
        generations=expand(f"results/generations/{RUN}/{{language}}.parquet", language=CODES, allow_missing=True),
    output:
        card=f"results/cards/{RUN}/compare_attached.json",
    log:
        f"logs/compare_attached/{RUN}.log",
    conda:
        "../../envs/generation.yaml"
    params:
        model=lambda w: STUDY.models[w.model].params(),
        settings=lambda w: STUDY.settings(w.method),
        sample=STUDY.config.generate.compare_attached,
        run=run_of,
        code=fingerprint("compare_attached.py"),
    script:
        "../scripts/compare_attached.py"


rule score:
    """Score one run's completions in one language, item by item."""
    input:
        generations=f"results/generations/{RUN}/{{language}}.parquet",
    output:
        scores=f"results/scores/{RUN}/{{language}}.parquet",
    log:
        f"logs/score/{RUN}/{{language}}.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        run=run_of,
        metrics=metrics_in_language,
        language=identity_of,
        code=fingerprint("score.py"),
    script:
        "../scripts/score.py"
