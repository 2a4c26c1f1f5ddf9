"""Print what the study will take."""

from maple.planning.forecast import forecast
from maple.planning.forecast_table import table
from maple.runtime.files import write_json, write_text

made = forecast(**snakemake.params.study)
write_json(made, snakemake.log.figures)
write_text(table(made), snakemake.log.table)
print(table(made))
