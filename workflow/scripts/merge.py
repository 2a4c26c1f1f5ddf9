"""Fold an adapter into 16-bit weights, and check that the model is still the one that was trained."""

from pydantic import TypeAdapter

from maple.definitions.local_model import LocalModel
from maple.definitions.training import MergeSettings
from maple.runtime.files import folder_written_aside, read_parquet
from maple.runtime.fingerprint import weights_digest
from maple.runtime.gpu_locks import claim
from maple.runtime.logs import log_to
from maple.runtime.run_cards import write_card
from maple.training.merging import merge
from maple.training.provenance import hold_adapter

log_to(snakemake.log[0])
claim(snakemake.resources.get("gpu", 1))
digests = {  # before all else: refuses folders of which a file has changed
    "base": weights_digest(snakemake.input.base),
    "adapter": hold_adapter(snakemake.input.trained, snakemake.params.trained_as, snakemake.input.adapter),
}
with folder_written_aside(snakemake.output.merged) as folder:
    card = merge(
        snakemake.input.base,
        snakemake.input.adapter,
        read_parquet(snakemake.input.held_out),
        folder,
        bits=snakemake.params.bits,
        max_length=snakemake.params.max_length,
        settings=MergeSettings(**snakemake.params.settings),
        model=TypeAdapter(LocalModel).validate_python(snakemake.params.model),
        threads=snakemake.threads,
        module=snakemake.params.module,
    )
digests["merged"] = weights_digest(snakemake.output.merged)
write_card(snakemake.rule, snakemake.params.run, card, digests, snakemake.output.card)
