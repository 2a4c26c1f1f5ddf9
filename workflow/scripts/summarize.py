"""Summarize all scores, with intervals and the change against the base."""

import polars as pl

from maple.files import write_parquet, write_text
from maple.logs import log_to
from maple.summary import summarize, terminal_table

log_to(snakemake.log[0])
summary = summarize(
    pl.scan_parquet(snakemake.input.scores),
    runs=snakemake.params.runs,
    tasks=snakemake.params.tasks,
    confidence=snakemake.params.confidence,
)
write_text(terminal_table(summary, languages=snakemake.params.languages), snakemake.output.leaderboard)
write_parquet(summary, snakemake.output.summary)
