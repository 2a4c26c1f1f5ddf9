"""Read train and dev rows of translation tasks, and let a model translate target texts of some back into sources."""

import polars as pl
from tqdm import tqdm

from maple.engines.blocks import TranslatorBlock
from maple.evaluation.back_translation import SourceText, back_translated
from maple.evaluation.training_rows import TrainedTask, TrainingPlaces, labelled_rows
from maple.runtime.files import write_json, write_parquet
from maple.runtime.gpu_locks import claim
from maple.runtime.journal import Journal
from maple.runtime.logs import log_to
from maple.synthesis.card import card
from maple.synthesis.local_translator import LocalTranslator
from maple.synthesis.translate_respond import text_and_fault

log_to(snakemake.log[0])
claim(snakemake.resources.gpu)
back, journal = snakemake.params.back, Journal(snakemake.params.journal)
settings = TranslatorBlock(**snakemake.params.translator, **snakemake.params.service["translator"])
translator = LocalTranslator(settings, snakemake.input.translator, journal, threads=snakemake.threads, progress=tqdm)


def sources_of(task):
    """The function that translates targets of a task into its source language."""

    def translate(targets):
        answers = translator.translate(targets, task.pair.source, task.pair.target.code)
        return [SourceText(*text_and_fault(answer, "empty translation")) for answer in answers]

    return translate


tasks = {
    task.name: (task, TrainingPlaces(**places))
    for task, places in zip(map(TrainedTask.of, snakemake.params.tasks), snakemake.params.places, strict=True)
}
pairs = [labelled_rows(*tasks[name], snakemake.params.max_rows) for name in back["pairs"]]
translated = [
    back_translated(task, places.train, back["max_rows"], translator.name, sources_of(task))
    for task, places in (tasks[name] for name in back["tasks"])
]
rows = pl.concat([*pairs, *translated])
print(rows.group_by("recipe", "split", "fault").len().sort("recipe", "split", "fault"))
write_parquet(rows, snakemake.output.rows)
write_json({"stage": snakemake.rule, **card(rows, journal).values()}, snakemake.output.card)
journal.remove()
