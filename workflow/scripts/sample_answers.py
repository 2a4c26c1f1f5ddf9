"""Choose items of tasks about pictures, with their pictures and answers, for the report."""

from maple.definitions.language import Language
from maple.definitions.run import Run
from maple.definitions.task import TaskMetrics
from maple.report.picture_answers import picture_answers, read_scores, write_answers
from maple.report.sections.run_views import order_languages
from maple.runtime.files import read_all, read_parquet
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
tasks = {name: TaskMetrics(**task) for name, task in snakemake.params.tasks.items()}
languages = order_languages(map(Language.from_row, snakemake.params.languages), snakemake.params.low_classes)
answers = picture_answers(
    read_all(snakemake.input.prompts),
    read_scores(snakemake.input.scores, tasks),
    read_parquet(snakemake.input.summary),
    tasks=tasks,
    runs=[Run(**run) for run in snakemake.params.runs],
    languages=[language.code for language in languages],
)
write_answers(answers, snakemake.output.answers)
