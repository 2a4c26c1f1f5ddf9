"""Do merged weights and the attached adapter give the same answers?"""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from maple.definitions.generation import GenerateSettings
from maple.engines.machine import Machine
from maple.evaluation.asked_model import Weights
from maple.evaluation.cards import CompareCard
from maple.evaluation.completions import RunOutputs
from maple.evaluation.finish_reasons import TOO_LONG
from maple.evaluation.generation import generate_with_weights
from maple.runtime.files import read_parquet


def compare_attached(
    prompts: pl.DataFrame,
    base: Weights,
    adapter: str | Path,
    generations: pl.DataFrame,
    *,
    count: int,
    settings: GenerateSettings,
    machine: Machine,
    progress: Callable,
) -> CompareCard:
    """Complete prompts of a merged run again with its adapter attached to the base; return a card of the differences.

    `generations` are the run's (the columns of generate's files). Of its completions the `count` with the smallest
    keys, which are digests, are compared token by token; the other arguments are generate's.
    """
    cell = ["task", "language", "item"]
    completed = generations.filter(pl.col("answer") == "generate", pl.col("finish_reason") != TOO_LONG)
    sample = completed.unique("key", keep="first", maintain_order=True).sort("key").head(count)
    settings = settings.changed(flip_sample=0)
    with TemporaryDirectory() as folder:
        outputs = {language: Path(folder) / f"{language}.parquet" for language in sample["language"].unique()}
        run = RunOutputs(outputs, Path(folder) / "journal.jsonl", adapter)
        sampled = prompts.join(sample, on=cell, how="semi")
        (card,) = generate_with_weights(sampled, base, [run], settings=settings, machine=machine, progress=progress)
        attached = pl.concat([generations.clear(), *map(read_parquet, outputs.values())])
    both = sample.join(attached.filter(pl.col("answer") == "generate"), on=cell, validate="1:1")
    different = both.filter(pl.col("token_ids") != pl.col("token_ids_right")).height
    return CompareCard(generated=card, compared=both.height, different=different)
