"""Draw the study's figures."""

from maple.analysis.questions.records import StudyAnswers
from maple.definitions.language import Language
from maple.definitions.run import Run
from maple.report.figures import figures, write_figures
from maple.runtime.files import read_json, read_parquet, remove_leftovers
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
charts = figures(
    read_parquet(snakemake.input.board),
    read_parquet(snakemake.input.groups),
    StudyAnswers(**read_json(snakemake.input.questions)),
    runs=[Run(**run) for run in snakemake.params.runs],
    languages=[Language.from_row(row) for row in snakemake.params.languages],
    english_bound=snakemake.params.settings["english_bound"],
)
write_figures(charts, snakemake.output)
remove_leftovers("results/figures", ["*.svg"], snakemake.output)
