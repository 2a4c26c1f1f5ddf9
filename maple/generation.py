"""Generation: every completion computed once, kept under its key, and found again after any interruption."""

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from maple.engines import choose, engine_version, start
from maple.files import write_parquet
from maple.prompts import Encoder

if TYPE_CHECKING:
    from maple.engines import Completion, Engine

COMPLETION_SCHEMA = {
    "key": pl.String,
    "completion": pl.String,
    "token_ids": pl.List(pl.Int32),
    "finish_reason": pl.String,
}


class GenerationError(ValueError):
    """Prompts that cannot be completed; the message names task, language and item, or the file to change."""


def weights_digest(model: str | Path) -> str:
    """Return a digest of what decides a model's answers: config, tokenizer and safetensors weights of its folder."""
    digest = blake2b(digest_size=16)
    names = ("config.json", "tokenizer.json")
    for path in sorted(path for path in Path(model).iterdir() if path.suffix == ".safetensors" or path.name in names):
        with open(path, "rb") as file:
            digest.update(path.name.encode() + file_digest(file, "blake2b").digest())
    return digest.hexdigest()


def completion_key(weights: str, tokens: Sequence[int], limit: int, decoding: Mapping, engine: str) -> str:
    """Return the key of one completion: same weights, prompt tokens, decoding, engine and version, same key."""
    content = json.dumps([weights, list(tokens), limit, dict(decoding), engine], sort_keys=True)
    return blake2b(content.encode(), digest_size=16).hexdigest()


class Journal:
    """Completions of an unfinished job, one JSON line each, beside its outputs; synced after every batch."""

    def __init__(self, path: Path):
        self.path = path

    def read(self) -> list[dict]:
        """Return the whole lines; a torn last line (a job killed while writing) is left out."""
        if not self.path.is_file():
            return []
        rows = []
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                continue
        return rows

    def append(self, rows: Iterable[dict]) -> None:
        """Write rows and wait until they are on disk; a torn line before them is closed first."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "ab+") as file:
            if file.tell() and (file.seek(-1, os.SEEK_END), file.read(1))[1] != b"\n":
                file.write(b"\n")
            file.writelines(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
            file.flush()
            os.fsync(file.fileno())

    def remove(self) -> None:
        """Remove the file: its completions stand in the outputs now."""
        self.path.unlink(missing_ok=True)


def previous_completions(outputs: Iterable[str | Path]) -> pl.DataFrame:
    """Return the completions of a job's outputs so far (columns of COMPLETION_SCHEMA), those that can be read."""
    frames = [pl.DataFrame(schema=COMPLETION_SCHEMA)]
    for path in map(Path, outputs):
        if path.is_file():
            try:
                frames.append(pl.read_parquet(path, columns=list(COMPLETION_SCHEMA)).cast(COMPLETION_SCHEMA))
            except (pl.exceptions.PolarsError, OSError):
                continue
    return pl.concat(frames)


def complete(
    prompts: pl.DataFrame,
    model: str | Path,
    *,
    engine: str,
    settings: dict,
    previous: pl.DataFrame,
    journal: Journal,
    start_engine: Callable[[Encoder], "Engine"],
    progress: Callable[[Iterable], Iterable],
) -> tuple[pl.DataFrame, dict]:
    """Complete the prompts of one run that are missing, and carry over the rest.

    `prompts` has the columns of maple.tasks.PROMPT_SCHEMA; `engine` is the engine's name and version, part of every
    key; `settings` has batch and max_length (tokens of prompt and completion); `start_engine` is called
    only when something is missing. Returns the prompts with key, completion, token_ids, finish_reason and
    prompt_tokens, and counts {"prompts", "distinct", "carried_over", "computed"}. Raises GenerationError for a prompt
    that does not fit, before the engine starts: a prompt is never cut.
    """
    encoder = Encoder.of(model)
    weights = weights_digest(model)
    decoding = {"temperature": 0.0}
    tokens = encoder.prompts(prompts["prompt"].to_list())
    limits = prompts["max_new_tokens"].to_list()
    for row, (ids, limit) in enumerate(zip(tokens, limits, strict=True)):
        if len(ids) + limit > settings["max_length"]:
            task, language, item = prompts.select("task", "language", "item").row(row)
            raise GenerationError(
                f"{task}, {language}, item {item}: {len(ids)} prompt tokens and {limit} new ones exceed "
                f"generate.max_length={settings['max_length']}; raise it, or lower max_new_tokens of the task"
            )
    keys = [completion_key(weights, ids, limit, decoding, engine) for ids, limit in zip(tokens, limits, strict=True)]
    wanted = {key: (ids, limit) for key, ids, limit in zip(keys, tokens, limits, strict=True)}
    known = {row["key"]: row for row in (*previous.to_dicts(), *journal.read()) if row["key"] in wanted}
    missing = [key for key in wanted if key not in known]
    if missing:
        running = start_engine(encoder)
        # Batches of four engine loads: large enough for continuous batching, small enough to lose to a kill.
        size = 4 * settings["batch"]
        missing.sort(key=lambda key: wanted[key])
        for at in progress(range(0, len(missing), size)):
            batch = missing[at : at + size]
            results: list[Completion] = running.complete(*zip(*(wanted[key] for key in batch), strict=True))
            rows = [
                {
                    "key": key,
                    "completion": encoder.text(result.tokens),
                    "token_ids": result.tokens,
                    "finish_reason": result.finish_reason,
                }
                for key, result in zip(batch, results, strict=True)
            ]
            journal.append(rows)
            known.update((row["key"], row) for row in rows)
    completions = pl.DataFrame([known[key] for key in wanted], schema=COMPLETION_SCHEMA)
    counts = {
        "prompts": len(keys),
        "distinct": len(wanted),
        "carried_over": len(wanted) - len(missing),
        "computed": len(missing),
    }
    keyed = prompts.with_columns(
        pl.Series("key", keys, pl.String), pl.Series("prompt_tokens", [len(ids) for ids in tokens], pl.Int32)
    )
    return keyed.join(completions, on="key", how="left", validate="m:1", maintain_order="left"), counts


def generate(
    prompts: pl.DataFrame,
    weights: str | Path,
    *,
    outputs: Mapping[str, str | Path],
    journal: str | Path,
    settings: dict,
    model: dict,
    threads: int,
    progress: Callable[[Iterable], Iterable],
) -> dict:
    """Complete one run's prompts and write one file a language; return the run card.

    What `outputs` {language: file} and the journal hold already is carried over; the files are replaced, one after the
    other, once every completion is there. `settings` is the config's `generate:` block, `model` the base's definition.
    """
    start_time = time.perf_counter()
    name = choose(settings["engine"])
    card = {"engine": engine_version(name), "settings": settings}
    notes = Journal(Path(journal))

    def start_engine(encoder: Encoder) -> "Engine":
        card["started"] = True
        merged = {**settings, "trust_remote_code": model.get("trust_remote_code", False)}
        return start(name, weights, merged, eos=encoder.eos, pad=encoder.pad, threads=threads)

    completed, counts = complete(
        prompts,
        weights,
        engine=card["engine"],
        settings=settings,
        previous=previous_completions(outputs.values()),
        journal=notes,
        start_engine=start_engine,
        progress=progress,
    )
    for language, path in outputs.items():
        rows = completed.filter(pl.col("language") == language)
        write_parquet(rows, path)
        print(f"{language}: {rows.height} completions, {rows['finish_reason'].eq('stop').sum()} ended by themselves")
    notes.remove()
    seconds = time.perf_counter() - start_time
    return {"started": False, **card, **counts, "seconds": round(seconds, 2)}
