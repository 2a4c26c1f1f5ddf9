"""Generation by a model behind an endpoint: it gets the prompts of all other runs as messages."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import polars as pl

from maple.definitions.task import STOP
from maple.engines.blocks import EndpointBlock
from maple.engines.ledger import Ledger, ledger
from maple.engines.openai_endpoint import OpenAIEndpoint, body_of
from maple.evaluation.cards import EndpointCard, EndpointCounts
from maple.evaluation.completions import ASKED_ONLY, previous_completions, rows_by_answer
from maple.evaluation.finish_reasons import NO_ANSWER
from maple.evaluation.prompt_layout import layout_of
from maple.evaluation.thinking_columns import print_thinking
from maple.models.frames import as_text
from maple.models.plain_frame import plain_text
from maple.runtime.files import write_parquet
from maple.runtime.journal import Journal, key_of
from maple.text.thinking import split_row

# What the endpoint returns for a prompt; both counts are null if it does not count.
ANSWER_SCHEMA = pl.Schema(
    {
        "key": pl.String,
        "completion": pl.String,
        "finish_reason": pl.String,
        "prompt_tokens": pl.Int32,
        "completion_tokens": pl.Int32,
        "reasoning": pl.String,
        "thinking_tokens": pl.Int32,
    }
)
# Columns that earlier versions did not write; their answers are paid for, and are carried over.
ADDED = ("reasoning", "thinking_tokens")
# The columns that only an engine in the job itself can fill.
UNKNOWN = {
    "item_tokens": pl.lit(None, pl.Int32),
    "token_ids": pl.lit([], pl.List(pl.Int32)),
    "log_probability": pl.lit(None, pl.Float64),
    "log_likelihoods": pl.lit([], pl.List(pl.Float64)),
    "flipped": pl.lit(None, pl.Boolean),
    "opened_by": pl.lit(""),
}


def _with_limit(block: EndpointBlock, limit: int) -> EndpointBlock:
    """Return the block with a prompt's own limit as max_tokens, unless it states a limit for all prompts."""
    if block.max_tokens or block.max_completion_tokens:
        return block
    return block.changed(max_tokens=limit + block.thinking_tokens)


def _answer(row: Mapping) -> dict:
    """Return the columns of ANSWER_SCHEMA from a row of the journal."""
    if "failure" in row:
        return {"key": row["key"], "completion": "", "finish_reason": NO_ANSWER}
    counted = row["prompt_tokens"] > 0
    return {
        "key": row["key"],
        "completion": row["text"],
        "reasoning": row.get("reasoning", ""),
        "thinking_tokens": row.get("thinking_tokens"),
        "finish_reason": row["finish_reason"],
        "prompt_tokens": row["prompt_tokens"] if counted else None,
        "completion_tokens": row["completion_tokens"] if counted else None,
    }


def _message(row: Mapping, block: EndpointBlock) -> str:
    """Return the last message: the prompt in the task's layout or the model's frame, after its demonstrations unless
    these are turns."""
    if layout := layout_of(row):
        return plain_text(layout, row["prompt"], row["demonstrations"])
    if block.frame != "chat":
        return as_text(block.frame, row["prompt"], row["demonstrations"])
    shown = row["demonstrations"] if block.demonstrations == "text" else []
    return as_text("none", row["prompt"], shown).removesuffix("\n")


def _turns(demonstrations: Iterable[Mapping[str, str]]) -> Iterator[dict[str, str]]:
    for demonstration in demonstrations:
        yield {"role": "user", "content": demonstration["prompt"]}
        yield {"role": "assistant", "content": demonstration["answer"]}


def _bodies(prompts: pl.DataFrame, block: EndpointBlock) -> tuple[list[str], dict[str, dict]]:
    """Return the key of each prompt, and the requests by key."""
    keys, bodies = [], {}
    for row in prompts.iter_rows(named=True):
        # A label may be written: an endpoint does not tell its tokens, but none has more tokens than bytes.
        longest = max((len(forms[0].encode()) for forms in row["verbalizers"]), default=0) + 1
        limited = _with_limit(block, max(row["max_new_tokens"], longest))
        body = body_of(_message(row, block), limited)
        if block.frame == "chat" and block.demonstrations == "turns" and not layout_of(row):
            body["messages"] = [*_turns(row["demonstrations"]), *body["messages"]]
        if (stop := row.get(STOP)) and not block.thinking_tokens:  # which a text must not end
            body["stop"] = stop
        keys.append(key_of(block.base_url, block.model, body))
        bodies[keys[-1]] = body
    return keys, bodies


def complete(
    prompts: pl.DataFrame, block: EndpointBlock, *, previous: pl.DataFrame, journal: Journal, progress: Callable
) -> tuple[pl.DataFrame, EndpointCounts, Ledger]:
    """Send an endpoint the prompts that are missing, each distinct one once, and carry over the rest.

    `prompts` has the columns of maple.evaluation.prompts.ASKED_SCHEMA; rows with a fault are left out, and so is
    ranking: an endpoint returns no likelihoods of given choices. `previous` has the columns of ANSWER_SCHEMA;
    `progress` is tqdm.

    In the frames bactrian and none one message has the same text that other models complete, with demonstrations and
    frame: the frame separates demonstrations and prompt, and ends where the answer begins. In the frame chat the
    message is the prompt alone, and demonstrations are turns before it, or text within it. A task with a layout has it
    in every frame. Only the endpoint knows what
    fits, so that nothing is left out. A request that fails for good, as for a prompt that is too long, has
    finish_reason NO_ANSWER and no completion; it is not carried over, so that the next job sends it again.

    Returns the columns of maple.evaluation.generation.complete, of which those in UNKNOWN are empty, the counts, and
    the sum of this job's journal. Raises maple.engines.openai_endpoint.EndpointError.
    """
    asked = rows_by_answer(prompts)
    rows = asked.filter(pl.col("answer") == "generate")
    endpoint = OpenAIEndpoint(block, journal)
    # Greedy, like the engines.
    keys, bodies = _bodies(rows, block.with_defaults(temperature=0.0))
    carried_over = {
        row["key"]: row for row in previous.to_dicts() if row["key"] in bodies and row["finish_reason"] != NO_ANSWER
    }
    answered = {key for key, row in endpoint.rows.items() if "failure" not in row}
    missing = {key: body for key, body in bodies.items() if key not in carried_over and key not in answered}
    with progress(total=len(missing), unit=" prompts") as bar:
        endpoint.ask(missing, len(bodies), update=bar.update)
    answers = [carried_over.get(key) or _answer(endpoint.rows[key]) for key in bodies]
    completed = (
        rows.with_columns(
            key=pl.Series(keys, dtype=pl.String),
            shots=pl.col("demonstrations").list.len().cast(pl.Int32),
            shots_dropped=pl.lit(0, pl.Int32),
            **UNKNOWN,
        )
        .drop(ASKED_ONLY, strict=False)
        .join(pl.DataFrame(answers, schema=ANSWER_SCHEMA), on="key", validate="m:1", maintain_order="left")
        .with_columns(pl.col("reasoning").fill_null(""))
    )
    splits = [split_row(row["completion"], row) for row in completed.iter_rows(named=True)]
    print_thinking(sum(split.thinks for split in splits), sum(split.unfinished for split in splits))
    counts = EndpointCounts(
        prompts=rows.height,
        distinct=len(bodies),
        carried_over=len(bodies) - len(missing),
        computed=len(missing),
        not_ranked=int(asked["answer"].eq("rank").sum()),
    )
    return completed, counts, ledger(endpoint.rows.values())


def generate(
    prompts: pl.DataFrame,
    block: EndpointBlock,
    *,
    outputs: Mapping[str, str | Path],
    journal: Journal,
    progress: Callable,
) -> EndpointCard:
    """Complete the prompts of a model behind an endpoint and write one file per language; return the run card."""
    begin = time.perf_counter()
    previous = previous_completions(outputs.values(), journal, ANSWER_SCHEMA, ADDED)
    completed, counts, spent = complete(prompts, block, previous=previous, journal=journal, progress=progress)
    for language, path in outputs.items():
        rows = completed.filter(pl.col("language") == language)
        write_parquet(rows, path)
        reasons = rows["finish_reason"]
        print(
            f"{language}: {rows.height} answers, {reasons.eq('stop').sum()} completions ended by themselves, "
            f"{reasons.eq(NO_ANSWER).sum()} prompts without an answer"
        )
    journal.remove()
    if spent.failures:
        print("What has no answer is scored as wrong; `snakemake --forcerun` with a file of this job asks it again.")
    if counts.not_ranked:
        print("Choices are not ranked: an endpoint tells no likelihoods of them.")
    print(json.dumps({**asdict(counts), **spent._asdict()}))
    return EndpointCard(
        identity=_stated(block),
        counts=counts,
        ledger=spent,
        seconds=round(time.perf_counter() - begin, 2),
    )


def _stated(block: EndpointBlock) -> dict[str, str | float | None]:
    return {name: value for name, value in block.identity.items() if name in block.model_fields_set}
