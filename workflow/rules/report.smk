from dataclasses import asdict

from maple.definitions.hardware import read_hardware
from maple.planning.plan import plan_of

HARDWARE = read_hardware(ROOT / "config/hardware.tsv")
# Where the forecast looks for finished parts.
RESULT_PATHS = {
    "card": "results/cards/{run}/{stage}.json",
    "base": "results/base/{model}/config.json",
    "build": "results/base/{model}/build.json",
    "fetched": "results/cards/fetch/{repository}.json",
    "prompts": "results/prompts/{task}/{language}.parquet",
    "completions": "results/generations/{run}/{language}.parquet",
}
ADAPTED = [run for run in STUDY.runs if run["method"] != BASELINE["method"]]
MERGED = [run for run in ADAPTED if run["method"] not in STUDY.attached]
COMPARED = [run for run in ADAPTED if run["method"] in STUDY.comparable and config["generate"]["compare_attached"]]
MIXED = sorted({run["dataset"] for run in ADAPTED})
TABLES = [*(task for task, codes in STUDY.task_languages.items() if codes), "all"]
FIGURES = ["questions", "leaderboard", "languages", "rank", "bits", "english"]
# The Hub's names of the datasets that come from there.
HUB_DATASETS = {
    name: recipe["load"]["hub"]["dataset"] for name, recipe in STUDY.recipes.items() if "hub" in recipe.get("load", {})
}
DATASET_LANGUAGES = [f"{dataset}/{code}" for dataset, codes in STUDY.dataset_languages.items() for code in codes]


rule summarize:
    """Summarize all scores, with intervals and the changes against the bases; answer the study's questions."""
    input:
        scores=[path for code in STUDY.languages for path in for_runs(f"results/scores/{{run}}/{code}.parquet")],
        clusters=[
            f"results/clusters/{task}/{code}.parquet"
            for task in STUDY.clusterings
            for code in STUDY.task_languages[task]
        ],
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
        runs=STUDY.runs,
        tasks=STUDY.measures,
        languages=list(STUDY.languages.values()),
        finetuned_in=STUDY.dataset_languages,
        settings=config["report"],
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
            *for_runs("results/cards/{run}/finetune.json", ADAPTED),
            *for_runs("results/cards/{run}/merge.json", MERGED),
            *for_runs("results/cards/{run}/generate.json"),
            *for_runs("results/cards/{run}/compare_attached.json", COMPARED),
        ],
        prompts=PROMPTS,
        examples=expand("results/examples/{set}.parquet", set=DATASET_LANGUAGES),
        dropped=expand("results/dropped/{set}.parquet", set=DATASET_LANGUAGES),
        syntheses=expand("results/cards/synthesize/{set}.json", set=DATASET_LANGUAGES),
        mixtures=expand("results/cards/mix/{dataset}.json", dataset=MIXED),
        cleared=[
            f"results/cleared/{dataset}/{code}.json"
            for dataset in MIXED
            for code in STUDY.dataset_languages[dataset]
            if STUDY.tested
        ],
    output:
        report="results/report.html",
    log:
        "logs/report.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        runs=STUDY.runs,
        tasks=STUDY.measures,
        languages=list(STUDY.languages.values()),
        finetuned_in=STUDY.dataset_languages,
        identities={code: STUDY.identities[code] for codes in STUDY.dataset_languages.values() for code in codes},
        low_classes=config["report"]["low_resource_classes"],
        note=config["note"],
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
        plan=lambda wildcards: plan_of(STUDY, config).params(),
        hardware=asdict(HARDWARE[config["forecast"]["hardware"]]),
        core_watts=HARDWARE["cpu"].watts,
        results=lambda wildcards: RESULT_PATHS,
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
        languages=list(STUDY.languages.values()),
        low_classes=config["report"]["low_resource_classes"],
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
        runs=STUDY.runs,
        languages=list(STUDY.languages.values()),
        settings=config["report"],
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
        runs=STUDY.runs,
        tasks=STUDY.measures,
        renderings=STUDY.renderings,
        asked=STUDY.asked,
        code=fingerprint("export.py"),
    script:
        "../scripts/export.py"


rule describe:
    """Write the model cards, in the Hub's format, of merged models and of adapters."""
    input:
        summary="results/summary.parquet",
        groups="results/groups.parquet",
        cards=[
            *for_runs("results/cards/{run}/finetune.json", ADAPTED),
            *for_runs("results/cards/{run}/merge.json", MERGED),
        ],
    output:
        merged=for_runs("results/model_cards/merged/{run}/README.md", MERGED),
        adapters=for_runs("results/model_cards/adapters/{run}/README.md", ADAPTED),
    log:
        "logs/describe.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        merged=MERGED,
        adapted=ADAPTED,
        identities={
            code: STUDY.identities[code]
            for codes in ([*STUDY.languages], *STUDY.dataset_languages.values())
            for code in codes
        },
        dataset_languages=STUDY.dataset_languages,
        sources={task: STUDY.sources[task] for task in STUDY.tasks},
        hub_datasets=HUB_DATASETS,
        licenses=STUDY.licenses,
        note=config["note"],
        code=fingerprint("describe.py"),
    script:
        "../scripts/describe.py"


for code in STUDY.languages:

    rule:
        """One language, scored over all runs."""
        name:
            code
        input:
            for_runs(f"results/scores/{{run}}/{code}.parquet"),
            # A job that failed has left none: without them, scores of what it did not replace would count as current.
            for_runs("results/cards/{run}/generate.json"),
