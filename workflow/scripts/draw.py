"""Draw the study's figures."""

import polars as pl

from maple.report.figures import figures, write_figures
from maple.runtime.files import read_json
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
drawn = figures(
    pl.read_parquet(snakemake.input.summary),
    pl.read_parquet(snakemake.input.groups),
    read_json(snakemake.input.questions),
    runs=snakemake.params.runs,
    languages=snakemake.params.languages,
    english_bound=snakemake.params.settings["english_bound"],
)
write_figures(drawn, snakemake.output)
