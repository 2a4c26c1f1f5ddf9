"""Complete a run's prompts of all tasks and languages, those that are missing."""

import polars as pl
from tqdm import tqdm

from maple.evaluation.generation import Run, generate
from maple.runtime.files import write_json
from maple.runtime.gpu_locks import claim
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
claim(snakemake.resources.get("gpu", 1))
outputs = dict(zip(snakemake.params.languages, snakemake.output.generations, strict=True))
(card,) = generate(
    pl.concat(pl.read_parquet(path) for path in snakemake.input.prompts),
    snakemake.input.model,
    [Run(outputs, snakemake.params.journal, snakemake.input.get("adapter"))],
    settings=snakemake.params.settings,
    model=snakemake.params.model,
    service=snakemake.params.service,
    threads=snakemake.threads,
    gpus=snakemake.resources.get("gpu", 1),
    progress=tqdm,
)
write_json({"stage": snakemake.rule, "run": snakemake.params.run, **card}, snakemake.output.card)
