"""Completions: their columns, their keys, and those of an earlier job."""

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from maple.runtime.files import write_parquet
from maple.runtime.journal import Journal

if TYPE_CHECKING:
    pass


COMPLETION_SCHEMA = {
    "key": pl.String,
    "completion": pl.String,
    "token_ids": pl.List(pl.Int32),
    "finish_reason": pl.String,
    "log_probability": pl.Float64,
    "log_likelihoods": pl.List(pl.Float64),
    "flipped": pl.Boolean,
}


def completion_key(weights: str, tokens: Sequence[int], limit: int, decoding: Mapping, engine: str) -> str:
    """Return the key of one completion: same weights, prompt tokens, decoding, engine and version, same key."""
    content = json.dumps([weights, list(tokens), limit, dict(decoding), engine], sort_keys=True)
    return blake2b(content.encode(), digest_size=16).hexdigest()


def previous_completions(
    outputs: Iterable[str | Path], journal: Journal, schema: Mapping = COMPLETION_SCHEMA
) -> pl.DataFrame:
    """Return the completions of a job's outputs so far (columns of `schema`), those that can be read.

    They are kept beside the journal until the job is done: Snakemake restores the outputs of a job that fails on this
    machine, and deletes those of one that fails on a cluster.
    """
    frames = [pl.DataFrame(schema=schema)]
    for path in (*map(Path, outputs), journal.previous):
        if path.is_file():
            try:
                frames.append(pl.read_parquet(path, columns=list(schema)).cast(schema))
            except (pl.exceptions.PolarsError, OSError):
                continue
    previous = pl.concat(frames).unique("key", keep="first", maintain_order=True)
    if previous.height:
        write_parquet(previous, journal.previous)
    return previous
