"""Upload a run's adapter or merged model to the Hub, with its model card."""

from dataclasses import asdict
from pathlib import Path

from maple.report.publishing import upload
from maple.runtime.files import write_json
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
record = upload(
    Path(snakemake.input.weights),
    Path(snakemake.input.card),
    snakemake.params.repository,
    private=snakemake.params.private,
    record=Path(snakemake.output.record),
)
write_json(asdict(record), snakemake.output.record)
