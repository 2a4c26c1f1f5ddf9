"""MAPLE: how instruction data, adapter rank and base precision change a finetuned model in every language."""

from collections import Counter
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.utils import min_version

from maple.runtime.locks import LockedError, lock_until_exit
from maple.runtime.logs import show
from maple.runtime.terminal import follow, leave

min_version("9.27")


# The default study, of the working folder (`--directory`) if it has one.
DEFAULT = Path("config/config.yaml")


configfile: DEFAULT if DEFAULT.is_file() else Path(workflow.basedir) / DEFAULT


report: "workflow/report/study.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/synthesis_functions.smk"
include: "workflow/rules/synthesis.smk"
include: "workflow/rules/finetuning_functions.smk"
include: "workflow/rules/finetuning.smk"
include: "workflow/rules/evaluation_functions.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/report_functions.smk"
include: "workflow/rules/report.smk"


rule all:
    """The whole study: summary and report, tables, figures, model cards, and files for the LM Evaluation Harness."""
    default_target: True
    input:
        "results/summary.parquet",
        "results/report.html",
        rules.tabulate.output,
        rules.draw.output,
        rules.export.output,
        rules.describe.output if STUDY.finetuned else [],


rule publish:
    """Upload the study's adapters or merged models to the Hub, as the config's `publish:` says; no part of `all`."""
    input:
        published,


# A fetched repository needs no record: its name has the revision.
for each in list(workflow.rules):
    if each.name != "fetch":
        each.set_input(recorded=unrecorded(each))


onstart:
    # The lock of the system, which no killed Snakemake leaves behind as it does its own (`nolock` in the profiles).
    try:
        lock_until_exit("results/.lock", "runs a study in this folder", wait=False)
    except LockedError as error:
        raise WorkflowError(f"{error}: wait until it has ended, or end it") from None
    # Who asks Snakemake to say more or less gets its own lines.
    if not (
        workflow.output_settings.verbose
        or workflow.output_settings.printshellcmds
        or workflow.output_settings.quiet
    ):
        follow(logger, Counter(job.rule.name for job in workflow.dag.needrun_jobs()))


onerror:
    leave(logger)


onsuccess:
    leave(logger)
    leaderboard, page = Path("results/leaderboard.txt"), Path("results/report.html")
    if leaderboard.is_file() and page.is_file():
        show(
            f"{leaderboard.read_text(encoding='utf-8')}\nReport: {page.resolve()}\n"
            "Next: docs/tutorial.md adds a language, a model and a question; `snakemake plan -c1 --quiet all`, with the study's "
            "own arguments, says which design would settle the open questions"
        )
