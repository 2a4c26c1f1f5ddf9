"""Render a task's prompts and gold answers in one language."""

from maple.definitions.task import PromptSpec, TaskSettings
from maple.evaluation.benchmark_rows import RowPlaces, read_task
from maple.evaluation.prompts import render
from maple.runtime.files import write_parquet
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
spec = PromptSpec(**snakemake.params.task)
rows = read_task(
    snakemake.wildcards.task,
    RowPlaces(**snakemake.params.places),
    repair=spec.repair,
    phrases=snakemake.params.phrases,
    items=snakemake.params.rows_wanted,
)
prompts = render(
    spec,
    TaskSettings(**snakemake.params.settings),
    task=snakemake.wildcards.task,
    language=snakemake.wildcards.language,
    rows=rows.test,
    words=snakemake.params.words,
    dev=rows.dev,
    seed=snakemake.params.seed,
)
print(f"{prompts.height} rows, {prompts['fault'].count()} of them faulty, {prompts['repaired'].sum()} repaired")
write_parquet(prompts, snakemake.output.prompts)
