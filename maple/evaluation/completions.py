"""Completions: their requests, columns and keys, and those of an earlier job."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from types import NoneType

import polars as pl

from maple.runtime.files import DamagedFileError, read_parquet, write_parquet
from maple.runtime.journal import Journal

COMPLETION_SCHEMA = pl.Schema(
    {
        "key": pl.String,
        "completion": pl.String,
        "token_ids": pl.List(pl.Int32),
        "finish_reason": pl.String,
        "log_probability": pl.Float64,
        "log_likelihoods": pl.List(pl.Float64),
        "flipped": pl.Boolean,
    }
)
# The columns of a PromptRequest that stand beside its completion.
REQUEST_SCHEMA = pl.Schema(
    {
        "key": pl.String,
        "prompt_tokens": pl.Int32,
        "item_tokens": pl.Int32,
        "shots": pl.Int32,
        "shots_dropped": pl.Int32,
    }
)


@dataclass(frozen=True)
class PromptRequest:
    """One row's request to an engine."""

    key: str
    """Of the completion (completion_key); "" if the prompt does not fit, and is not completed."""
    item: str
    """Task, language and item, for messages."""
    tokens: list[int]
    """The whole prompt, with BOS and demonstrations."""
    limit: int
    """New tokens that a completion may have."""
    choices: list[list[int]]
    """The continuations to rank; empty if a completion is generated."""
    item_tokens: int
    """Tokens of the prompt's text alone, without frame, demonstrations and BOS: what a tokenizer makes of its words."""
    shots: int
    """Demonstrations in the prompt."""
    shots_dropped: int
    """Demonstrations that did not fit."""

    @property
    def row(self) -> dict:
        """The columns of REQUEST_SCHEMA."""
        return {
            "key": self.key or None,
            "prompt_tokens": len(self.tokens),
            "item_tokens": self.item_tokens,
            "shots": self.shots,
            "shots_dropped": self.shots_dropped,
        }


def completion_key(weights: str, tokens: Sequence[int], limit: int, decoding: Mapping, engine: str) -> str:
    """Return the key of one completion: same weights, prompt tokens, decoding, engine and version, same key."""
    content = json.dumps([weights, list(tokens), limit, dict(decoding), engine], sort_keys=True)
    return blake2b(content.encode(), digest_size=16).hexdigest()


def previous_completions(
    outputs: Iterable[str | Path], journal: Journal, schema: pl.Schema = COMPLETION_SCHEMA, added: Sequence[str] = ()
) -> pl.DataFrame:
    """Return the completions in a job's earlier outputs (columns of `schema`), as far as these can be read.

    Columns that are `added` are null where an earlier version did not write them.

    They are copied beside the journal until the job is done: when a job fails, Snakemake restores its outputs on this
    machine, and deletes them on a cluster.
    """
    frames = [pl.DataFrame(schema=schema)]
    for path in (*map(Path, outputs), journal.previous):
        if path.is_file():
            try:
                frame = read_parquet(path, foreign=True)
                lacking = {name: pl.lit(None) for name in added if name not in frame.columns}
                frames.append(frame.with_columns(**lacking).select(list(schema)).cast(schema))
            except (DamagedFileError, pl.exceptions.PolarsError, OSError):
                continue
    previous = pl.concat(frames).unique("key", keep="first", maintain_order=True)
    if previous.height:
        write_parquet(previous, journal.previous)
    return previous


def is_completion(row: Mapping) -> bool:
    """Return True if a journal's line has the columns of COMPLETION_SCHEMA; `flipped` may be left out."""
    return (
        row.keys() | {"flipped"} == set(COMPLETION_SCHEMA)
        and all(isinstance(row[name], str) for name in ("completion", "finish_reason"))
        and isinstance(row["token_ids"], list)
        and all(type(token) is int and 0 <= token < 2**31 for token in row["token_ids"])
        and isinstance(row["log_likelihoods"], list)
        and all(type(number) in (int, float) for number in row["log_likelihoods"])
        and type(row["log_probability"]) in (int, float, NoneType)
        and type(row.get("flipped")) in (bool, NoneType)
    )
