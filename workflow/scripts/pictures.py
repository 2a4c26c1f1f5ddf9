"""Draw the pictures of a task, or open and link them, each once."""

from maple.evaluation.task_pictures import PicturedTask, SplitPictures, collect
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
index = collect(
    PicturedTask(**snakemake.params.task),
    [SplitPictures(**place) for place in snakemake.params.places],
    snakemake.output.pictures,
)
print(f"{index['digest'].n_unique()} pictures", index.group_by("split", "language").len().sort("split", "language"))
