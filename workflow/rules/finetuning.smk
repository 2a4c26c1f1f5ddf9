localrules:
    fetch,


rule fetch:
    """Fetch a Hub repository at its pinned revision, or a file of a pinned package, and verify the checksums."""
    output:
        folder=directory(f"{HUB}/{{repository}}"),
        card=update("results/cards/fetch/{repository}.json"),
    log:
        "logs/fetch/{repository}.log",
    conda:
        "../../envs/hub.yaml"
    params:
        repository=repository_to_fetch,
        fetcher=fetcher_of,
        unfinished=f"{HUB}/.{{repository}}.part",
        code=fingerprint("fetch.py"),
        parts=fetcher_code,
    script:
        "../scripts/fetch.py"


rule base:
    """Link a base model that was fetched or lies in a folder, convert one of a package, or pretrain a tiny one."""
    input:
        fetched=fetched_model,
    output:
        model=directory("results/base/{model}"),
    log:
        "logs/base/{model}.log",
    conda:
        "../../envs/training.yaml"
    params:
        model=prepared_model,
        folder=folder_of_model,
        lengths=longest_texts,
        phrases=corpus_of_model,
        code=fingerprint("base.py"),
        parts=base_code,
    script:
        "../scripts/base.py"


rule head:
    """Draw the head of a model that answers by labels: one model, task and seed. Its runs start from this folder."""
    input:
        base="results/base/{model}",
    output:
        head=directory("results/heads/{model}/{task}/seed{seed}"),
    log:
        "logs/head/{model}/{task}/seed{seed}.log",
    conda:
        "../../envs/training.yaml"
    params:
        model=prepared_model,
        labels=labels_of_task,
        seed=seed_of,
        code=fingerprint("head.py"),
        parts=kind_code,
    script:
        "../scripts/head.py"


rule finetune:
    """Finetune an adapter: one model, dataset, method and seed."""
    input:
        base=base_of,
        mixture="results/mixtures/{dataset}.parquet",
        held_out="results/held_out/{dataset}.parquet",
    output:
        adapter=directory(f"results/adapters/{RUN}"),
        card=f"results/cards/{RUN}/finetune.json",
    log:
        f"logs/finetune/{RUN}.log",
    wildcard_constraints:
        method=one_of(*SAVING_ADAPTERS),
    conda:
        "../../envs/training.yaml"
    params:
        model=trained_model,
        method=method_of_run,
        run=run_of,
        checkpoints=checkpoints_of,
        tracking=tracking_of,
        compared_rows=compared_rows,
        code=fingerprint("finetune.py"),
        parts=model_and_method_code,
    script:
        "../scripts/finetune.py"


use rule finetune as finetune_model with:
    output:
        model=directory(f"results/trained/{RUN}"),
        card=f"results/cards/{RUN}/finetune.json",
    wildcard_constraints:
        method=one_of(*SAVING_MODELS),


rule merge:
    """Fold an adapter into 16-bit weights, and check on held-out text that it is still the model that was trained."""
    input:
        base=base_of,
        adapter=f"results/adapters/{RUN}",
        trained=f"results/cards/{RUN}/finetune.json",
        held_out="results/held_out/{dataset}.parquet",
    output:
        merged=merged_folder(f"results/merged/{RUN}"),
        card=f"results/cards/{RUN}/merge.json",
    log:
        f"logs/merge/{RUN}.log",
    conda:
        "../../envs/training.yaml"
    params:
        model=merged_model,
        trained_as=trained_as,
        bits=bits_of_run,
        module=method_module,
        max_length=longest_example,
        settings=STUDY.config.merge.settings.params(),
        run=run_of,
        code=fingerprint("merge.py"),
        parts=model_and_method_code,
    script:
        "../scripts/merge.py"
