MERGED = [run for run in STUDY.finetuned if not STUDY.methods[run.method].attached]
COMPARABLE = [run for run in STUDY.finetuned if STUDY.methods[run.method].comparable]
COMPARED = COMPARABLE if STUDY.config.generate.compare_attached else []
MIXED = sorted({run.dataset for run in STUDY.finetuned})
CLUSTERED = [task for task in STUDY.tasks.values() if task.clustering]
TABLES = [*(task.name for task in STUDY.tasks.values() if task.languages), "all"]
FIGURES = ["questions", "leaderboard", "languages", "rank", "bits", "english"]
DATASET_LANGUAGES = {dataset.name: dataset.languages for dataset in STUDY.datasets.values()}
EXAMPLES = [f"{dataset}/{code}" for dataset, codes in DATASET_LANGUAGES.items() for code in codes]
# As params: plain values, which Snakemake compares.
RUNS = [run.params() for run in STUDY.runs]
LANGUAGES = [language.params() for language in STUDY.languages.rows]
METRICS = {task.name: task.metrics.params() for task in STUDY.tasks.values()}


def identities(codes):
    """Code, name, iso639_1 and script of languages, by code."""
    return {code: STUDY.languages.identity(code).params() for code in codes}


rule summarize:
    """Summarize all scores, with intervals and the changes against the bases; answer the study's questions."""
    input:
        scores=[path for code in CODES for path in for_runs(f"results/scores/{{run}}/{code}.parquet")],
        clusters=[f"results/clusters/{task.name}/{code}.parquet" for task in CLUSTERED for code in task.languages],
    output:
        summary="results/summary.parquet",
        table="results/summary.csv",
        groups="results/groups.parquet",
        groups_by_task="results/groups_by_task.parquet",
        questions="results/questions.json",
        leaderboard="results/leaderboard.txt",
    log:
        "logs/summarize.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        runs=RUNS,
        tasks=METRICS,
        languages=LANGUAGES,
        finetuned_in=DATASET_LANGUAGES,
        settings=STUDY.config.report.params(),
        code=fingerprint("summarize.py"),
    script:
        "../scripts/summarize.py"


rule report:
    """Write the report, one self-contained page."""
    input:
        summary="results/summary.parquet",
        groups="results/groups.parquet",
        groups_by_task="results/groups_by_task.parquet",
        questions="results/questions.json",
        cards=[
            *for_runs("results/cards/{run}/finetune.json", STUDY.finetuned),
            *for_runs("results/cards/{run}/merge.json", MERGED),
            *for_runs("results/cards/{run}/generate.json"),
            *for_runs("results/cards/{run}/compare_attached.json", COMPARED),
        ],
        prompts=PROMPTS,
        examples=expand("results/examples/{set}.parquet", set=EXAMPLES),
        dropped=expand("results/dropped/{set}.parquet", set=EXAMPLES),
        syntheses=expand("results/cards/synthesize/{set}.json", set=EXAMPLES),
        mixtures=expand("results/cards/mix/{dataset}.json", dataset=MIXED),
        cleared=[
            f"results/cleared/{dataset}/{code}.json"
            for dataset in MIXED
            for code in DATASET_LANGUAGES[dataset]
            if STUDY.tests
        ],
    output:
        report="results/report.html",
    log:
        "logs/report.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        runs=RUNS,
        tasks=METRICS,
        languages=LANGUAGES,
        finetuned_in=DATASET_LANGUAGES,
        identities=identities(code for codes in DATASET_LANGUAGES.values() for code in codes),
        low_classes=STUDY.config.report.low_resource_classes,
        note=STUDY.config.note,
        code=fingerprint("report.py"),
    script:
        "../scripts/report.py"


localrules:
    forecast,


rule forecast:
    """Print what the study will take, stage by stage, from what is declared and what is there already."""

    # No outputs: nothing waits for a forecast, and it is made anew each time that it is asked for.
    log:
        table="results/forecast.txt",
        figures="results/forecast.json",
    conda:
        "../../envs/analysis.yaml"
    params:
        study={"study": STUDY, "config": config, "hardware": ROOT / "config/hardware.tsv", "results": "results"},
        code=fingerprint("forecast.py"),
    script:
        "../scripts/forecast.py"


rule tabulate:
    """Write the scores as tables like a paper's, in LaTeX and Markdown."""
    input:
        summary="results/summary.parquet",
    output:
        expand("results/tables/{table}.{format}", table=TABLES, format=["tex", "md"]),
    log:
        "logs/tabulate.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        tasks=list(STUDY.tasks),
        languages=LANGUAGES,
        low_classes=STUDY.config.report.low_resource_classes,
        code=fingerprint("tabulate.py"),
    script:
        "../scripts/tabulate.py"


rule draw:
    """Draw the figures, for print and for Snakemake's own report."""
    input:
        summary="results/summary.parquet",
        groups="results/groups.parquet",
        questions="results/questions.json",
    output:
        [report(f"results/figures/{name}.svg", caption=f"../report/{name}.rst", category="Figures") for name in FIGURES],
    log:
        "logs/draw.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        runs=RUNS,
        languages=LANGUAGES,
        settings=STUDY.config.report.params(),
        code=fingerprint("draw.py"),
    script:
        "../scripts/draw.py"


rule export:
    """Write each run's results in the form of the LM Evaluation Harness."""
    input:
        summary="results/summary.parquet",
        cards=for_runs("results/cards/{run}/generate.json"),
        prompts=PROMPTS,
    output:
        for_runs("results/lm_eval/{run}/results_maple.json"),
    log:
        "logs/export.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        runs=RUNS,
        tasks=METRICS,
        renderings={task.name: task.prompt_spec.params() for task in STUDY.tasks.values()},
        asked={task.name: task.settings.params() for task in STUDY.tasks.values()},
        code=fingerprint("export.py"),
    script:
        "../scripts/export.py"


rule describe:
    """Write the model cards, in the Hub's format, of merged models and of adapters."""
    input:
        summary="results/summary.parquet",
        groups="results/groups.parquet",
        cards=[
            *for_runs("results/cards/{run}/finetune.json", STUDY.finetuned),
            *for_runs("results/cards/{run}/merge.json", MERGED),
        ],
    output:
        merged=for_runs("results/model_cards/merged/{run}/README.md", MERGED),
        adapters=for_runs("results/model_cards/adapters/{run}/README.md", STUDY.finetuned),
    log:
        "logs/describe.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        merged=[run.params() for run in MERGED],
        adapted=[run.params() for run in STUDY.finetuned],
        identities=identities(code for codes in (CODES, *DATASET_LANGUAGES.values()) for code in codes),
        dataset_languages=DATASET_LANGUAGES,
        sources={task.name: task.source for task in STUDY.tasks.values()},
        hub_datasets={dataset.name: dataset.hub_name for dataset in STUDY.datasets.values() if dataset.hub_name},
        licenses={name: model.license for name, model in STUDY.models.items() if model.license},
        note=STUDY.config.note,
        code=fingerprint("describe.py"),
    script:
        "../scripts/describe.py"


# A rule per language: a target is the name of a rule or of a file, and one rule with a wildcard would have to make files
# that are named as the languages.
for code in CODES:

    rule:
        """One language, scored over all runs."""
        name:
            code
        input:
            for_runs(f"results/scores/{{run}}/{code}.parquet"),
            # A job that failed has left none: without them, scores of what it did not replace would count as current.
            for_runs("results/cards/{run}/generate.json"),
