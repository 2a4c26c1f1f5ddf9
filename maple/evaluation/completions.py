"""Completions: their requests, columns, keys and files, and those of an earlier job."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from types import NoneType

import polars as pl

from maple.data.examples import PICTURE_FIELD
from maple.definitions.task import STOP, AnswersByTask
from maple.engines.engine import PromptPictures
from maple.evaluation.finish_reasons import TOO_LONG
from maple.evaluation.prompt_layout import CHOICE_PROMPTS, LAYOUT
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


# The columns of prompts that are not in the files of completions.
ASKED_ONLY = (
    *("demonstrations", "texts", "text_words", "source_language", "target_language", "answers"),
    PICTURE_FIELD,
    STOP,
    LAYOUT,
    CHOICE_PROMPTS,
)


@dataclass(frozen=True)
class RunOutputs:
    """Where one run's completions go."""

    outputs: Mapping[str, str | Path]
    """One file per language, by code."""
    journal: str | Path
    """The file of the unfinished job."""
    adapter: str | Path | None = None
    """The folder of an adapter that is attached to the model."""


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
    pictures: PromptPictures | None = None
    """What the prompt asks about; None if it has no pictures."""
    stop: tuple[str, ...] = ()
    """Texts that end the completion."""
    choice_prompts: tuple[list[int], ...] = ()
    """The whole prompt before each of the choices to rank; none if `tokens` are before all of them."""

    @property
    def continued(self) -> list[tuple[list[int], list[int]]]:
        """The choices to rank, each after the prompt that it continues."""
        prompts = self.choice_prompts or [self.tokens] * len(self.choices)
        return list(zip(prompts, self.choices, strict=True))

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


def asked(prompts: pl.DataFrame, answers: AnswersByTask) -> pl.DataFrame:
    """Return prompts as a run is asked them (maple.evaluation.prompts.ASKED_SCHEMA); `answers` are its answer modes."""
    modes = pl.col("task").replace_strict(answers, return_dtype=pl.List(pl.String))
    return prompts.with_columns(answers=modes)


def check_sighted(prompts: pl.DataFrame, model: str | Path) -> None:
    """Refuse prompts with pictures for a model that sees none, which would answer them blindly: ValueError."""
    if PICTURE_FIELD in prompts.columns and (shown := prompts.filter(pl.col(PICTURE_FIELD).list.len() > 0)).height:
        raise ValueError(
            f"config/tasks/{shown['task'][0]}.yaml: pictures: {model} reads text alone; leave the task out of the "
            "`tasks` of its part of the grid, or name a model that sees"
        )


def rows_by_answer(prompts: pl.DataFrame) -> pl.DataFrame:
    """Return one row per prompt without a fault and answer mode, which is in the column `answer`.

    `prompts` has the columns of maple.evaluation.prompts.ASKED_SCHEMA.
    """
    return (
        prompts.filter(pl.col("fault").is_null())
        .with_columns(answer="answers")
        .explode("answer")
        .drop("fault", "repaired", "available")
    )


def joined(rows: pl.DataFrame, requests: Sequence[PromptRequest], completions: pl.DataFrame) -> pl.DataFrame:
    """Return rows of `rows_by_answer` with the columns of their requests (REQUEST_SCHEMA) and of their completions.

    `completions` has the columns of COMPLETION_SCHEMA; a row without a key is TOO_LONG.
    """
    keyed = rows.drop(ASKED_ONLY, strict=False).hstack(
        pl.DataFrame([request.row for request in requests], schema=REQUEST_SCHEMA)
    )
    return keyed.join(completions, on="key", how="left", validate="m:1", maintain_order="left").with_columns(
        pl.col("completion").fill_null(""),
        pl.col("finish_reason").fill_null(TOO_LONG),
        pl.col("token_ids", "log_likelihoods").fill_null([]),
        completion_tokens=pl.col("token_ids").list.len().fill_null(0).cast(pl.Int32),
    )


def write_completions(completed: pl.DataFrame, outputs: Mapping[str, str | Path]) -> None:
    """Write a run's completions, one file per language, and print how many there are of each kind."""
    for language, path in outputs.items():
        rows = completed.filter(pl.col("language") == language)
        write_parquet(rows, path)
        reasons = rows["finish_reason"]
        print(
            f"{language}: {rows.height} answers, {reasons.eq('stop').sum()} completions ended by themselves, "
            f"{reasons.eq(TOO_LONG).sum()} prompts too long, {rows['shots_dropped'].sum()} demonstrations left out"
        )


def completion_key(
    weights: str, tokens: Sequence[int], limit: int, decoding: Mapping, engine: str, pictures: Sequence[str] = ()
) -> str:
    """Return the key of one completion: same weights, prompt tokens, decoding, engine and version, same key.

    `pictures` says what each picture of the prompt is, such as its digest; how they are prepared is in the digest of
    the weights.
    """
    shown = [list(pictures)] if pictures else []
    content = json.dumps([weights, list(tokens), limit, dict(decoding), engine, *shown], sort_keys=True)
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
