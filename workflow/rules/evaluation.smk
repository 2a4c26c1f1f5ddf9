def task_source(wildcards):
    """The chosen source of a task, its templates filled for the language."""
    return resolve(STUDY.sources[wildcards.task], STUDY.identities[wildcards.language], config["data"])


def task_rows(wildcards):
    """The file of a task's rows where they lie on disk."""
    return local_file(task_source(wildcards))


def words_of_task(wildcards):
    """The words of the language that the task's file names, and no other."""
    return task_words(STUDY.tasks[wildcards.task], STUDY.languages[wildcards.language])


def phrases_of_task(wildcards):
    """The words of which the embedded source makes its rows."""
    return STUDY.phrases.get(wildcards.language) if config["task_source"] == "embedded" else None


def weights(wildcards):
    """What a run generates with: its merged model, or the base itself."""
    untouched = wildcards.dataset == BASELINE["dataset"]
    return f"results/base/{wildcards.model}" if untouched else f"results/merged/{run_path(wildcards)}"


def metrics_in_language(wildcards):
    """The metrics of each task that has the language."""
    return {
        name: task["metrics"] for name, task in STUDY.tasks.items() if wildcards.language in STUDY.task_languages[name]
    }


rule render_prompts:
    """Render a task's prompts and gold answers in one language."""
    input:
        rows=task_rows,
    output:
        prompts="results/prompts/{task}/{language}.parquet",
    log:
        "logs/render_prompts/{task}/{language}.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        task=lookup("{task}", within=STUDY.renderings),
        source=task_source,
        words=words_of_task,
        phrases=phrases_of_task,
        rows_wanted=config["items"],
        code=fingerprint("render_prompts.py"),
    script:
        "../scripts/render_prompts.py"


rule generate:
    """Complete a run's prompts of all tasks and languages, those that are missing."""
    input:
        model=weights,
        prompts=[
            f"results/prompts/{task}/{language}.parquet"
            for task, languages in STUDY.task_languages.items()
            for language in languages
        ],
    output:
        generations=update(
            expand(f"results/generations/{RUN}/{{language}}.parquet", language=STUDY.languages, allow_missing=True)
        ),
        card=f"results/cards/{RUN}/generate.json",
    log:
        f"logs/generate/{RUN}.log",
    conda:
        "../../envs/generation.yaml"
    params:
        model=lookup("{model}", within=STUDY.models),
        languages=list(STUDY.languages),
        settings=config["generate"],
        run=run_of,
        journal=f"results/generations/{RUN}/journal.jsonl",
        code=fingerprint("generate.py"),
    script:
        "../scripts/generate.py"


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
        code=fingerprint("score.py"),
    script:
        "../scripts/score.py"
