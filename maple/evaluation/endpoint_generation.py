"""Generation by a model behind an endpoint: the prompts of every other run, sent as messages."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl

from maple.engines.ledger import ledger
from maple.engines.openai_endpoint import DECIDES, OpenAIEndpoint, body_of
from maple.evaluation.completions import previous_completions
from maple.evaluation.finish_reasons import NO_ANSWER
from maple.runtime.files import write_parquet
from maple.runtime.journal import Journal, key_of

# What the endpoint says of a prompt; both numbers are null where it does not count.
ANSWER_SCHEMA = {
    "key": pl.String,
    "completion": pl.String,
    "finish_reason": pl.String,
    "prompt_tokens": pl.Int32,
    "completion_tokens": pl.Int32,
}
# What only an engine in the job itself can say.
UNKNOWN = {
    "item_tokens": pl.lit(None, pl.Int32),
    "token_ids": pl.lit([], pl.List(pl.Int32)),
    "log_probability": pl.lit(None, pl.Float64),
    "log_likelihoods": pl.lit([], pl.List(pl.Float64)),
    "flipped": pl.lit(None, pl.Boolean),
}
# Greedy, like the engines. Without a limit in the model's block each prompt is sent its own, as max_tokens.
DECODING = {**dict.fromkeys(DECIDES), "temperature": 0.0}


def _sampling(settings: Mapping, limit: int) -> dict:
    stated = settings["max_tokens"] or settings["max_completion_tokens"]
    return settings if stated else {**settings, "max_tokens": limit}


def _answer_of(row: Mapping) -> dict:
    if "failure" in row:
        return {"key": row["key"], "completion": "", "finish_reason": NO_ANSWER}
    counted = row["prompt_tokens"] > 0
    return {
        "key": row["key"],
        "completion": row["text"],
        "finish_reason": row["finish_reason"],
        "prompt_tokens": row["prompt_tokens"] if counted else None,
        "completion_tokens": row["completion_tokens"] if counted else None,
    }


def complete(
    prompts: pl.DataFrame, settings: dict, *, previous: pl.DataFrame, journal: Journal, progress: Callable
) -> tuple[pl.DataFrame, dict]:
    """Ask an endpoint the prompts that are missing, each distinct one once, and carry over the rest.

    `prompts` has the columns of maple.evaluation.prompts.PROMPT_SCHEMA; faulty rows are left out, and so is ranking: an
    endpoint tells no likelihood of a choice that is given to it. `settings` are the model's `openai:` block and `file`,
    where that block stands; `previous` has the columns of ANSWER_SCHEMA; `progress` is tqdm.

    One message holds what the other models complete, demonstrations and frame included: so all read the same text, the
    frame tells demonstrations and prompt apart, and ends where the answer is to begin. Nothing is left out of it, as
    only the endpoint knows what fits. A request that fails for good, too long ones among them, has finish_reason
    NO_ANSWER and no completion; it is carried over nowhere, so that the next job asks it again.

    Returns the columns of maple.evaluation.generation.complete, of which those in UNKNOWN are empty; and counts
    {"prompts", "distinct", "carried_over", "computed", "not_ranked"} with the ledger of this job {"answers",
    "failures", "prompt_tokens", "completion_tokens", "usd"}. Raises maple.engines.openai_endpoint.EndpointError.
    """
    settings = {**DECODING, **settings}
    askable = prompts.filter(pl.col("fault").is_null())
    asked = askable.filter(pl.col("answers").list.contains("generate")).with_columns(answer=pl.lit("generate"))
    endpoint = OpenAIEndpoint(settings, journal)
    keys, bodies = [], {}
    for row in asked.iter_rows(named=True):
        body = body_of("".join((*row["demonstrations"], row["prompt"])), _sampling(settings, row["max_new_tokens"]))
        keys.append(key_of(settings["base_url"], settings["model"], body))
        bodies[keys[-1]] = body
    carried = {
        row["key"]: row for row in previous.to_dicts() if row["key"] in bodies and row["finish_reason"] != NO_ANSWER
    }
    answered = {key for key, row in endpoint.known.items() if "failure" not in row}
    missing = {key: body for key, body in bodies.items() if key not in carried and key not in answered}
    with progress(total=len(missing), unit=" prompts") as bar:
        endpoint.ask(missing, len(bodies), noted=bar.update)
    answers = [carried.get(key) or _answer_of(endpoint.known[key]) for key in bodies]
    completed = (
        asked.with_columns(
            key=pl.Series(keys, dtype=pl.String),
            shots=pl.col("demonstrations").list.len().cast(pl.Int32),
            shots_dropped=pl.lit(0, pl.Int32),
            **UNKNOWN,
        )
        .drop("demonstrations", "answers", "fault", "repaired")
        .join(pl.DataFrame(answers, schema=ANSWER_SCHEMA), on="key", validate="m:1", maintain_order="left")
    )
    counts = {
        "prompts": asked.height,
        "distinct": len(bodies),
        "carried_over": len(bodies) - len(missing),
        "computed": len(missing),
        "not_ranked": askable["answers"].list.contains("rank").sum(),
        **ledger(endpoint.known.values()),
    }
    return completed, counts


def generate(
    prompts: pl.DataFrame,
    settings: dict,
    *,
    outputs: Mapping[str, str | Path],
    journal: Journal,
    progress: Callable,
) -> dict:
    """Complete the prompts of a model behind an endpoint and write one file a language; return the run card.

    As maple.evaluation.generation.generate, which calls it.
    """
    start = time.perf_counter()
    previous = previous_completions(outputs.values(), journal, ANSWER_SCHEMA)
    completed, counts = complete(prompts, settings, previous=previous, journal=journal, progress=progress)
    for language, path in outputs.items():
        rows = completed.filter(pl.col("language") == language)
        write_parquet(rows, path)
        reasons = rows["finish_reason"]
        print(
            f"{language}: {rows.height} answers, {reasons.eq('stop').sum()} completions ended by themselves, "
            f"{reasons.eq(NO_ANSWER).sum()} prompts without an answer"
        )
    journal.remove()
    if counts["failures"]:
        print("What has no answer is scored as wrong; `snakemake --forcerun` with a file of this job asks it again.")
    if counts["not_ranked"]:
        print("Choices are not ranked: an endpoint tells no likelihoods of them.")
    print(json.dumps(counts))
    sent = {key: settings[key] for key in DECIDES if key in settings}
    return {
        "engine": "openai",
        **sent,
        "started": counts["computed"] > 0,
        **counts,
        "seconds": round(time.perf_counter() - start, 2),
    }
