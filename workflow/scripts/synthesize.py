"""Synthesize or load a dataset's instruction examples in one language."""

from tqdm import tqdm

from maple.definitions.language import LanguageIdentity
from maple.engines.machine import Machine
from maple.runtime.files import write_json, write_parquet
from maple.runtime.gpu_locks import claim
from maple.runtime.journal import Journal
from maple.runtime.logs import log_to
from maple.synthesis.card import card
from maple.synthesis.recipe import read_recipe
from maple.synthesis.synthesize import RecipeInputs, close, synthesize

log_to(snakemake.log[0])
claim(snakemake.resources.gpu)
journal = Journal(snakemake.params.journal)
recipe = read_recipe(snakemake.params.recipe, snakemake.params.service)
rows = synthesize(
    recipe,
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
made = card(rows, journal)
write_json({"stage": snakemake.rule, **made.values()}, snakemake.output.card)
close(journal, recipe, made.ledger)
