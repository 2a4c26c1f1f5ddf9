"""Read the train and dev rows of a task in one language as labelled examples."""

from maple.evaluation.training_rows import TrainedTask, TrainingPlaces, labelled_rows
from maple.runtime.files import write_json, write_parquet
from maple.runtime.logs import log_to
from maple.synthesis.card import card

log_to(snakemake.log[0])
rows = labelled_rows(
    TrainedTask.of(snakemake.params.task), TrainingPlaces(**snakemake.params.places), snakemake.params.max_rows
)
made = card(rows)
print(rows.group_by("split", "label", "fault").len().sort("split", "label", "fault"))
write_parquet(rows, snakemake.output.rows)
write_json({"stage": snakemake.rule, **made.values()}, snakemake.output.card)
