"""Send the references of translations through a model's tokenizer and back, and score what comes back."""

from pathlib import Path

from maple.evaluation.tokenizer_ceiling import read_references, round_tripped
from maple.models.round_trip import RoundTrip
from maple.runtime.files import write_parquet
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
references = map(read_references, snakemake.params.translations, snakemake.input.prompts)
result = round_tripped(snakemake.params.model, references, RoundTrip(Path(snakemake.input.base)))
write_parquet(result.targets, snakemake.output.targets)
write_parquet(result.ceilings, snakemake.output.ceilings)
