"""Generate a sample of a merged run's completions with its adapter attached, and count those that differ."""

from tqdm import tqdm

from maple.definitions.generation import GenerateSettings
from maple.engines.machine import Machine
from maple.evaluation.asked_model import Weights
from maple.evaluation.attached_comparison import compare_attached
from maple.evaluation.completions import asked
from maple.runtime.files import read_all, write_json
from maple.runtime.gpu_locks import claim
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
claim(snakemake.resources.get("gpu", 1))
model = snakemake.params.model
card = compare_attached(
    asked(read_all(snakemake.input.prompts), snakemake.params.answers),
    Weights.of(snakemake.params.model, snakemake.input.base),
    snakemake.input.adapter,
    read_all(snakemake.input.generations),
    count=snakemake.params.sample,
    settings=GenerateSettings(**snakemake.params.settings),
    machine=Machine(threads=snakemake.threads, gpus=snakemake.resources.get("gpu", 1), **snakemake.params.memory),
    progress=tqdm,
)
write_json({"stage": snakemake.rule, "run": snakemake.params.run, **card.values()}, snakemake.output.card)
