"""Print what the study will take."""

from maple.files import write_json, write_text
from maple.forecast import forecast, table

made = forecast(**snakemake.params.study)
write_json(made, snakemake.log.figures)
write_text(table(made), snakemake.log.table)
print(table(made))
