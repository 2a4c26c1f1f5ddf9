"""Fold an adapter into 16-bit weights, and check that it still is the model that was trained."""

import polars as pl

from maple.runtime.files import folder_written_aside, write_json
from maple.runtime.gpu_locks import claim
from maple.runtime.logs import log_to
from maple.training.merging import merge

log_to(snakemake.log[0])
claim(snakemake.resources.get("gpu", 1))
with folder_written_aside(snakemake.output.merged) as folder:
    card = merge(
        snakemake.input.base,
        snakemake.input.adapter,
        pl.read_parquet(snakemake.input.held_out),
        folder,
        bits=snakemake.params.bits,
        max_length=snakemake.params.max_length,
        settings=snakemake.params.settings,
        model=snakemake.params.model,
        threads=snakemake.threads,
    )
write_json({"stage": snakemake.rule, "run": snakemake.params.run, **card}, snakemake.output.card)
