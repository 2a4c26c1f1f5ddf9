"""Refuse a dataset with a forbidden passage, in one language; count examples that overlap with test rows."""

import polars as pl

from maple.data.contamination import DecontaminationTests, guard
from maple.runtime.files import write_json
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
card = guard(
    pl.read_parquet(snakemake.input.examples),
    DecontaminationTests(tests=snakemake.params.places),
    dataset=snakemake.wildcards.dataset,
)
print(*card.tasks.items(), sep="\n")
write_json(card.params(), snakemake.output.cleared)
