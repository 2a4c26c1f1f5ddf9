"""Functions of the finetuning rules: their inputs, outputs and params."""

# Variants of which a whole model is saved, and those of which the trained part is, to be added to the base.
SAVING_MODELS = [name for name, method in STUDY.methods.items() if method.variant.saves_model]
SAVING_ADAPTERS = [name for name in STUDY.methods if name not in SAVING_MODELS]


def fetcher_code(wildcards):
    """The digest of the module that fetches a repository: after an edit of another one, nothing is fetched again."""
    return [code_of(f"maple/data/{STUDY.repositories[wildcards.repository].fetcher}.py")]


def repository_to_fetch(wildcards):
    """What is fetched into a repository's folder."""
    return STUDY.repositories[wildcards.repository].params()


def fetcher_of(wildcards):
    """The name of the module that fetches it."""
    return STUDY.repositories[wildcards.repository].fetcher


def corpus_of_model(wildcards):
    """The phrases that a built model is pretrained on."""
    return STUDY.corpus(wildcards.model)


def seed_of(wildcards):
    """The seed of a head, which is that of its runs."""
    return int(wildcards.seed)


def variant_of(wildcards):
    """The record of a run's method variant."""
    return STUDY.methods[wildcards.method].variant


def method_of_run(wildcards):
    """How a run's model is adapted."""
    return variant_of(wildcards).params()


def method_module(wildcards):
    """The name of the module that adapts it."""
    return variant_of(wildcards).MODULE


def bits_of_run(wildcards):
    """The precision of its base in training."""
    return variant_of(wildcards).bits


def longest_example(wildcards):
    """The tokens of the longest example that it learns from."""
    return variant_of(wildcards).training.max_length


def trained_as(wildcards):
    """How it was trained, under the keys of its finetune card."""
    return STUDY.trained_as(run_key(wildcards), DIGESTS)


def fetched_model(wildcards):
    """The folder that a model was fetched into; none for a model that lies in a folder or is built here."""
    repository = repository_of(STUDY.models[wildcards.model])
    return f"{HUB}/{repository.folder}" if repository else []


def folder_of_model(wildcards, resources):
    """The folder that a model's file names, which Snakemake does not compare (DIGESTS); None for another model."""
    model = STUDY.models[wildcards.model]
    return model.path if isinstance(model, PathModel) else None


def longest_texts(wildcards, resources):
    """The longest texts that a model must take, by the key of the config that says so.

    They change no weights, so no job may run again because of them: Snakemake does not compare params that are computed
    from `resources`.
    """
    return STUDY.lengths(wildcards.model)


def compared_rows(wildcards, resources):
    """Held-out rows per language on which the run's merge will be checked; 0 for a run that is not merged.

    Training only looks whether they are there; as above, they are not compared.
    """
    return STUDY.config.merge.rows if STUDY.methods[wildcards.method].merged else 0


def kind_code(wildcards):
    """The digest of the module of a model's kind: after an edit of another kind, the model's jobs do not run again."""
    return [code_of(f"maple/models/{STUDY.models[wildcards.model].kind}.py")]


def base_code(wildcards):
    """The digests of the modules of a model's kind, and of what else makes its folder: format, corpus, new tags."""
    model = STUDY.models[wildcards.model]
    formats = [model.package.format] if isinstance(model, PackageModel) else []
    files = [f"maple/models/{name}_format.py" for name in formats]
    files += ["maple/models/new_tags.py"] if model.new_tags else []
    files += [f"maple/embedded/{KINDS[model.kind].corpus}.py"] if isinstance(model, BuiltModel) else []
    return [*kind_code(wildcards), *map(code_of, files)]


def model_and_method_code(wildcards):
    """The digests of the modules of a run's kind of model and of its method: an edit of others retrains nothing."""
    modules = modules_of(variant_of(wildcards))
    return [*kind_code(wildcards), *(code_of(f"maple/methods/{name}.py") for name in modules)]


def prepared_model(wildcards):
    """What decides the folder of a base."""
    return prepared(model_of(wildcards))


def labels_of_task(wildcards):
    """The labels of a task, in the order in which its file states them: the order of the head's logits."""
    return list(STUDY.tasks[wildcards.task].definition.choices)


def trained_model(wildcards):
    """What decides a training, of a run's model."""
    return trained(model_of(wildcards))


def merged_model(wildcards):
    """The same, with the frame in which the run is trained and asked."""
    return trained(asked_model(wildcards))


def checkpoints_of(wildcards, resources):
    """The folder of a run's checkpoints, and the steps between two.

    These settings do not change what is learnt, so no job may run again because of them: Snakemake does not compare
    params that are computed from `resources`.
    """
    return {"folder": f"results/checkpoints/{run_key(wildcards).path}", "steps": STUDY.config.checkpoint_steps}


def tracking_of(wildcards, resources):
    """Where the curves of a run's training go; None if nowhere. As above, no job runs again because of it."""
    tracking = STUDY.config.tracking
    return tracking and {**tracking.params(), "run": run_key(wildcards).path, "folder": "logs"}


def merged_folder(path):
    """The output of a run's merged weights, temporary with `merge.keep: false`.

    They can be removed, since the key of a completion holds the weights' digest: merged again, they give the same key.
    """
    return directory(path) if STUDY.config.merge.keep else temp(directory(path))
