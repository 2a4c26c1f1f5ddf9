localrules:
    fetch,


rule fetch:
    """Fetch the files of a Hub repository at its pinned revision, and hold them against the Hub's checksums."""
    output:
        folder=directory(f"{FETCHED}/{{repository}}"),
        card=update("results/cards/fetch/{repository}.json"),
    log:
        "logs/fetch/{repository}.log",
    conda:
        "../../envs/hub.yaml"
    params:
        repository=lookup("{repository}", within=STUDY.repositories),
        unfinished=f"{FETCHED}/.{{repository}}.part",
        code=fingerprint("fetch.py"),
    script:
        "../scripts/fetch.py"


rule base:
    """Link a fetched base model, or pretrain a tiny one from scratch."""
    input:
        fetched=fetched_model,
    output:
        model=directory("results/base/{model}"),
    log:
        "logs/base/{model}.log",
    conda:
        "../../envs/training.yaml"
    params:
        model=lookup("{model}", within=STUDY.models),
        phrases=lookup("{model}", within=STUDY.corpora),
        code=fingerprint("base.py"),
        parts=kind_code,
    script:
        "../scripts/base.py"


rule finetune:
    """Finetune an adapter: one model, dataset, method and seed."""
    input:
        base="results/base/{model}",
        mixture="results/mixtures/{dataset}.parquet",
        held_out="results/held_out/{dataset}.parquet",
    output:
        adapter=directory(f"results/adapters/{RUN}"),
        card=f"results/cards/{RUN}/finetune.json",
    log:
        f"logs/finetune/{RUN}.log",
    conda:
        "../../envs/training.yaml"
    params:
        model=lookup("{model}", within=STUDY.models),
        method=lookup("{method}", within=STUDY.cells),
        run=run_of,
        checkpoints=checkpoints_of,
        code=fingerprint("finetune.py"),
        parts=model_and_method_code,
    script:
        "../scripts/finetune.py"


rule merge:
    """Fold an adapter into 16-bit weights, and check on held-out text that it still is the model that was trained."""
    input:
        base="results/base/{model}",
        adapter=f"results/adapters/{RUN}",
        held_out="results/held_out/{dataset}.parquet",
    output:
        merged=merged_folder(f"results/merged/{RUN}"),
        card=f"results/cards/{RUN}/merge.json",
    log:
        f"logs/merge/{RUN}.log",
    conda:
        "../../envs/training.yaml"
    params:
        model=lookup("{model}", within=STUDY.models),
        bits=lookup("{method}/bits", within=STUDY.cells),
        max_length=lookup("{method}/training/max_length", within=STUDY.cells),
        settings={key: value for key, value in config["merge"].items() if key != "keep"},
        run=run_of,
        code=fingerprint("merge.py"),
        parts=model_and_method_code,
    script:
        "../scripts/merge.py"
