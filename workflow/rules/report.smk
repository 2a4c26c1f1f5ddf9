ADAPTED = [run for run in STUDY.runs if run["method"] != BASELINE["method"]]
MERGED = [run for run in ADAPTED if run["method"] not in STUDY.attached]
COMPARED = [run for run in ADAPTED if run["method"] in STUDY.comparable and config["generate"]["compare_attached"]]
MIXED = sorted({run["dataset"] for run in ADAPTED})
DATASET_LANGUAGES = [f"{dataset}/{code}" for dataset, codes in STUDY.dataset_languages.items() for code in codes]


rule summarize:
    """Summarize all scores, with intervals and the changes against the bases; answer the study's questions."""
    input:
        scores=[path for code in STUDY.languages for path in for_runs(f"results/scores/{{run}}/{code}.parquet")],
    output:
        summary="results/summary.parquet",
        groups="results/groups.parquet",
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
        study={"study": STUDY, "config": config, "hardware": ROOT / "config/hardware.tsv", "results": "results"},
        code=fingerprint("forecast.py"),
    script:
        "../scripts/forecast.py"


for code in STUDY.languages:

    rule:
        """One language, scored over all runs."""
        name:
            code
        input:
            for_runs(f"results/scores/{{run}}/{code}.parquet"),
