"""Write the model cards of merged models and of adapters."""

import polars as pl

from maple.report.model_card import ADAPTERS, MERGED, write_model_cards
from maple.runtime.logs import log_to
from maple.runtime.run_cards import read_cards

log_to(snakemake.log[0])
cards = read_cards(snakemake.input.cards)
study = {
    "summary": pl.read_parquet(snakemake.input.summary),
    "groups": pl.read_parquet(snakemake.input.groups),
    "identities": snakemake.params.identities,
    "dataset_languages": snakemake.params.dataset_languages,
    "sources": snakemake.params.sources,
    "hub_datasets": snakemake.params.hub_datasets,
    "licenses": snakemake.params.licenses,
    "note": snakemake.params.note,
}
write_model_cards(snakemake.params.merged, snakemake.output.merged, MERGED, cards, **study)
write_model_cards(snakemake.params.adapted, snakemake.output.adapters, ADAPTERS, cards, **study)
