"""Mix a dataset's languages into the set that is finetuned on."""

import polars as pl

from maple.files import write_parquet
from maple.logs import log_to
from maple.mixing import mix

log_to(snakemake.log[0])
mixture, held_out = mix([pl.read_parquet(path) for path in snakemake.input.examples], **snakemake.params.mix)
print(mixture.group_by("language").len().sort("language"))
write_parquet(held_out, snakemake.output.held_out)
write_parquet(mixture, snakemake.output.mixture)
