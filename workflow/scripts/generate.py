"""Answer a run's prompts where answers are missing, for all tasks and languages: generate, rank or classify."""

from tqdm import tqdm

from maple.definitions.generation import GenerateSettings
from maple.engines.machine import Machine
from maple.evaluation.asked_model import model_source
from maple.evaluation.cards import card_values
from maple.evaluation.completions import RunOutputs, asked
from maple.evaluation.generation import generate
from maple.runtime.files import read_all, write_json
from maple.runtime.gpu_locks import claim
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
claim(snakemake.resources.get("gpu", 1))
outputs = dict(zip(snakemake.params.languages, snakemake.output.generations, strict=True))
(card,) = generate(
    asked(read_all(snakemake.input.prompts), snakemake.params.answers),
    model_source(snakemake.params.model, snakemake.input.model, snakemake.params.service),
    [RunOutputs(outputs, snakemake.params.journal, snakemake.input.get("adapter"))],
    settings=GenerateSettings(**snakemake.params.settings),
    machine=Machine(threads=snakemake.threads, gpus=snakemake.resources.get("gpu", 1), **snakemake.params.memory),
    progress=tqdm,
)
values = card_values(card, snakemake.params.run, snakemake.input.get("shared"))
write_json({"stage": snakemake.rule, "run": snakemake.params.run, **values}, snakemake.output.card)
