"""Fetch the files of a Hub repository at its pinned revision, or a file of a package."""

from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from maple.runtime.files import write_json
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
fetcher = import_module(f"maple.data.{snakemake.params.fetcher}")
card = fetcher.fetch(
    fetcher.KIND(**snakemake.params.repository),
    Path(snakemake.output.folder),
    unfinished=Path(snakemake.params.unfinished),
    card=Path(snakemake.output.card),
)
write_json(asdict(card), snakemake.output.card)
