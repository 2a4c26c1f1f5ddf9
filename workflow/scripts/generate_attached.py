"""Generate for all runs of a base with one engine, their adapters attached in turn."""

from tqdm import tqdm

from maple.definitions.generation import GenerateSettings
from maple.engines.machine import Machine
from maple.evaluation.asked_model import model_source
from maple.evaluation.cards import write_shared_card
from maple.evaluation.completions import RunOutputs, asked
from maple.evaluation.generation import fill_journals
from maple.runtime.files import read_all
from maple.runtime.gpu_locks import claim
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
claim(snakemake.resources.get("gpu", 1))
cards = fill_journals(
    asked(read_all(snakemake.input.prompts), snakemake.params.answers),
    model_source(snakemake.params.model, snakemake.input.model),
    list(map(RunOutputs, snakemake.params.outputs, snakemake.params.journals, snakemake.input.adapters)),
    settings=GenerateSettings(**snakemake.params.settings),
    machine=Machine(threads=snakemake.threads, gpus=snakemake.resources.get("gpu", 1), **snakemake.params.memory),
    progress=tqdm,
)
write_shared_card(snakemake.rule, snakemake.params.runs, cards, snakemake.output.card)
