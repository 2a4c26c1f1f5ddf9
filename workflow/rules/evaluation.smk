PROMPTS = [f"results/prompts/{task}/{code}.parquet" for task, codes in STUDY.task_languages.items() for code in codes]


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
        task=lookup("{task}", within=STUDY.renderings),
        asked=lookup("{task}", within=STUDY.asked),
        places=task_places,
        words=words_of_task,
        phrases=phrases_of_task,
        rows_wanted=config["items"],
        seed=config["shots_seed"],
        code=fingerprint("render_prompts.py"),
    script:
        "../scripts/render_prompts.py"


rule guard:
    """Refuse a dataset that holds, in one language, passages it may not; count what overlaps with its test rows."""
    input:
        examples="results/examples/{dataset}/{language}.parquet",
        tests=guarded_files,
    output:
        cleared="results/cleared/{dataset}/{language}.json",
    log:
        "logs/guard/{dataset}/{language}.log",
    # Before anything is trained. Training does not wait for it: else a new task would train everything anew.
    priority: 1
    conda:
        "../../envs/synthesis.yaml"
    params:
        tests=guarded,
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
        service=model_service,
        settings=lookup("{method}", within=STUDY.settings),
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
        language=lookup("{language}", within=STUDY.identities),
        code=fingerprint("score.py"),
    script:
        "../scripts/score.py"
