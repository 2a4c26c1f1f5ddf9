"""Drop examples that exceed the dataset's limits."""

from maple.data.contamination import DecontaminationTests, overlapping_tasks
from maple.data.curation import LanguageLimits, curate
from maple.definitions.language import LanguageIdentity
from maple.runtime.files import read_parquet, write_parquet
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
rows = read_parquet(snakemake.input.rows)
kept, dropped = curate(
    rows,
    LanguageIdentity(**snakemake.params.language),
    LanguageLimits(**snakemake.params.limits),
    test_sets=overlapping_tasks(rows, DecontaminationTests(**snakemake.params.decontamination)),
)
print(dropped.group_by("reason").len(), f"kept {kept.height} of {kept.height + dropped.height}", sep="\n")
write_parquet(dropped, snakemake.output.dropped)
write_parquet(kept, snakemake.output.examples)
