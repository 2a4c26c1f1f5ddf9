rule synthesize:
    """Synthesize or load a dataset's instruction examples in one language, by its recipe."""
    input:
        unpack(models_of_dataset),
        english=english_examples,
        seeds=seed_examples,
        rows=fetched_examples,
    output:
        rows="results/synthesized/{dataset}/{language}.parquet",
        card="results/cards/synthesize/{dataset}/{language}.json",
    log:
        "logs/synthesize/{dataset}/{language}.log",
    wildcard_constraints:
        dataset=one_of(*(name for name in STUDY.datasets if name not in (*LABELLED, *PARALLEL, *PICTURED))),
    conda:
        "../../envs/synthesis.yaml"
    resources:
        gpu=gpus_of_makers,
    params:
        decides=recipe_by_content,
        recipe=recipe_of,
        language=identity_of,
        phrases=teacher_phrases,
        service=teacher_service,
        journal="results/synthesized/{dataset}/{language}.journal.jsonl",
        code=fingerprint("synthesize.py"),
        makers=makers_code,
    script:
        "../scripts/synthesize.py"


rule label:
    """Read train and dev rows of tasks in one language as examples, by the recipes `task`, `parallel` and `pictures`."""
    input:
        rows=fetched_training_rows,
        pictures=learnt_pictures,
    output:
        rows="results/synthesized/{dataset}/{language}.parquet",
        card="results/cards/synthesize/{dataset}/{language}.json",
    log:
        "logs/label/{dataset}/{language}.log",
    wildcard_constraints:
        dataset=one_of(*LABELLED, *PICTURED, *(name for name in PARALLEL if name not in BACK_TRANSLATED)),
    conda:
        "../../envs/analysis.yaml"
    params:
        tasks=learnt_tasks,
        rows=training_rows,
        places=places_of_training_rows,
        max_rows=most_training_rows,
        shuffle=shuffle_of_pictures,
        code=fingerprint("label.py"),
    script:
        "../scripts/label.py"


rule back_translate:
    """Read rows of translation tasks as `label` does, and let a model translate targets of some back into sources."""
    input:
        unpack(models_of_dataset),
        rows=fetched_training_rows,
    output:
        rows="results/synthesized/{dataset}/{language}.parquet",
        card="results/cards/synthesize/{dataset}/{language}.json",
    log:
        "logs/back_translate/{dataset}/{language}.log",
    wildcard_constraints:
        dataset=one_of(*BACK_TRANSLATED),
    conda:
        "../../envs/synthesis.yaml"
    resources:
        gpu=gpus_of_makers,
    params:
        tasks=learnt_tasks,
        rows=training_rows,
        places=places_of_training_rows,
        max_rows=most_training_rows,
        back=back_translation,
        translator=back_translator,
        service=teacher_service,
        journal="results/synthesized/{dataset}/{language}.journal.jsonl",
        code=fingerprint("back_translate.py"),
    script:
        "../scripts/back_translate.py"


rule curate:
    """Drop examples that exceed the dataset's limits, each with its reason."""
    input:
        rows="results/synthesized/{dataset}/{language}.parquet",
        tests=fetched_decontamination,
    output:
        examples="results/examples/{dataset}/{language}.parquet",
        dropped="results/dropped/{dataset}/{language}.parquet",
    log:
        "logs/curate/{dataset}/{language}.log",
    wildcard_constraints:
        dataset=one_of(*(name for name in STUDY.datasets if name not in (*LABELLED, *PARALLEL, *PICTURED))),
    conda:
        "../../envs/synthesis.yaml"
    params:
        language=identity_of,
        limits=limits_of,
        tests=decontamination_by_content,
        decontamination=places_of_tests,
        code=fingerprint("curate.py"),
    script:
        "../scripts/curate.py"


rule curate_labelled:
    """Drop labelled examples that are test rows, repeat a text or contradict it, each with its reason."""
    input:
        rows="results/synthesized/{dataset}/{language}.parquet",
        tests=fetched_labelled_tests,
    output:
        examples="results/examples/{dataset}/{language}.parquet",
        dropped="results/dropped/{dataset}/{language}.parquet",
    log:
        "logs/curate_labelled/{dataset}/{language}.log",
    wildcard_constraints:
        dataset=one_of(*LABELLED),
    conda:
        "../../envs/analysis.yaml"
    params:
        task=learnt_task,
        rows=training_rows,
        places=places_of_training_rows,
        near=nearness_of_tests,
        tests=decontamination_by_content,
        decontamination=places_of_tests,
        code=fingerprint("curate_labelled.py"),
    script:
        "../scripts/curate_labelled.py"


rule curate_parallel:
    """Drop parallel examples that are no pairs, are repeated, or are test rows of any domain, each with its reason."""
    input:
        rows="results/synthesized/{dataset}/{language}.parquet",
        tests=fetched_parallel_tests,
    output:
        examples="results/examples/{dataset}/{language}.parquet",
        dropped="results/dropped/{dataset}/{language}.parquet",
    log:
        "logs/curate_parallel/{dataset}/{language}.log",
    wildcard_constraints:
        dataset=one_of(*PARALLEL),
    conda:
        "../../envs/analysis.yaml"
    params:
        tested=tested_translations,
        rows=rows_of_translations,
        places=places_of_translations,
        limits=limits_of_pairs,
        languages=languages_of_pairs,
        tests=decontamination_by_content,
        decontamination=places_of_tests,
        code=fingerprint("curate_parallel.py"),
    script:
        "../scripts/curate_parallel.py"


rule curate_pictures:
    """Drop examples that show a picture of a test row, or are repeated, each with its reason."""
    input:
        rows="results/synthesized/{dataset}/{language}.parquet",
        pictures=learnt_pictures,
        tests=tested_pictures,
    output:
        examples="results/examples/{dataset}/{language}.parquet",
        dropped="results/dropped/{dataset}/{language}.parquet",
    log:
        "logs/curate_pictures/{dataset}/{language}.log",
    wildcard_constraints:
        dataset=one_of(*PICTURED),
    conda:
        "../../envs/analysis.yaml"
    params:
        near=near_pictures_count,
        code=fingerprint("curate_pictures.py"),
    script:
        "../scripts/curate_pictures.py"


rule mix:
    """Mix a dataset's languages into one training set, and hold out some rows of each language."""
    input:
        examples=examples_of_dataset,
    output:
        mixture="results/mixtures/{dataset}.parquet",
        held_out="results/held_out/{dataset}.parquet",
        card="results/cards/mix/{dataset}.json",
    log:
        "logs/mix/{dataset}.log",
    conda:
        "../../envs/synthesis.yaml"
    params:
        mix=mix_of_dataset,
        part=part_of_dataset,
        task=labels_of_dataset,
        code=fingerprint("mix.py"),
    script:
        "../scripts/mix.py"
