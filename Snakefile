"""MAPLE: what data, adapter rank and base precision do to every language of a finetuned model."""

from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")


configfile: "config/config.yaml"


report: "workflow/report/study.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/synthesis.smk"
include: "workflow/rules/finetuning.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/report.smk"


rule all:
    """The whole study: the summary and the report, and the same as tables, figures and for other tools."""
    default_target: True
    input:
        "results/summary.parquet",
        "results/report.html",
        rules.tabulate.output,
        rules.draw.output,
        rules.export.output,
        rules.describe.output if STUDY.finetuned else [],


onsuccess:
    leaderboard, page = Path("results/leaderboard.txt"), Path("results/report.html")
    if leaderboard.is_file() and page.is_file():
        print(leaderboard.read_text(), f"\nReport: {page.resolve()}", sep="")
