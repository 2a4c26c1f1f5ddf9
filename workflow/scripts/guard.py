"""Refuse a dataset that holds, in one language, passages it will be tested on."""

import polars as pl

from maple.contamination import refuse_passages
from maple.files import write_json
from maple.logs import log_to

log_to(snakemake.log[0])
checked = refuse_passages(
    pl.read_parquet(snakemake.input.examples),
    guards=snakemake.params.guards,
    dataset=snakemake.wildcards.dataset,
)
write_json(checked, snakemake.output.cleared)
