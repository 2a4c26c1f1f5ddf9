"""Score one run's completions in one language."""

import polars as pl

from maple.definitions.language import LanguageIdentity
from maple.definitions.run import RunKey
from maple.evaluation.scoring import score_items
from maple.runtime.files import write_parquet
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
scores = score_items(
    pl.read_parquet(snakemake.input.generations),
    tasks=snakemake.params.metrics,
    run=RunKey(**snakemake.params.run),
    language=LanguageIdentity(**snakemake.params.language),
)
write_parquet(scores, snakemake.output.scores)
