"""Finetune an adapter."""

import shutil

from maple.runtime.files import folder_written_aside, write_json
from maple.runtime.gpu_locks import claim
from maple.runtime.logs import log_to
from maple.runtime.processes import on_processes
from maple.training.finetuning import finetune

log_to(snakemake.log[0])
claim(snakemake.resources.get("gpu", 1))
with folder_written_aside(snakemake.output.adapter) as folder:
    card = on_processes(
        snakemake.resources.get("gpu", 1),
        finetune,
        snakemake.input.base,
        snakemake.input.mixture,
        snakemake.input.held_out,
        folder,
        cell=snakemake.params.cell,
        model=snakemake.params.model,
        seed=snakemake.params.run["seed"],
        threads=snakemake.threads,
        checkpoints=snakemake.params.checkpoints,
        code=snakemake.params.code,
        sharded=bool(snakemake.resources.get("sharded", 0)),
    )
write_json({"stage": snakemake.rule, "run": snakemake.params.run, **card}, snakemake.output.card)
shutil.rmtree(snakemake.params.checkpoints["folder"])
