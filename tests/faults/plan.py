"""Writes one job of each rule of a study, as Snakemake gives it to the rule's script, and which outputs it may keep.

A program of its own: its arguments are a file for the jobs, pickled as Snakemake does it, and Snakemake's arguments.
"""

import pickle
import sys
from pathlib import Path

import snakemake.cli
import snakemake.dag
from snakemake.io import is_flagged
from snakemake.script import Snakemake


def given(job) -> Snakemake:
    """Return what the script of a job is given under the name `snakemake`."""
    parts = [job.input, job.output, job.params, job.wildcards, job.threads, job.resources, job.log, {}, job.rule.name]
    return Snakemake(*parts, None)


def main():
    postprocess = snakemake.dag.DAG.postprocess

    async def noted(dag, *args, **options):
        result = await postprocess(dag, *args, **options)
        jobs = {}
        # The last of each rule: of runs the finetuned one, of languages Swahili.
        for job in sorted(dag.jobs, key=lambda job: [str(path) for path in job.output]):
            if job.rule.script and (job.rule.name != "generate" or "none" not in job.wildcards):
                jobs[job.rule.name] = job
        kept = {name: [str(path) for path in job.output if is_flagged(path, "update")] for name, job in jobs.items()}
        plan = {name: (given(job), str(job.rule.script), kept[name]) for name, job in jobs.items()}
        Path(sys.argv[1]).write_bytes(pickle.dumps(plan))
        return result

    snakemake.dag.DAG.postprocess = noted
    snakemake.cli.main([*sys.argv[2:], "--dry-run", "--forceall", "--nolock", "--quiet", "all"])


if __name__ == "__main__":
    main()
