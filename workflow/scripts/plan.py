"""Print the cheapest design that finds what the study is to find, by the variances of a finished pilot."""

from pathlib import Path

from maple.definitions.hardware import Hardware
from maple.planning.design import design_table, designs, overlay_text, read_pilot
from maple.planning.estimates import ResultPaths
from maple.planning.forecast import forecast
from maple.planning.plan import Plan
from maple.planning.sizes import model_sizes
from maple.runtime.files import write_text
from maple.runtime.logs import show

plan, results = Plan(**snakemake.params.plan), ResultPaths(**snakemake.params.results)
figures = forecast(
    plan,
    Hardware(**snakemake.params.hardware),
    results,
    model_sizes(plan, results.base, Path(snakemake.params.memory)),
    core_watts=snakemake.params.core_watts,
)
found = designs(read_pilot(snakemake.params.pilot), plan, figures)
write_text(overlay_text(found, plan), snakemake.log.overlay)
write_text(design_table(found), snakemake.log.table)
show(design_table(found))
