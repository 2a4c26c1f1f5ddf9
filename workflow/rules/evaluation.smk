import re

# The runs that one engine serves, by base.
TOGETHER = {
    model: runs
    for model in STUDY.models
    if (runs := [run for run in STUDY.runs if run["model"] == model and run["method"] in STUDY.together])
}
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


rule cluster:
    """Tell which items of a task stand on the same text, in one language."""
    input:
        rows=rows_of_task,
    output:
        clusters="results/clusters/{task}/{language}.parquet",
    log:
        "logs/cluster/{task}/{language}.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        task=lookup("{task}", within=STUDY.clusterings),
        source=test_source,
        phrases=phrases_of_task,
        rows_wanted=config["items"],
        code=fingerprint("cluster.py"),
    script:
        "../scripts/cluster.py"


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
    wildcard_constraints:
        method="|".join(re.escape(method) for method in STUDY.settings if method not in STUDY.together),
    # Before anything else is merged: merged weights that are not kept go as soon as they have answered.
    priority: 2
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


for model, runs in TOGETHER.items():

    rule:
        """Complete the prompts of all runs of a base that one engine serves, their adapters attached in turn."""
        name:
            f"generate_attached_{model}"
        input:
            model=f"results/base/{model}",
            adapters=for_runs("results/adapters/{run}", runs),
            prompts=PROMPTS,
            cleared=list(dict.fromkeys(path for run in runs for path in clearances(run))),
        output:
            generations=update(
                [f"results/generations/{run_path(run)}/{code}.parquet" for run in runs for code in STUDY.languages]
            ),
            cards=for_runs("results/cards/{run}/generate.json", runs),
        log:
            f"logs/generate_attached/{model}.log",
        conda:
            "../../envs/generation.yaml"
        threads: workflow.resource_settings.overwrite_threads.get("generate_attached", 1)
        params:
            model=STUDY.models[model],
            languages=list(STUDY.languages),
            settings=STUDY.settings[BASELINE["method"]],
            runs=[{key: run[key] for key in ("model", "dataset", "method", "seed")} for run in runs],
            journals=for_runs("results/generations/{run}/journal.jsonl", runs),
            code=fingerprint("generate_attached.py"),
        script:
            "../scripts/generate_attached.py"

    # What profiles say of threads and resources of generate_attached holds for each of these rules.
    made = workflow.get_rule(f"generate_attached_{model}")
    made.resources.update(workflow.resource_settings.overwrite_resources.get("generate_attached", {}))


rule compare_attached:
    """Complete a sample of a merged run's prompts with its adapter attached, and count the answers that differ."""
    input:
        base="results/base/{model}",
        adapter=f"results/adapters/{RUN}",
        prompts=PROMPTS,
        generations=expand(
            f"results/generations/{RUN}/{{language}}.parquet", language=STUDY.languages, allow_missing=True
        ),
    output:
        card=f"results/cards/{RUN}/compare_attached.json",
    log:
        f"logs/compare_attached/{RUN}.log",
    conda:
        "../../envs/generation.yaml"
    params:
        model=lookup("{model}", within=STUDY.models),
        settings=lookup("{method}", within=STUDY.settings),
        sample=config["generate"]["compare_attached"],
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
