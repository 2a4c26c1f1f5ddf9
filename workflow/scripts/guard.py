"""Refuse a dataset that holds, in one language, passages it may not; count what overlaps with its test rows."""

import polars as pl

from maple.data.contamination import guard
from maple.runtime.files import write_json
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
compared = guard(
    pl.read_parquet(snakemake.input.examples),
    tests=snakemake.params.tests,
    dataset=snakemake.wildcards.dataset,
)
print(*compared.items(), sep="\n")
write_json(compared, snakemake.output.cleared)
