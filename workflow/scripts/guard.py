"""Refuse a dataset with a forbidden passage, in one language; count examples that overlap with test rows."""

from maple.data.contamination import DecontaminationTests, guard
from maple.runtime.files import read_parquet, write_json
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
card = guard(
    read_parquet(snakemake.input.examples),
    DecontaminationTests(tests=snakemake.params.places),
    dataset=snakemake.wildcards.dataset,
)
print(*card.tasks.items(), sep="\n")
write_json(card.params(), snakemake.output.cleared)
