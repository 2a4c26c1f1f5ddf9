def fetched_model(wildcards):
    """The folder of the fetched repository of a Hub model; none for a model that is built here."""
    model = STUDY.models[wildcards.model]
    return f"{HUB}/{repository_folder('model', model.hub, model.revision)}" if isinstance(model, HubModel) else []


def kind_code(wildcards):
    """The digest of the module of a model's kind: after an edit of another kind, the model's jobs do not run again."""
    return [code_of(f"maple/models/{STUDY.models[wildcards.model].kind}.py")]


def model_and_method_code(wildcards):
    """The digests of the modules of a run's kind of model and of its method: an edit of others retrains nothing."""
    return [*kind_code(wildcards), code_of(f"maple/methods/{PEFT}.py")]


def checkpoints_of(wildcards, resources):
    """The folder of a run's checkpoints, and the steps between two.

    These settings do not change what is learnt, so no job may run again because of them: Snakemake does not compare
    params that are computed from `resources`.
    """
    return {"folder": f"results/checkpoints/{run_key(wildcards).path}", "steps": STUDY.config.checkpoint_steps}


def merged_folder(path):
    """The output of a run's merged weights, temporary with `merge.keep: false`.

    They can be removed, since the key of a completion holds the weights' digest: merged again, they give the same key.
    """
    return directory(path) if STUDY.config.merge.keep else temp(directory(path))


localrules:
    fetch,


rule fetch:
    """Fetch the files of a Hub repository at its pinned revision, and verify the Hub's checksums."""
    output:
        folder=directory(f"{HUB}/{{repository}}"),
        card=update("results/cards/fetch/{repository}.json"),
    log:
        "logs/fetch/{repository}.log",
    conda:
        "../../envs/hub.yaml"
    params:
        repository=lambda w: STUDY.repositories[w.repository].params(),
        unfinished=f"{HUB}/.{{repository}}.part",
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
        model=lambda w: STUDY.models[w.model].params(),
        phrases=lambda w: STUDY.corpus(w.model),
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
        model=lambda w: STUDY.models[w.model].params(),
        method=lambda w: STUDY.methods[w.method].variant.params(),
        run=run_of,
        checkpoints=checkpoints_of,
        code=fingerprint("finetune.py"),
        parts=model_and_method_code,
    script:
        "../scripts/finetune.py"


rule merge:
    """Fold an adapter into 16-bit weights, and check on held-out text that it is still the model that was trained."""
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
        model=lambda w: STUDY.models[w.model].params(),
        bits=lambda w: STUDY.methods[w.method].variant.bits,
        max_length=lambda w: STUDY.methods[w.method].variant.training.max_length,
        settings=STUDY.config.merge.settings.params(),
        run=run_of,
        code=fingerprint("merge.py"),
        parts=model_and_method_code,
    script:
        "../scripts/merge.py"
