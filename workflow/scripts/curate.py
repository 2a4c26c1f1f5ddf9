"""Keep the examples worth learning from."""

import polars as pl

from maple.data.contamination import found_in
from maple.data.curation import curate
from maple.runtime.files import write_parquet
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
rows = pl.read_parquet(snakemake.input.rows)
kept, dropped = curate(
    rows,
    language=snakemake.params.language,
    limits=snakemake.params.limits,
    found_in=found_in(rows, **snakemake.params.decontamination),
)
print(dropped.group_by("reason").len(), f"kept {kept.height} of {kept.height + dropped.height}", sep="\n")
write_parquet(dropped, snakemake.output.dropped)
write_parquet(kept, snakemake.output.examples)
