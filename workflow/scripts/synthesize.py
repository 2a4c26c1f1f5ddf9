"""Make a dataset's instruction examples in one language."""

from tqdm import tqdm

from maple.files import write_parquet
from maple.logs import log_to
from maple.synthesis import synthesize

log_to(snakemake.log[0])
rows = synthesize(
    snakemake.params.recipe,
    language=snakemake.params.language,
    phrases=snakemake.params.phrases,
    english=snakemake.input.get("english"),
    progress=tqdm,
)
write_parquet(rows, snakemake.output.rows)
