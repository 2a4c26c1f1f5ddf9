"""Write the report."""

import polars as pl

from maple.analysis.questions.records import StudyAnswers
from maple.definitions.language import Language, LanguageIdentity
from maple.definitions.run import Run
from maple.definitions.task import TaskMetrics
from maple.evaluation.prompt_quality import quality
from maple.evaluation.tokenizer_ceiling import CEILING_SCHEMA
from maple.report.dataset_tables import read_datasets
from maple.report.page import Results, StudyFacts, report
from maple.report.picture_answers import read_answers
from maple.report.sections.data_quality import RerunCommand
from maple.runtime.files import read_json, read_parquet, write_text
from maple.runtime.logs import log_to
from maple.training.provenance import read_held_cards

log_to(snakemake.log[0])
page = report(
    Results(
        summary=read_parquet(snakemake.input.summary),
        groups=read_parquet(snakemake.input.groups),
        groups_by_task=read_parquet(snakemake.input.groups_by_task),
        domains=read_parquet(snakemake.input.domains),
        methods=read_parquet(snakemake.input.methods),
        board=read_parquet(snakemake.input.board),
        answers=StudyAnswers(**read_json(snakemake.input.questions)),
        cards=read_held_cards(snakemake.input.cards, snakemake.params.trained_as),
        datasets=read_datasets(
            snakemake.input.examples,
            snakemake.input.dropped,
            cards=snakemake.input.syntheses,
            mixtures=snakemake.input.mixtures,
            cleared=snakemake.input.cleared,
            languages={code: LanguageIdentity(**row) for code, row in snakemake.params.identities.items()},
        ),
        quality=quality(snakemake.input.prompts),
        confusion=read_parquet(snakemake.input.confusion),
        reliability=read_parquet(snakemake.input.reliability),
        ceilings=pl.concat([pl.DataFrame(schema=CEILING_SCHEMA), *map(read_parquet, snakemake.input.ceilings)]),
        pictured=read_answers(snakemake.input.pictured),
    ),
    StudyFacts(
        runs=[Run(**run) for run in snakemake.params.runs],
        languages=[Language.from_row(row) for row in snakemake.params.languages],
        tasks={name: TaskMetrics(**task) for name, task in snakemake.params.tasks.items()},
        finetuned_in=snakemake.params.finetuned_in,
        low_classes=snakemake.params.low_classes,
        note=snakemake.params.note,
    ),
    RerunCommand(**snakemake.params.rerun),
)
write_text(page, snakemake.output.report)
