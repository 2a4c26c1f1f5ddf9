from dataclasses import asdict

from maple.definitions.hardware import read_hardware
from maple.report.figure_names import figure_names

HARDWARE = read_hardware(ROOT / "config/hardware.tsv")
# Where the forecast looks for results that are already there.
RESULT_PATHS = {
    "card": "results/cards/{run}/{stage}.json",
    "base": "results/base/{model}",
    "build": "results/base/{model}/build.json",
    "fetched": "results/cards/fetch/{repository}.json",
    "prompts": "results/prompts/{task}/{language}.parquet",
    "completions": "results/generations/{run}/{language}.parquet",
}
MERGED_RUNS = [run for run in STUDY.finetuned if STUDY.methods[run.method].merged]
# Runs of which a whole model is saved, and those of which an adapter is.
MODEL_RUNS = [run for run in STUDY.finetuned if run.method in SAVING_MODELS]
ADAPTER_RUNS = [run for run in STUDY.finetuned if run.method in SAVING_ADAPTERS]
MODEL_CARDS = {
    "merged": for_runs("results/model_cards/merged/{run}/README.md", MERGED_RUNS),
    "adapters": for_runs("results/model_cards/adapters/{run}/README.md", ADAPTER_RUNS),
    "trained": for_runs("results/model_cards/trained/{run}/README.md", MODEL_RUNS),
}
# The model cards that are uploaded with what they describe.
PUBLISHED_KIND = "merged" if STUDY.config.publish and STUDY.config.publish.what == "merged" else "adapters"
MIXTURES = sorted({run.dataset for run in STUDY.finetuned})
FINETUNING_DATASETS = sorted({STUDY.mixtures[name].dataset for name in MIXTURES})
CLUSTER_TASKS = [task for task in STUDY.tasks.values() if task.clustering]
TABLES = [*(task.name for task in STUDY.tasks.values() if task.languages), "all"]
if any(run.axis("domain") for run in STUDY.runs):
    TABLES.append("domains")
# The figures that the grid gives, each with the name of its caption.
FIGURES = figure_names(STUDY.runs, CODES)
DATASET_LANGUAGES = {dataset.name: dataset.languages for dataset in STUDY.datasets.values()}
# The same for the datasets of runs, which have names of their own at each size.
FINETUNED_IN = DATASET_LANGUAGES | {name: DATASET_LANGUAGES[STUDY.mixtures[name].dataset] for name in MIXTURES}
EXAMPLES = [f"{dataset}/{code}" for dataset, codes in DATASET_LANGUAGES.items() for code in codes]
# Params are plain values: Snakemake compares no others.
RUNS = [run.params() for run in STUDY.runs]
LANGUAGES = [language.params() for language in STUDY.languages.rows]
TRAINED_AS = {run.path: STUDY.trained_as(run, DIGESTS) for run in STUDY.finetuned}
CARDS = [
    *for_runs("results/cards/{run}/finetune.json", STUDY.finetuned),
    *for_runs("results/cards/{run}/merge.json", MERGED_RUNS),
    *for_runs("results/cards/{run}/generate.json"),
]
# Tasks whose answers are labels, and the runs that are asked one of them.
LABELLED_TASKS = [task.name for task in STUDY.tasks.values() if task.definition.one_label]
LABELLED_RUNS = [run for run in STUDY.runs if not set(run.tasks).isdisjoint(LABELLED_TASKS)]
# Tasks whose answers the report shows beside their pictures, and the runs that are asked one of them.
SHOWN_TASKS = [task for task in STUDY.tasks.values() if task.prompt_spec.pictures]
SHOWN_RUNS = [run for run in STUDY.runs if not {task.name for task in SHOWN_TASKS}.isdisjoint(run.tasks)]
SHOWN_CODES = [code for code in CODES if any(code in task.languages for task in SHOWN_TASKS)]
# The models that are asked for translations and have a tokenizer.
TRANSLATORS = list(
    dict.fromkeys(run.model for run in STUDY.runs if translations_of(run.tasks) and STUDY.endpoint(run.model) is None)
)
# The looks at the study, and the present one; nothing if there is one look alone.
LOOKS = STUDY.config.all_looks.params()
METRICS = {task.name: task.metrics.params() for task in STUDY.tasks.values()}


rule summarize:
    """Summarize all scores, with intervals and changes against the untouched bases; answer the study's questions."""
    input:
        scores=[path for code in CODES for path in for_runs(f"results/scores/{{run}}/{code}.parquet")],
        clusters=[f"results/clusters/{task.name}/{code}.parquet" for task in CLUSTER_TASKS for code in task.languages],
        cards=CARDS,
    output:
        summary="results/summary.parquet",
        table="results/summary.csv",
        groups="results/groups.parquet",
        groups_by_task="results/groups_by_task.parquet",
        domains="results/domains.parquet",
        methods="results/methods.parquet",
        questions="results/questions.json",
        board="results/leaderboard.parquet",
        leaderboard="results/leaderboard.txt",
    log:
        "logs/summarize.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        runs=RUNS,
        tasks=METRICS,
        languages=LANGUAGES,
        finetuned_in=FINETUNED_IN,
        trained_as=TRAINED_AS,
        most_items={task.name: task.most_items for task in STUDY.tasks.values()},
        settings=STUDY.config.report.params(),
        looks=LOOKS,
        questions={name: question.params() for name, question in STUDY.questions.items()},
        code=fingerprint("summarize.py"),
    script:
        "../scripts/summarize.py"


rule count_labels:
    """Count which labels were answered for which, and how often answers of each confidence were right."""
    input:
        generations=[
            path for code in CODES for path in for_runs(f"results/generations/{{run}}/{code}.parquet", LABELLED_RUNS)
        ],
        # The run card is removed when a job fails; without it here, old completions would pass for new ones.
        cards=for_runs("results/cards/{run}/generate.json", LABELLED_RUNS),
    output:
        confusion="results/confusion.parquet",
        reliability="results/reliability.parquet",
    log:
        "logs/count_labels.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        # That of each file of `generations`.
        runs=[run.key.params() for _ in CODES for run in LABELLED_RUNS],
        tasks=LABELLED_TASKS,
        readings=readings_of(LABELLED_TASKS),
        writings={code: STUDY.languages.writing(code).params() for code in CODES},
        code=fingerprint("count_labels.py"),
    script:
        "../scripts/count_labels.py"


rule sample_answers:
    """Choose items of tasks about pictures, with their pictures and answers, for the report."""
    input:
        summary="results/summary.parquet",
        scores=[path for code in SHOWN_CODES for path in for_runs(f"results/scores/{{run}}/{code}.parquet", SHOWN_RUNS)],
        prompts=[path for task in SHOWN_TASKS for path in PROMPTS_OF_TASKS[task.name]],
        pictures=pictures_of([task.name for task in SHOWN_TASKS], "asked"),
    output:
        answers="results/picture_answers.json",
    log:
        "logs/sample_answers.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        runs=[run.params() for run in SHOWN_RUNS],
        tasks={task.name: METRICS[task.name] for task in SHOWN_TASKS},
        languages=[language for language in LANGUAGES if language["code"] in SHOWN_CODES],
        low_classes=STUDY.config.report.low_resource_classes,
        code=fingerprint("sample_answers.py"),
    script:
        "../scripts/sample_answers.py"


rule report:
    """Write the report, one self-contained page."""
    input:
        summary="results/summary.parquet",
        groups="results/groups.parquet",
        groups_by_task="results/groups_by_task.parquet",
        domains="results/domains.parquet",
        methods="results/methods.parquet",
        board="results/leaderboard.parquet",
        questions="results/questions.json",
        confusion="results/confusion.parquet",
        reliability="results/reliability.parquet",
        ceilings=[f"results/ceilings/{model}.parquet" for model in TRANSLATORS],
        pictured=["results/picture_answers.json"] if SHOWN_TASKS else [],
        cards=[*CARDS, *for_runs("results/cards/{run}/compare_attached.json", STUDY.compared)],
        prompts=PROMPTS,
        examples=expand("results/examples/{set}.parquet", set=EXAMPLES),
        dropped=expand("results/dropped/{set}.parquet", set=EXAMPLES),
        syntheses=expand("results/cards/synthesize/{set}.json", set=EXAMPLES),
        mixtures=expand("results/cards/mix/{dataset}.json", dataset=MIXTURES),
        cleared=[
            f"results/cleared/{dataset}/{code}.json"
            for dataset in FINETUNING_DATASETS
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
        finetuned_in=FINETUNED_IN,
        trained_as=TRAINED_AS,
        identities=identities(code for codes in DATASET_LANGUAGES.values() for code in codes),
        low_classes=STUDY.config.report.low_resource_classes,
        note=STUDY.config.note,
        # The page lists missing results, and with this the commands that compute them.
        rerun={
            "command": "snakemake --cores all --forcerun",
            "prompts": "results/prompts/{task}/{language}.parquet",
            "completions": "results/generations/{run}/{language}.parquet",
        },
        code=fingerprint("report.py"),
    script:
        "../scripts/report.py"


localrules:
    forecast,


rule forecast:
    """Print what the study will take, per stage, from the config and the results that are already there."""

    # It has no outputs, so that it runs each time it is asked for.
    log:
        table="results/forecast.txt",
        figures="results/forecast.json",
    conda:
        "../../envs/forecast.yaml"
    params:
        plan=planned_study,
        hardware=asdict(HARDWARE[STUDY.config.forecast.hardware]),
        core_watts=HARDWARE["cpu"].watts,
        results=places_of_results,
        memory=".snakemake/sizes_of_models.json",
        code=fingerprint("forecast.py"),
    script:
        "../scripts/forecast.py"


localrules:
    plan,


rule plan:
    """Print the cheapest design that finds what the study is to find, by the variances of a finished pilot."""

    # It has no outputs, so that it runs each time it is asked for, and no inputs, so that it computes no pilot.
    log:
        table="results/plan.txt",
        overlay="results/plan.yaml",
    conda:
        "../../envs/forecast.yaml"
    params:
        plan=planned_study,
        hardware=asdict(HARDWARE[STUDY.config.forecast.hardware]),
        core_watts=HARDWARE["cpu"].watts,
        results=places_of_results,
        memory=".snakemake/sizes_of_models.json",
        pilot="results/questions.json",
        code=fingerprint("plan.py"),
    script:
        "../scripts/plan.py"


localrules:
    settled,


rule settled:
    """Print which questions are settled at this look, and what the next look adds."""
    input:
        questions="results/questions.json",
        prompts=PROMPTS,
        cards=for_runs("results/cards/{run}/generate.json"),
    # It has no outputs, so that it runs each time it is asked for.
    log:
        table="results/settled.txt",
    conda:
        "../../envs/analysis.yaml"
    params:
        answers=[STUDY.answers(run) for run in STUDY.runs],
        rows_wanted=STUDY.config.items,
        looks=LOOKS,
        code=fingerprint("settled.py"),
    script:
        "../scripts/settled.py"


rule tabulate:
    """Write the scores as tables for a paper, in LaTeX and Markdown."""
    input:
        summary="results/summary.parquet",
        domains="results/domains.parquet",
    output:
        expand("results/tables/{table}.{format}", table=TABLES, format=["tex", "md"]),
    log:
        "logs/tabulate.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        runs=RUNS,
        tasks=list(STUDY.tasks),
        languages=LANGUAGES,
        low_classes=STUDY.config.report.low_resource_classes,
        code=fingerprint("tabulate.py"),
    script:
        "../scripts/tabulate.py"


rule draw:
    """Draw the figures, for papers and for Snakemake's own report."""
    input:
        board="results/leaderboard.parquet",
        groups="results/groups.parquet",
        questions="results/questions.json",
    output:
        [
            report(f"results/figures/{name}.svg", caption=f"../report/{caption}.rst", category="Figures")
            for name, caption in FIGURES.items()
        ],
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
    """Write each run's results in the format of the LM Evaluation Harness; remove results of runs of other studies."""
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
        tasks={
            task.name: {
                "measured": task.metrics.params(),
                "spec": task.prompt_spec.params(),
                "settings": task.settings.params(),
            }
            for task in STUDY.tasks.values()
        },
        answers=[STUDY.answers(run) for run in STUDY.runs],
        # Of these, others are removed: a study of bases alone has no job that writes the folder.
        model_cards=[path for paths in MODEL_CARDS.values() for path in paths],
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
            *for_runs("results/cards/{run}/merge.json", MERGED_RUNS),
        ],
    output:
        **MODEL_CARDS,
    log:
        "logs/describe.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        merged=[run.params() for run in MERGED_RUNS],
        adapted=[run.params() for run in ADAPTER_RUNS],
        whole=[run.params() for run in MODEL_RUNS],
        trained_as=TRAINED_AS,
        merged_folders=for_runs("results/merged/{run}", MERGED_RUNS),
        adapter_folders=for_runs("results/adapters/{run}", ADAPTER_RUNS),
        model_folders=for_runs("results/trained/{run}", MODEL_RUNS),
        identities=identities(code for codes in (CODES, *DATASET_LANGUAGES.values()) for code in codes),
        dataset_languages=FINETUNED_IN,
        sources={task.name: {STUDY.config.task_source: task.source.params()} for task in STUDY.tasks.values()},
        hub_datasets={dataset.name: dataset.hub_name for dataset in STUDY.datasets.values() if dataset.hub_name},
        licenses={name: model.license for name, model in STUDY.models.items() if model.license},
        note=STUDY.config.note,
        looks=LOOKS,
        repositories=({PUBLISHED_KIND: STUDY.published, "trained": STUDY.published} if STUDY.published else {}),
        code=fingerprint("describe.py"),
    script:
        "../scripts/describe.py"


localrules:
    upload,


rule upload:
    """Upload a run's adapter or model to the Hub, with its model card, in one commit."""
    input:
        weights=published_weights,
        card=published_card,
    output:
        record=update(f"results/published/{RUN}.json"),
    log:
        f"logs/upload/{RUN}.log",
    conda:
        "../../envs/hub.yaml"
    params:
        repository=published_repository,
        private=STUDY.config.publish.private if STUDY.config.publish else None,
        code=fingerprint("upload.py"),
    script:
        "../scripts/upload.py"


# One rule per language, so that `snakemake swh_Latn` works: a target is the name of a rule or of a file, and one rule
# with a wildcard would have to write a file with the language's name.
for code in CODES:

    rule:
        """The scores of all runs in one language."""
        name:
            code
        input:
            for_runs(f"results/scores/{{run}}/{code}.parquet"),
            # The run card is removed when a job fails; without it here, old completions would pass for new ones.
            for_runs("results/cards/{run}/generate.json"),
