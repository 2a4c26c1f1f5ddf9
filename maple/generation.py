"""Generation: every completion computed once, kept under its key, and found again after any interruption."""

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from itertools import accumulate, chain
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from maple.answers import TOO_LONG
from maple.engines import choose, engine_version, start_on
from maple.files import write_parquet
from maple.fingerprint import weights_digest
from maple.journal import Journal
from maple.prompts import Encoder

if TYPE_CHECKING:
    from maple.engines import Engine

COMPLETION_SCHEMA = {
    "key": pl.String,
    "completion": pl.String,
    "token_ids": pl.List(pl.Int32),
    "finish_reason": pl.String,
    "log_probability": pl.Float64,
    "log_likelihoods": pl.List(pl.Float64),
    "flipped": pl.Boolean,
}
# A piece of work, in engine loads: what a kill costs. Larger ones would keep the engine busier at their ends.
LOADS = 4


def completion_key(weights: str, tokens: Sequence[int], limit: int, decoding: Mapping, engine: str) -> str:
    """Return the key of one completion: same weights, prompt tokens, decoding, engine and version, same key."""
    content = json.dumps([weights, list(tokens), limit, dict(decoding), engine], sort_keys=True)
    return blake2b(content.encode(), digest_size=16).hexdigest()


def previous_completions(outputs: Iterable[str | Path], schema: Mapping = COMPLETION_SCHEMA) -> pl.DataFrame:
    """Return the completions of a job's outputs so far (columns of `schema`), those that can be read."""
    frames = [pl.DataFrame(schema=schema)]
    for path in map(Path, outputs):
        if path.is_file():
            try:
                frames.append(pl.read_parquet(path, columns=list(schema)).cast(schema))
            except (pl.exceptions.PolarsError, OSError):
                continue
    return pl.concat(frames)


def _requests(asked: pl.DataFrame, encoder: Encoder, weights: str, engine: str, max_length: int) -> list[dict]:
    """Return what the engine is asked in each row; `key` is None where the prompt does not fit.

    Demonstrations and prompt are encoded one by one, so that prompts of a task begin with the same tokens. Of the
    demonstrations, those that do not fit with the prompt and its answer are left out, from the end.
    """
    start = [] if encoder.bos is None else [encoder.bos]
    encoded: dict[tuple, list[list[int]]] = {}
    requests = []
    for row, own in zip(asked.iter_rows(named=True), encoder.pieces(asked["prompt"].to_list()), strict=True):
        texts = tuple(row["demonstrations"])
        if texts not in encoded:
            encoded[texts] = encoder.pieces(list(texts))
        ranked = row["answer"] == "rank"
        choices = encoder.pieces([forms[0] for forms in row["verbalizers"]]) if "rank" in row["answers"] else []
        limits = {"rank": max(map(len, choices), default=0) + 1, "generate": row["max_new_tokens"]}
        limit = limits[row["answer"]]
        # All ways of answering see the same demonstrations, so that they compare.
        room = max_length - max(limits[way] for way in row["answers"]) - len(start) - len(own)
        shown = [
            piece
            for piece, used in zip(encoded[texts], accumulate(map(len, encoded[texts])), strict=True)
            if used <= room
        ]
        tokens = [*start, *chain.from_iterable(shown), *own]
        decoding = {"choices": choices} if ranked else {"temperature": 0.0}
        requests.append(
            {
                "key": completion_key(weights, tokens, limit, decoding, engine) if room >= 0 else None,
                "tokens": tokens,
                "limit": limit,
                "choices": choices if ranked else [],
                "prompt_tokens": len(tokens),
                "item_tokens": len(own),
                "shots": len(shown),
                "shots_dropped": len(texts) - len(shown),
            }
        )
    return requests


def _completed(running: "Engine", requests: Sequence[Mapping], encoder: Encoder) -> list[dict]:
    results = running.complete([request["tokens"] for request in requests], [request["limit"] for request in requests])
    return [
        {
            "key": request["key"],
            "completion": encoder.text(result.tokens),
            "token_ids": result.tokens,
            "finish_reason": result.finish_reason,
            "log_probability": result.log_probability,
            "log_likelihoods": [],
        }
        for request, result in zip(requests, results, strict=True)
    ]


def _ranked(running: "Engine", requests: Sequence[Mapping]) -> list[dict]:
    pairs = [(request["tokens"], choice) for request in requests for choice in request["choices"]]
    scores = iter(running.log_likelihoods(*map(list, zip(*pairs, strict=True))))
    return [
        {
            "key": request["key"],
            "completion": "",
            "token_ids": [],
            "finish_reason": "rank",
            "log_probability": None,
            "log_likelihoods": [next(scores) for _ in request["choices"]],
        }
        for request in requests
    ]


def _flips(running: "Engine", requests: Sequence[Mapping], rows: Sequence[Mapping]) -> list[dict]:
    """Complete prompts one at a time; return their rows with `flipped`, whether the answer is another one then."""
    return [
        {**row, "flipped": running.complete([request["tokens"]], [request["limit"]])[0].tokens != row["token_ids"]}
        for request, row in zip(requests, rows, strict=True)
    ]


def complete(
    prompts: pl.DataFrame,
    model: str | Path,
    *,
    adapter: str | Path | None = None,
    engine: str,
    settings: dict,
    previous: pl.DataFrame,
    journal: Journal,
    start_engine: Callable[[Encoder], "Engine"],
    progress: Callable,
) -> tuple[pl.DataFrame, dict]:
    """Complete the prompts of one run that are missing, and carry over the rest.

    `prompts` has the columns of maple.tasks.PROMPT_SCHEMA; faulty rows are left out, and each way of answering is a row
    of its own (column `answer`: generate or rank). `adapter` is the folder of what is attached to the model, if any;
    `engine` is the engine's name and version, part of every key; `settings` has batch, max_length (tokens of prompt and
    completion) and flip_sample (completions to compute a second time, alone); `start_engine` is called only when
    something is missing; `progress` is tqdm.

    Returns the rows with key, completion, token_ids, finish_reason, log_probability (natural, of the completion),
    log_likelihoods (natural, of the choices that are ranked), flipped (is the answer another one without neighbours in
    the batch? null where that was not tried), prompt_tokens, item_tokens (without demonstrations), completion_tokens,
    shots and shots_dropped; and counts {"prompts", "distinct", "carried_over", "computed", "too_long",
    "compared_alone", "flipped"}. A prompt is never cut: one that does not fit has finish_reason TOO_LONG and no
    completion.
    """
    encoder = Encoder.of(model)
    asked = (
        prompts.filter(pl.col("fault").is_null())
        .with_columns(answer="answers")
        .explode("answer")
        .drop("fault", "repaired")
    )
    weights = "+".join(weights_digest(folder) for folder in (model, adapter) if folder)
    requests = _requests(asked, encoder, weights, engine, settings["max_length"])
    wanted = {request["key"]: request for request in requests if request["key"]}
    carried = {row["key"]: row for row in previous.to_dicts() if row["key"] in wanted}
    known = {**carried, **{row["key"]: row for row in journal.read() if row["key"] in wanted}}
    # The order brings prompts together that begin alike, so that an engine reads what they share once.
    missing = sorted(
        (request for key, request in wanted.items() if key not in known),
        key=lambda request: (bool(request["choices"]), request["tokens"]),
    )
    # Keys are digests, so the smallest are a sample; it is drawn of what this job computes, killed or not.
    fresh = sorted(key for key, request in wanted.items() if key not in carried and not request["choices"])
    sample = fresh[: settings["flip_sample"]]
    alone = [key for key in sample if key not in known or known[key].get("flipped") is None]
    running = start_engine(encoder) if missing or alone else None
    # The same pieces whether or not the job was killed in between: a piece in flight is computed again as it was.
    size = LOADS * settings["batch"]
    with progress(total=len(missing) + len(alone), unit=" prompts") as bar:
        started, tokens = time.perf_counter(), 0
        for at in range(0, len(missing), size):
            piece = missing[at : at + size]
            generated = [request for request in piece if not request["choices"]]
            ranked = [request for request in piece if request["choices"]]
            rows = _completed(running, generated, encoder) if generated else []
            rows += _ranked(running, ranked) if ranked else []
            journal.append(rows)
            known.update((row["key"], row) for row in rows)
            tokens += sum(len(row["token_ids"]) for row in rows)
            bar.set_postfix_str(f"{tokens / (time.perf_counter() - started):,.0f} tokens/s", refresh=False)
            bar.update(len(piece))
        for at in range(0, len(alone), settings["batch"]):
            keys = alone[at : at + settings["batch"]]
            rows = _flips(running, [wanted[key] for key in keys], [known[key] for key in keys])
            journal.append(rows)
            known.update((row["key"], row) for row in rows)
            bar.update(len(keys))
    completions = pl.DataFrame([known[key] for key in wanted], schema=COMPLETION_SCHEMA)
    columns = {"key": pl.String, **dict.fromkeys(("prompt_tokens", "item_tokens", "shots", "shots_dropped"), pl.Int32)}
    keyed = asked.drop("demonstrations", "answers").hstack(
        pl.DataFrame([{name: request[name] for name in columns} for request in requests], schema=columns)
    )
    completed = keyed.join(completions, on="key", how="left", validate="m:1", maintain_order="left").with_columns(
        pl.col("completion").fill_null(""),
        pl.col("finish_reason").fill_null(TOO_LONG),
        pl.col("token_ids", "log_likelihoods").fill_null([]),
        completion_tokens=pl.col("token_ids").list.len().fill_null(0).cast(pl.Int32),
    )
    counts = {
        "prompts": len(requests),
        "distinct": len(wanted),
        "carried_over": len(wanted) - len(missing),
        "computed": len(missing),
        "too_long": sum(request["key"] is None for request in requests),
        "compared_alone": completions["flipped"].count(),
        "flipped": completions["flipped"].sum(),
    }
    return completed, counts


def generate(
    prompts: pl.DataFrame,
    weights: str | Path,
    *,
    adapter: str | Path | None = None,
    outputs: Mapping[str, str | Path],
    journal: str | Path,
    settings: dict,
    model: dict,
    service: dict | None = None,
    threads: int,
    gpus: int,
    progress: Callable,
) -> dict:
    """Complete one run's prompts and write one file a language; return the run card.

    What `outputs` {language: file} and the journal hold already is carried over; the files are replaced, one after the
    other, once every completion is there. `weights` is the folder of the model, `adapter` that of what is attached to
    it, if anything; `settings` is the config's `generate:` block, `model` the base's definition, `gpus` how many
    devices share the work (as many processes, where there are none). A model behind an endpoint has no weights, and is
    asked as `service` says (maple.remote). The card says what the engine's arithmetic
    depended on, how many prompt tokens it found in its prefix cache, and how many of a sample of answers were others
    when computed alone.
    """
    if "openai" in model:
        from maple.remote import generate as generate_remotely

        return generate_remotely(
            prompts, {**model["openai"], **service}, outputs=outputs, journal=Journal(journal), progress=progress
        )
    start_time = time.perf_counter()
    name = choose(settings["engine"])
    card = {"engine": engine_version(name), "settings": settings, "started": False}
    if adapter:
        card["adapter"] = "attached"
    notes = Journal(journal)
    engines = []

    def start_engine(encoder: Encoder) -> "Engine":
        merged = {**settings, "trust_remote_code": model.get("trust_remote_code", False)}
        before = time.perf_counter()
        options = {"adapter": adapter, "eos": encoder.eos, "pad": encoder.pad, "threads": threads}
        engines.append(start_on(gpus, name, weights, merged, **options))
        card.update(started=True, start_seconds=round(time.perf_counter() - before, 2))
        return engines[0]

    completed, counts = complete(
        prompts,
        weights,
        adapter=adapter,
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
        reasons = rows["finish_reason"]
        print(
            f"{language}: {rows.height} answers, {reasons.eq('stop').sum()} completions ended by themselves, "
            f"{reasons.eq(TOO_LONG).sum()} prompts too long, {rows['shots_dropped'].sum()} demonstrations left out"
        )
    notes.remove()
    for engine in engines:
        card |= {**engine.facts, "cached_prompt_tokens": engine.cached_tokens}
    seconds = time.perf_counter() - start_time
    return {**card, **counts, "seconds": round(seconds, 2)}
