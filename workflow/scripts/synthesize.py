"""Synthesize or load a dataset's instruction examples in one language."""

from tqdm import tqdm

from maple.definitions.language import LanguageIdentity
from maple.engines.machine import Machine
from maple.runtime.files import write_json, write_parquet
from maple.runtime.gpu_locks import claim
from maple.runtime.journal import Journal
from maple.runtime.logs import log_to
from maple.synthesis.recipe import read_recipe
from maple.synthesis.synthesize import RecipeInputs, card, synthesize

log_to(snakemake.log[0])
claim(snakemake.resources.gpu)
journal = Journal(snakemake.params.journal)
rows = synthesize(
    read_recipe(snakemake.params.recipe, snakemake.params.service),
    language=LanguageIdentity(**snakemake.params.language),
    phrases=snakemake.params.phrases,
    inputs=RecipeInputs(
        english=snakemake.input.get("english"),
        seeds=snakemake.input.get("seeds"),
        teacher=snakemake.input.get("teacher"),
        translator=snakemake.input.get("translator"),
    ),
    journal=journal,
    machine=Machine(threads=snakemake.threads, gpus=snakemake.resources.gpu),
    progress=tqdm,
)
write_parquet(rows, snakemake.output.rows)
write_json({"stage": snakemake.rule, **card(rows, journal).values()}, snakemake.output.card)
journal.remove()
