"""Read the train and dev rows of a dataset's tasks in one language as labelled or parallel examples."""

import polars as pl

from maple.data.picture_index import PictureIndex
from maple.evaluation.training_rows import labelled_rows, tasks_with_places
from maple.runtime.files import write_json, write_parquet
from maple.runtime.logs import log_to
from maple.synthesis.card import card

log_to(snakemake.log[0])
tasks = tasks_with_places(snakemake.params.tasks, snakemake.params.places)
index = PictureIndex.read(snakemake.input.pictures)
rows = pl.concat(labelled_rows(*task, snakemake.params.max_rows, index, snakemake.params.shuffle) for task in tasks)
made = card(rows)
print(rows.group_by("split", "label", "fault").len().sort("split", "label", "fault"))
write_parquet(rows, snakemake.output.rows)
write_json({"stage": snakemake.rule, **made.values()}, snakemake.output.card)
