"""Drop parallel examples that are no pairs, are repeated, or are test rows of any domain, each with its reason."""

from maple.data.contamination import DecontaminationTests, overlapping_tasks
from maple.data.parallel import curate_parallel
from maple.definitions.curation import ParallelCuration
from maple.definitions.language import LanguageIdentity
from maple.evaluation.training_rows import TrainedTask, TrainingPlaces, sides_by_task
from maple.runtime.files import read_parquet, write_parquet
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
rows = read_parquet(snakemake.input.rows)
tests = sides_by_task(
    [TrainedTask.of(task) for task in snakemake.params.tested],
    [TrainingPlaces(**places) for places in snakemake.params.places],
)
kept, dropped = curate_parallel(
    rows,
    tests,
    ParallelCuration(**snakemake.params.limits),
    {code: LanguageIdentity(**identity) for code, identity in snakemake.params.languages.items()},
    in_test_sets=overlapping_tasks(rows, DecontaminationTests(**snakemake.params.decontamination)),
)
print(dropped.group_by("reason").len().sort("reason"), f"kept {kept.height} of {rows.height}", sep="\n")
write_parquet(dropped, snakemake.output.dropped)
write_parquet(kept, snakemake.output.examples)
