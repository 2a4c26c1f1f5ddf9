"""Write the scores as tables in LaTeX and Markdown."""

from maple.definitions.language import Language
from maple.definitions.run import Run
from maple.report.tables import FORMATS, tables, write_tables
from maple.runtime.files import read_parquet, remove_leftovers
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
write_tables(
    tables(
        read_parquet(snakemake.input.summary),
        [Run(**run) for run in snakemake.params.runs],
        tasks=snakemake.params.tasks,
        languages=[Language.from_row(row) for row in snakemake.params.languages],
        low_classes=snakemake.params.low_classes,
        domains=read_parquet(snakemake.input.domains),
    ),
    snakemake.output,
)
remove_leftovers("results/tables", [f"*{suffix}" for suffix in FORMATS], snakemake.output)
