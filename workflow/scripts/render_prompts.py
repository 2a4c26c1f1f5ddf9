"""Render a task's prompts and gold answers in one language."""

from maple.evaluation.benchmark_rows import read_task
from maple.evaluation.prompts import render
from maple.runtime.files import write_parquet
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
rows = read_task(
    snakemake.wildcards.task,
    places=snakemake.params.places,
    mend=snakemake.params.task.get("repair"),
    phrases=snakemake.params.phrases,
    items=snakemake.params.rows_wanted,
)
prompts = render(
    snakemake.params.task,
    name=snakemake.wildcards.task,
    rows=rows["test"],
    code=snakemake.wildcards.language,
    words=snakemake.params.words,
    dev=rows.get("dev", []),
    seed=snakemake.params.seed,
    **snakemake.params.asked,
)
print(f"{prompts.height} rows, {prompts['fault'].count()} of them faulty, {prompts['repaired'].sum()} repaired")
write_parquet(prompts, snakemake.output.prompts)
