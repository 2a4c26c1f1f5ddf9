"""Tell which items of a task stand on the same text."""

from maple.benchmarks import task_rows
from maple.clusters import cluster_items
from maple.files import write_parquet
from maple.logs import log_to

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
