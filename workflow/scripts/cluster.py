"""Find the items of a task that share a text."""

from maple.data.sources import row_source
from maple.definitions.task import Clustering
from maple.evaluation.benchmark_rows import task_rows
from maple.evaluation.clusters import cluster_items
from maple.runtime.files import write_parquet
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
rows = task_rows(
    snakemake.wildcards.task,
    row_source(snakemake.params.place),
    phrases=snakemake.params.phrases,
    items=snakemake.params.rows_wanted,
)
clusters = cluster_items(
    Clustering(**snakemake.params.task),
    rows,
    task=snakemake.wildcards.task,
    language=snakemake.wildcards.language,
)
print(f"{clusters.height} items on {clusters['cluster'].n_unique()} texts")
write_parquet(clusters, snakemake.output.clusters)
