"""Mix a dataset's languages into one training set, and hold out some rows."""

from dataclasses import asdict

from maple.data.mixing import LearntTask, mix, mix_card
from maple.data.parallel import part_of
from maple.definitions.dataset import MixSettings
from maple.runtime.files import read_parquet, write_json, write_parquet
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
task, part = snakemake.params.task, snakemake.params.part
examples = [read_parquet(path) for path in snakemake.input.examples]
examples = [part_of(frame, **part) for frame in examples] if part else examples
mixture, held_out = mix(
    examples,
    MixSettings(**snakemake.params.mix),
    task=task and LearntTask(**task),
    name=snakemake.wildcards.dataset,
)
card = mix_card(snakemake.wildcards.dataset, examples, mixture, held_out)
print(*card.languages.items(), sep="\n")
write_parquet(held_out, snakemake.output.held_out)
write_json(asdict(card), snakemake.output.card)
write_parquet(mixture, snakemake.output.mixture)
