"""Draw the head of a model that answers by labels."""

from pydantic import TypeAdapter

from maple.definitions.local_model import LocalModel
from maple.models.behaviour import behaviour_of
from maple.models.head_folder import draw_head
from maple.runtime.files import folder_written_aside
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
model = TypeAdapter(LocalModel).validate_python(snakemake.params.model)
with folder_written_aside(snakemake.output.head) as folder:
    draw_head(
        snakemake.input.base,
        folder,
        kind=behaviour_of(model.kind),
        labels=snakemake.params.labels,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
        trust_remote_code=model.trust_remote_code,
    )
