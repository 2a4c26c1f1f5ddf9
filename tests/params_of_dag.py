"""Finds the params of all planned jobs that are no plain values: Snakemake silently takes such a value for unchanged.

A program of its own: its arguments are a file for what it finds, as JSON, and Snakemake's arguments.
"""

import json
import sys
from pathlib import Path

import snakemake.cli
import snakemake.dag

PLAIN = (str, int, float, bool, type(None))


def not_plain(value):
    """Yield the types of what is no plain value, at any depth."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from not_plain(key)
            yield from not_plain(part)
    elif type(value) in (list, tuple):
        for part in value:
            yield from not_plain(part)
    elif type(value) not in PLAIN:
        yield type(value).__name__


def main():
    postprocess = snakemake.dag.DAG.postprocess

    async def noted(dag, *args, **options):
        result = await postprocess(dag, *args, **options)
        params = [(job.rule.name, name, value) for job in dag.jobs for name, value in job.params.items()]
        kinds = {f"{rule}: {name}: {kind}" for rule, name, value in params for kind in not_plain(value)}
        Path(sys.argv[1]).write_text(json.dumps({"params": len(params), "not plain": sorted(kinds)}))
        return result

    snakemake.dag.DAG.postprocess = noted
    snakemake.cli.main([*sys.argv[2:], "--dry-run", "--forceall", "--nolock", "--quiet", "all"])


if __name__ == "__main__":
    main()
