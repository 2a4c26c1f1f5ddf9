"""MAPLE: what data, adapter rank and base precision do to every language of a finetuned model."""

from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")


configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/synthesis.smk"
include: "workflow/rules/finetuning.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/report.smk"


rule all:
    """The whole study: the summary and the report."""
    default_target: True
    input:
        "results/summary.parquet",
        "results/report.html",


onsuccess:
    leaderboard, page = Path("results/leaderboard.txt"), Path("results/report.html")
    if leaderboard.is_file() and page.is_file():
        print(leaderboard.read_text(), f"\nReport: {page.resolve()}", sep="")
