"""Mix a dataset's languages into the set that is finetuned on."""

import polars as pl

from maple.data.mixing import card, mix
from maple.runtime.files import write_json, write_parquet
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
examples = [pl.read_parquet(path) for path in snakemake.input.examples]
mixture, held_out = mix(examples, **snakemake.params.mix)
counted = card(examples, mixture, held_out)
print(*counted["languages"].items(), sep="\n")
write_parquet(held_out, snakemake.output.held_out)
write_json({"stage": snakemake.rule, "dataset": snakemake.wildcards.dataset, **counted}, snakemake.output.card)
write_parquet(mixture, snakemake.output.mixture)
