"""Finetune an adapter, or a whole model."""

import shutil

from pydantic import TypeAdapter

from maple.definitions.local_model import LocalModel
from maple.definitions.method import MethodVariant
from maple.runtime.content_digests import ContentDigests
from maple.runtime.files import folder_written_aside
from maple.runtime.fingerprint import weights_digest
from maple.runtime.gpu_locks import claim
from maple.runtime.logs import log_to
from maple.runtime.processes import on_processes
from maple.runtime.run_cards import write_card
from maple.training.checkpoints import CheckpointPlan
from maple.training.finetuning import finetune
from maple.training.tracking import TrackingPlan

log_to(snakemake.log[0])
claim(snakemake.resources.get("gpu", 1))
method = TypeAdapter(MethodVariant).validate_python(snakemake.params.method)
with folder_written_aside(snakemake.output[0]) as folder:
    card = on_processes(
        snakemake.resources.get("gpu", 1),
        finetune,
        snakemake.input.base,
        snakemake.input.mixture,
        snakemake.input.held_out,
        folder,
        method=method,
        model=TypeAdapter(LocalModel).validate_python(snakemake.params.model),
        seed=snakemake.params.run["seed"],
        threads=snakemake.threads,
        checkpoints=CheckpointPlan(**snakemake.params.checkpoints),
        compared_rows=snakemake.params.compared_rows,
        code=[snakemake.params.code, *snakemake.params.parts],
        sharded=bool(snakemake.resources.get("sharded", 0)),
        tracking=snakemake.params.tracking and TrackingPlan(**snakemake.params.tracking),
    )
digests = {
    "base": weights_digest(snakemake.input.base),
    "mixture": ContentDigests()(snakemake.input.mixture),
    "model" if method.saves_model else "adapter": weights_digest(snakemake.output[0]),
}
write_card("finetune", snakemake.params.run, card, digests, snakemake.output.card)
shutil.rmtree(snakemake.params.checkpoints["folder"])
