"""Count which labels were answered for which, and how often answers of each confidence were right."""

from maple.definitions.run import RunKey
from maple.evaluation.label_tables import confusion_counts, label_tables, reliability_bins
from maple.runtime.files import read_parquet, write_parquet
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
tables = [
    table
    for path, run in zip(snakemake.input.generations, snakemake.params.runs, strict=True)
    for table in label_tables(read_parquet(path), snakemake.params.tasks, RunKey(**run))
]
write_parquet(confusion_counts(tables), snakemake.output.confusion)
write_parquet(reliability_bins(tables), snakemake.output.reliability)
