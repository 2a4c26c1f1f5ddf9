"""Render a task's prompts and gold answers in one language."""

from maple.data.picture_index import PictureIndex
from maple.definitions.language import LanguagePair
from maple.definitions.task import PromptSpec, TaskSettings
from maple.evaluation.benchmark_rows import RowPlaces, read_task
from maple.evaluation.picture_names import pictured
from maple.evaluation.prompts import render
from maple.runtime.files import write_parquet
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
spec = PromptSpec(**snakemake.params.task)
settings = TaskSettings(**snakemake.params.settings)
rows = read_task(
    snakemake.wildcards.task,
    RowPlaces(**snakemake.params.places),
    repair=spec.repair,
    phrases=snakemake.params.phrases,
    items=settings.items,
    pair=LanguagePair.of(snakemake.params.pair) if snakemake.params.pair else None,
)
task, language = snakemake.wildcards.task, snakemake.wildcards.language
index = PictureIndex.read(snakemake.input.pictures)
prompts = render(
    spec,
    settings,
    task=task,
    language=language,
    rows=pictured(task, spec, rows.test, "test", language, index),
    words=snakemake.params.words,
    dev=rows.dev,
    seed=snakemake.params.seed,
)
faulty, repaired = prompts["fault"].count(), prompts["repaired"].sum()
print(f"{prompts.height} of {len(rows.test)} rows, {faulty} of them faulty, {repaired} repaired")
write_parquet(prompts, snakemake.output.prompts)
