"""Make a dataset's instruction examples in one language."""

from tqdm import tqdm

from maple.runtime.files import write_json, write_parquet
from maple.runtime.gpu_locks import claim
from maple.runtime.journal import Journal
from maple.runtime.logs import log_to
from maple.synthesis.synthesize import card, synthesize

log_to(snakemake.log[0])
claim(snakemake.resources.gpu)
journal = Journal(snakemake.params.journal)
rows = synthesize(
    snakemake.params.recipe,
    language=snakemake.params.language,
    phrases=snakemake.params.phrases,
    english=snakemake.input.get("english"),
    seeds=snakemake.input.get("seeds"),
    progress=tqdm,
    service=snakemake.params.service,
    journal=journal,
    teacher_model=snakemake.input.get("teacher"),
    translator_model=snakemake.input.get("translator"),
    threads=snakemake.threads,
)
write_parquet(rows, snakemake.output.rows)
write_json({"stage": snakemake.rule, **card(rows, journal)}, snakemake.output.card)
journal.remove()
