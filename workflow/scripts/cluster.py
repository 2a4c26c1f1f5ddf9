"""Tell which items of a task stand on the same text."""

from maple.evaluation.benchmark_rows import task_rows
from maple.evaluation.clusters import cluster_items
from maple.runtime.files import write_parquet
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
rows = task_rows(
    snakemake.wildcards.task,
    source=snakemake.params.source,
    phrases=snakemake.params.phrases,
    items=snakemake.params.rows_wanted,
)
clusters = cluster_items(snakemake.params.task, rows, snakemake.wildcards.task, snakemake.wildcards.language)
print(f"{clusters.height} items on {clusters['cluster'].n_unique()} texts")
write_parquet(clusters, snakemake.output.clusters)
