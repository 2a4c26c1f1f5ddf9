PROMPTS_OF_TASKS = {
    task.name: [f"results/prompts/{task.name}/{code}.parquet" for code in task.languages]
    for task in STUDY.tasks.values()
}
PROMPTS = [path for paths in PROMPTS_OF_TASKS.values() for path in paths]
TRANSLATION_TASKS = [task for task in STUDY.tasks.values() if task.definition.pair]


rule pictures:
    """Draw the pictures of a task, or open and link them, each once; refuse those that cannot be opened."""
    input:
        rows=fetched_pictures,
    output:
        pictures=directory("results/pictures/{task}/{part}"),
    log:
        "logs/pictures/{task}/{part}.log",
    wildcard_constraints:
        task=one_of(*PICTURED_TASKS),
        part="asked|learnt",
    conda:
        "../../envs/analysis.yaml"
    params:
        task=pictured_task,
        rows=rows_of_pictures,
        places=places_of_rows_of_pictures,
        code=fingerprint("pictures.py"),
    script:
        "../scripts/pictures.py"


rule render_prompts:
    """Render a task's prompts and gold answers in one language."""
    input:
        rows=fetched_task,
        pictures=asked_pictures,
    output:
        prompts="results/prompts/{task}/{language}.parquet",
    log:
        "logs/render_prompts/{task}/{language}.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        task=prompt_of_task,
        settings=settings_of_task,
        rows=rows_of_task,
        places=places_of_task,
        words=words_of_task,
        phrases=phrases_of_task,
        pair=pair_of_task,
        seed=STUDY.config.shots_seed,
        code=fingerprint("render_prompts.py"),
    script:
        "../scripts/render_prompts.py"


rule cluster:
    """Find the items of a task that share a text, in one language; their errors are not independent."""
    input:
        rows=fetched_test,
    output:
        clusters="results/clusters/{task}/{language}.parquet",
    log:
        "logs/cluster/{task}/{language}.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        task=clustering_of_task,
        rows=test_rows,
        place=place_of_tests,
        phrases=phrases_of_task,
        rows_wanted=STUDY.config.items,
        code=fingerprint("cluster.py"),
    script:
        "../scripts/cluster.py"


rule guard:
    """Refuse a dataset with a forbidden passage, in one language; count examples that overlap with test rows."""
    input:
        examples="results/examples/{dataset}/{language}.parquet",
        tests=fetched_guarded,
    output:
        cleared="results/cleared/{dataset}/{language}.json",
    log:
        "logs/guard/{dataset}/{language}.log",
    # Runs before training starts. It is no input of `finetune`: a new task would then retrain every run.
    priority: 1
    conda:
        "../../envs/synthesis.yaml"
    params:
        tests=rows_of_guarded,
        places=places_of_guarded,
        code=fingerprint("guard.py"),
    script:
        "../scripts/guard.py"


rule generate:
    """Answer a run's prompts where answers are missing, for all tasks and languages: generate, rank or classify."""
    input:
        model=weights,
        adapter=attached_adapter,
        prompts=prompts_of_run,
        pictures=pictures_of_run,
        cleared=clearances,
        shared=shared_card,
    output:
        generations=update(
            expand(f"results/generations/{RUN}/{{language}}.parquet", language=CODES, allow_missing=True)
        ),
        card=f"results/cards/{RUN}/generate.json",
    log:
        f"logs/generate/{RUN}.log",
    wildcard_constraints:
        dataset=one_of(NONE, *STUDY.mixtures),
        method=one_of(NONE, *STUDY.methods),
    # Runs before the next merge: with `merge.keep: false`, merged weights are removed once their completions are there,
    # so that few lie on the disk at once.
    priority: 2
    conda:
        "../../envs/generation.yaml"
    params:
        model=asked_model,
        languages=CODES,
        service=model_service,
        answers=answers_of_run,
        settings=engine_settings,
        memory=engine_memory,
        run=run_of,
        journal=f"results/generations/{RUN}/journal.jsonl",
        code=fingerprint("generate.py"),
        parts=answering_code,
    script:
        "../scripts/generate.py"


rule generate_attached:
    """Generate for all runs of a base with one engine, adapters attached in turn, into the journals of the runs.

    `generate` then writes each run's files from its journal and starts no engine.
    """
    input:
        model="results/base/{model}",
        adapters=shared_adapters,
        prompts=PROMPTS,
        pictures=pictures_of(STUDY.tasks, "asked"),
        cleared=shared_clearances,
    output:
        card="results/cards/generate_attached/{model}.json",
    log:
        "logs/generate_attached/{model}.log",
    conda:
        "../../envs/generation.yaml"
    params:
        model=shared_model,
        answers=shared_answers,
        settings=shared_settings,
        memory=engine_memory,
        runs=shared_runs,
        outputs=shared_completions,
        journals=shared_journals,
        code=fingerprint("generate_attached.py"),
    script:
        "../scripts/generate_attached.py"


rule compare_attached:
    """Generate a sample of a merged run's completions with its adapter attached, and count those that differ."""
    input:
        base=base_of,
        adapter=f"results/adapters/{RUN}",
        prompts=prompts_of_run,
        pictures=pictures_of_run,
        generations=expand(f"results/generations/{RUN}/{{language}}.parquet", language=CODES, allow_missing=True),
    output:
        card=f"results/cards/{RUN}/compare_attached.json",
    log:
        f"logs/compare_attached/{RUN}.log",
    conda:
        "../../envs/generation.yaml"
    params:
        model=asked_model,
        settings=engine_settings,
        memory=engine_memory,
        answers=answers_of_run,
        sample=STUDY.config.generate.compare_attached,
        run=run_of,
        code=fingerprint("compare_attached.py"),
    script:
        "../scripts/compare_attached.py"


rule round_trip:
    """Send the references of translations through a model's tokenizer and back: what is lost, no answer can have."""
    input:
        base="results/base/{model}",
        prompts=[path for task in TRANSLATION_TASKS for path in PROMPTS_OF_TASKS[task.name]],
    output:
        targets="results/round_trips/{model}.parquet",
        ceilings="results/ceilings/{model}.parquet",
    log:
        "logs/round_trip/{model}.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        model=name_of_model,
        translations=translations_of([task.name for task in TRANSLATION_TASKS]),
        code=fingerprint("round_trip.py"),
    script:
        "../scripts/round_trip.py"


rule score:
    """Score one run's completions item by item, in the languages of which something changed."""
    input:
        generations=expand(f"results/generations/{RUN}/{{language}}.parquet", language=CODES, allow_missing=True),
        translations=prompts_of_translations,
        round_trips=round_trips_of_run,
    output:
        scores=update(expand(f"results/scores/{RUN}/{{language}}.parquet", language=CODES, allow_missing=True)),
    log:
        f"logs/score/{RUN}.log",
    wildcard_constraints:
        dataset=one_of(NONE, *STUDY.mixtures),
        method=one_of(NONE, *STUDY.methods),
    conda:
        "../../envs/analysis.yaml"
    params:
        run=run_of,
        metrics={code: metrics_in_language(code) for code in CODES},
        languages=[STUDY.languages.identity(code).params() for code in CODES],
        writings=[STUDY.languages.writing(code).params() for code in CODES],
        readings=readings_of(STUDY.tasks),
        # Those of each file of `translations`.
        translations=translations_of_run,
        # Of tasks that are answered in another language than that of their rows.
        answer_languages=answer_languages_of_run,
        code=fingerprint("score.py"),
    script:
        "../scripts/score.py"
