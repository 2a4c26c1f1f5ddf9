"""Link a base model, convert it, or pretrain a tiny one."""

from pydantic import TypeAdapter
from tqdm import tqdm

from maple.definitions.local_model import LocalModel
from maple.models.base_folder import prepare_base
from maple.runtime.files import folder_written_aside
from maple.runtime.gpu_locks import claim
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
claim(snakemake.resources.get("gpu", 1))
with folder_written_aside(snakemake.output.model) as folder:
    prepare_base(
        TypeAdapter(LocalModel).validate_python(snakemake.params.model),
        folder,
        fetched=snakemake.input.get("fetched") or snakemake.params.folder,
        lengths=snakemake.params.lengths,
        phrases=snakemake.params.phrases,
        threads=snakemake.threads,
        progress=tqdm,
    )
