"""Fold an adapter into its base's 16-bit weights."""

from maple.files import folder_written_aside, write_json
from maple.logs import log_to
from maple.merging import merge

log_to(snakemake.log[0])
with folder_written_aside(snakemake.output.merged) as folder:
    card = merge(
        snakemake.input.base,
        snakemake.input.adapter,
        folder,
        bits=snakemake.params.bits,
        bound=snakemake.params.bound,
        model=snakemake.params.model,
        threads=snakemake.threads,
    )
write_json({"stage": snakemake.rule, "run": snakemake.params.run, **card}, snakemake.output.card)
