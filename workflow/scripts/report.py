"""Write the report."""

import polars as pl

from maple.evaluation.prompts import quality
from maple.report.dataset_tables import read_sets
from maple.report.page import report
from maple.runtime.files import read_json, write_text
from maple.runtime.logs import log_to
from maple.runtime.run_cards import read_cards

log_to(snakemake.log[0])
page = report(
    pl.read_parquet(snakemake.input.summary),
    groups=pl.read_parquet(snakemake.input.groups),
    groups_by_task=pl.read_parquet(snakemake.input.groups_by_task),
    questions=read_json(snakemake.input.questions),
    languages=snakemake.params.languages,
    low_classes=snakemake.params.low_classes,
    tasks=snakemake.params.tasks,
    runs=snakemake.params.runs,
    finetuned_in=snakemake.params.finetuned_in,
    cards=read_cards(snakemake.input.cards),
    sets=read_sets(
        snakemake.input.examples,
        snakemake.input.dropped,
        cards=snakemake.input.syntheses,
        mixtures=snakemake.input.mixtures,
        cleared=snakemake.input.cleared,
        languages=snakemake.params.identities,
    ),
    quality=quality(snakemake.input.prompts),
    note=snakemake.params.note,
)
write_text(page, snakemake.output.report)
