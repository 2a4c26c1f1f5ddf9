def recipe_of(wildcards):
    """A dataset's recipe, the paths of its rows filled for the language."""
    recipe = STUDY.recipes[wildcards.dataset]
    if recipe["recipe"] != "load":
        return recipe
    return {**recipe, "load": resolve(recipe["load"], STUDY.identities[wildcards.language], config["data"])}


def loaded_rows(wildcards):
    """The file that the recipe `load` reads."""
    return local_file(recipe_of(wildcards).get("load", {}))


def english_examples(wildcards):
    """The curated English examples that the recipe `translate_respond` translates."""
    source = STUDY.recipes[wildcards.dataset].get("translate_respond", {}).get("instructions")
    return f"results/examples/{source}/{PIVOT}.parquet" if source else []


def teacher_phrases(wildcards):
    """The embedded teacher's words, in the language it writes and in the one it translates from."""
    return {code: STUDY.phrases[code] for code in (PIVOT, wildcards.language) if code in STUDY.phrases}


def examples_of_dataset(wildcards):
    """A dataset's curated examples in all its languages."""
    codes = STUDY.dataset_languages[wildcards.dataset]
    return [f"results/examples/{wildcards.dataset}/{code}.parquet" for code in codes]


rule synthesize:
    """Make a dataset's instruction examples in one language, by its recipe."""
    input:
        english=english_examples,
        rows=loaded_rows,
    output:
        rows="results/synthesized/{dataset}/{language}.parquet",
    log:
        "logs/synthesize/{dataset}/{language}.log",
    conda:
        "../../envs/synthesis.yaml"
    params:
        recipe=recipe_of,
        language=lookup("{language}", within=STUDY.identities),
        phrases=teacher_phrases,
        code=fingerprint("synthesize.py"),
    script:
        "../scripts/synthesize.py"


rule curate:
    """Keep the examples worth learning from, and count every dropped one by its reason."""
    input:
        rows="results/synthesized/{dataset}/{language}.parquet",
    output:
        examples="results/examples/{dataset}/{language}.parquet",
        dropped="results/dropped/{dataset}/{language}.parquet",
    log:
        "logs/curate/{dataset}/{language}.log",
    conda:
        "../../envs/synthesis.yaml"
    params:
        language=lookup("{language}", within=STUDY.identities),
        limits=lookup("{dataset}", within=STUDY.limits),
        code=fingerprint("curate.py"),
    script:
        "../scripts/curate.py"


rule mix:
    """Mix a dataset's languages into the set that is finetuned on."""
    input:
        examples=examples_of_dataset,
    output:
        mixture="results/mixtures/{dataset}.parquet",
    log:
        "logs/mix/{dataset}.log",
    conda:
        "../../envs/synthesis.yaml"
    params:
        mix=lookup("{dataset}", within=STUDY.mixes),
        code=fingerprint("mix.py"),
    script:
        "../scripts/mix.py"
