"""Read the train and dev rows of a dataset's tasks in one language as labelled or parallel examples."""

import polars as pl

from maple.data.picture_index import PictureIndex
from maple.evaluation.training_rows import TrainedTask, TrainingPlaces, labelled_rows
from maple.runtime.files import write_json, write_parquet
from maple.runtime.logs import log_to
from maple.synthesis.card import card

log_to(snakemake.log[0])
tasks = zip(snakemake.params.tasks, snakemake.params.places, strict=True)
index = PictureIndex.read(snakemake.input.pictures)
rows = pl.concat(
    labelled_rows(TrainedTask.of(task), TrainingPlaces(**places), snakemake.params.max_rows, index)
    for task, places in tasks
)
made = card(rows)
print(rows.group_by("split", "label", "fault").len().sort("split", "label", "fault"))
write_parquet(rows, snakemake.output.rows)
write_json({"stage": snakemake.rule, **made.values()}, snakemake.output.card)
