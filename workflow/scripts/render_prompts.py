"""Render a task's prompts and gold answers in one language."""

from maple.benchmarks import task_rows
from maple.files import write_parquet
from maple.logs import log_to
from maple.tasks import render

log_to(snakemake.log[0])
rows = task_rows(
    snakemake.wildcards.task,
    source=snakemake.params.source,
    phrases=snakemake.params.phrases,
    fields=snakemake.params.task["fields"],
    items=snakemake.params.rows_wanted,
)
prompts = render(
    snakemake.params.task,
    name=snakemake.wildcards.task,
    rows=rows,
    code=snakemake.wildcards.language,
    words=snakemake.params.words,
)
write_parquet(prompts, snakemake.output.prompts)
