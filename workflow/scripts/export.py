"""Write each run's results in the format of the LM Evaluation Harness."""

from maple.definitions.run import Run
from maple.evaluation.prompt_quality import quality
from maple.report.lm_eval import ExportedTask, write_lm_eval
from maple.runtime.files import read_parquet, remove_leftovers
from maple.runtime.logs import log_to
from maple.training.provenance import read_held_cards

log_to(snakemake.log[0])
write_lm_eval(
    read_parquet(snakemake.input.summary),
    [Run(**run) for run in snakemake.params.runs],
    read_held_cards(snakemake.input.cards, {}),
    snakemake.output,
    tasks={name: ExportedTask(**task) for name, task in snakemake.params.tasks.items()},
    answers=snakemake.params.answers,
    quality=quality(snakemake.input.prompts),
)
remove_leftovers("results/lm_eval", ["results_maple.json"], snakemake.output)
remove_leftovers("results/model_cards", ["README.md"], snakemake.params.model_cards)
