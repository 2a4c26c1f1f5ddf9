"""Score one run's completions in one language."""

import polars as pl

from maple.evaluation.scoring import score_items
from maple.runtime.files import write_parquet
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
scores = score_items(
    pl.read_parquet(snakemake.input.generations),
    tasks=snakemake.params.metrics,
    run=snakemake.params.run,
    language=snakemake.params.language,
)
write_parquet(scores, snakemake.output.scores)
