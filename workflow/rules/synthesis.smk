rule synthesize:
    """Make a dataset's instruction examples in one language, by its recipe."""
    input:
        unpack(models_of_dataset),
        english=english_examples,
        seeds=seed_examples,
        rows=loaded_rows,
    output:
        rows="results/synthesized/{dataset}/{language}.parquet",
        card="results/cards/synthesize/{dataset}/{language}.json",
    log:
        "logs/synthesize/{dataset}/{language}.log",
    conda:
        "../../envs/synthesis.yaml"
    resources:
        gpu=gpus_of_dataset,
    params:
        recipe=recipe_of,
        language=identity_of,
        phrases=teacher_phrases,
        service=teacher_service,
        journal="results/synthesized/{dataset}/{language}.journal.jsonl",
        code=fingerprint("synthesize.py"),
        makers=makers_code,
    script:
        "../scripts/synthesize.py"


rule curate:
    """Keep the examples worth learning from, and count every dropped one by its reason."""
    input:
        rows="results/synthesized/{dataset}/{language}.parquet",
        tests=decontamination_files,
    output:
        examples="results/examples/{dataset}/{language}.parquet",
        dropped="results/dropped/{dataset}/{language}.parquet",
    log:
        "logs/curate/{dataset}/{language}.log",
    conda:
        "../../envs/synthesis.yaml"
    params:
        language=identity_of,
        limits=limits_of,
        decontamination=decontamination,
        code=fingerprint("curate.py"),
    script:
        "../scripts/curate.py"


rule mix:
    """Mix a dataset's languages into the set that is finetuned on, and hold some rows of each out of it."""
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
        mix=lookup("{dataset}", within=STUDY.mixes),
        code=fingerprint("mix.py"),
    script:
        "../scripts/mix.py"
