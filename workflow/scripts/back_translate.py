"""Read train and dev rows of translation tasks, and let a model translate target texts of some back into sources."""

from tqdm import tqdm

from maple.engines.blocks import TranslatorBlock
from maple.evaluation.back_translation import BackTranslated, rows_with_back_translated
from maple.evaluation.training_rows import tasks_with_places
from maple.runtime.files import write_json, write_parquet
from maple.runtime.gpu_locks import claim
from maple.runtime.journal import Journal
from maple.runtime.logs import log_to
from maple.synthesis.card import card
from maple.synthesis.local_translator import LocalTranslator

log_to(snakemake.log[0])
claim(snakemake.resources.gpu)
journal = Journal(snakemake.params.journal)
settings = TranslatorBlock(**snakemake.params.translator, **snakemake.params.service["translator"])
translator = LocalTranslator(settings, snakemake.input.translator, journal, threads=snakemake.threads, progress=tqdm)
rows = rows_with_back_translated(
    tasks_with_places(snakemake.params.tasks, snakemake.params.places),
    BackTranslated(**snakemake.params.back),
    snakemake.params.max_rows,
    translator.name,
    translator.texts_and_faults,
)
print(rows.group_by("recipe", "split", "fault").len().sort("recipe", "split", "fault"))
write_parquet(rows, snakemake.output.rows)
write_json({"stage": snakemake.rule, **card(rows, journal).values()}, snakemake.output.card)
journal.remove()
