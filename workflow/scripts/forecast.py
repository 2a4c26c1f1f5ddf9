"""Print what the study will take."""

from dataclasses import asdict
from pathlib import Path

from maple.definitions.hardware import Hardware
from maple.planning.estimates import ResultPaths
from maple.planning.forecast import forecast, with_questions
from maple.planning.forecast_table import table
from maple.planning.plan import Plan
from maple.planning.sizes import model_sizes
from maple.runtime.files import write_json, write_text
from maple.runtime.logs import show

plan, results = Plan(**snakemake.params.plan), ResultPaths(**snakemake.params.results)
costs = forecast(
    plan,
    Hardware(**snakemake.params.hardware),
    results,
    model_sizes(plan, results.base, Path(snakemake.params.memory)),
    core_watts=snakemake.params.core_watts,
)
figures = with_questions(costs, plan)
write_json(asdict(figures), snakemake.log.figures)
write_text(table(figures), snakemake.log.table)
show(table(figures))
