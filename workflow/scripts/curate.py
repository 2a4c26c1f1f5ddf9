"""Drop examples that exceed the dataset's limits."""

from maple.data.contamination import DecontaminationTests, overlapping_tasks
from maple.data.curation import LanguageLimits, curate
from maple.data.cut_thinking import THINKING_CUT, cut_thinking
from maple.definitions.language import LanguageIdentity
from maple.runtime.files import read_parquet, write_parquet
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
limits = LanguageLimits(**snakemake.params.limits)
rows, thinking = cut_thinking(read_parquet(snakemake.input.rows), keep=bool(limits.keep_thinking))
kept, dropped = curate(
    rows,
    LanguageIdentity(**snakemake.params.language),
    limits,
    test_sets=overlapping_tasks(rows, DecontaminationTests(**snakemake.params.decontamination)),
)
print(dropped.group_by("reason").len(), f"kept {kept.height} of {kept.height + dropped.height}", sep="\n")
write_parquet(dropped, snakemake.output.dropped)
write_parquet(kept, snakemake.output.examples, **{THINKING_CUT: str(thinking)})
