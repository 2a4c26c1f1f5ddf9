"""Drop labelled examples that are test rows, repeat a text or contradict it."""

from maple.data.contamination import DecontaminationTests, overlapping_tasks
from maple.data.labelled import curate_labelled
from maple.evaluation.training_rows import TrainedTask, TrainingPlaces, texts_of_tests
from maple.runtime.files import read_parquet, write_parquet
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
rows = read_parquet(snakemake.input.rows)
(places,) = snakemake.params.places
kept, dropped = curate_labelled(
    rows,
    texts_of_tests(TrainedTask.of(snakemake.params.task), TrainingPlaces(**places)),
    snakemake.params.near,
    in_test_sets=overlapping_tasks(rows, DecontaminationTests(**snakemake.params.decontamination)),
)
print(dropped.group_by("reason").len(), f"kept {kept.height} of {rows.height}", sep="\n")
write_parquet(dropped, snakemake.output.dropped)
write_parquet(kept, snakemake.output.examples)
