"""Count which labels were answered for which, and how often answers of each confidence were right."""

from maple.definitions.language import Writing
from maple.definitions.run import RunKey
from maple.definitions.task import Reading
from maple.evaluation.label_tables import confusion_counts, read_label_tables, reliability_bins
from maple.runtime.files import write_parquet
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
runs = [RunKey(**run) for run in snakemake.params.runs]
readings = {task: Reading(**spec) for task, spec in snakemake.params.readings.items()}
writings = {code: Writing.of(writing) for code, writing in snakemake.params.writings.items()}
tables = read_label_tables(snakemake.input.generations, runs, snakemake.params.tasks, readings, writings)
write_parquet(confusion_counts(tables), snakemake.output.confusion)
write_parquet(reliability_bins(tables), snakemake.output.reliability)
