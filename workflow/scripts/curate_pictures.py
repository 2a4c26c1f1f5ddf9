"""Drop examples that show a picture of a test row, or are repeated, each with its reason."""

from maple.data.picture_curation import curate_pictures
from maple.data.picture_index import PictureIndex
from maple.runtime.files import read_parquet, write_parquet
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
rows = read_parquet(snakemake.input.rows)
index = PictureIndex.read([*snakemake.input.pictures, *snakemake.input.tests])
kept, dropped = curate_pictures(rows, index, near=snakemake.params.near)
print(dropped.group_by("reason").len().sort("reason"), f"kept {kept.height} of {rows.height}", sep="\n")
write_parquet(dropped, snakemake.output.dropped)
write_parquet(kept, snakemake.output.examples)
