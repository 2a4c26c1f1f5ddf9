"""Complete the prompts of all runs of a base that one engine serves, their adapters attached in turn."""

import polars as pl
from tqdm import tqdm

from maple.definitions.generation import GenerateSettings
from maple.engines.machine import Machine
from maple.evaluation.generation import RunOutputs, generate, model_source
from maple.runtime.gpu_locks import claim
from maple.runtime.logs import log_to
from maple.runtime.run_cards import write_cards

log_to(snakemake.log[0])
claim(snakemake.resources.get("gpu", 1))
languages, files = snakemake.params.languages, list(snakemake.output.generations)
outputs = [dict(zip(languages, files[at:], strict=False)) for at in range(0, len(files), len(languages))]
cards = generate(
    pl.concat(pl.read_parquet(path) for path in snakemake.input.prompts),
    model_source(snakemake.params.model, snakemake.input.model),
    list(map(RunOutputs, outputs, snakemake.params.journals, snakemake.input.adapters)),
    settings=GenerateSettings(**snakemake.params.settings),
    machine=Machine(threads=snakemake.threads, gpus=snakemake.resources.get("gpu", 1)),
    progress=tqdm,
)
write_cards("generate", snakemake.params.runs, [card.values() for card in cards], snakemake.output.cards)
