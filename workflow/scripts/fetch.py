"""Fetch the files of a Hub repository at its pinned revision."""

from pathlib import Path

from maple.data.hub import fetch
from maple.runtime.files import write_json
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
card = fetch(
    snakemake.params.repository,
    Path(snakemake.output.folder),
    unfinished=Path(snakemake.params.unfinished),
    card=Path(snakemake.output.card),
)
write_json({"stage": snakemake.rule, **card}, snakemake.output.card)
