"""Write each run's results as the LM Evaluation Harness does."""

import polars as pl

from maple.evaluation.prompts import quality
from maple.report.lm_eval import write_lm_eval
from maple.runtime.logs import log_to
from maple.runtime.run_cards import read_cards

log_to(snakemake.log[0])
write_lm_eval(
    pl.read_parquet(snakemake.input.summary),
    snakemake.params.runs,
    read_cards(snakemake.input.cards),
    snakemake.output,
    tasks=snakemake.params.tasks,
    renderings=snakemake.params.renderings,
    asked=snakemake.params.asked,
    quality=quality(snakemake.input.prompts),
)
