"""Generation: every completion computed once, kept under its key, and found again after any interruption."""

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from maple.engines.launch import start_on
from maple.engines.start import choose, engine_version
from maple.evaluation.completions import COMPLETION_SCHEMA, completion_key, previous_completions
from maple.evaluation.finish_reasons import TOO_LONG
from maple.models.encoding import Encoder
from maple.runtime.devices import energy_joules, energy_since
from maple.runtime.files import write_parquet
from maple.runtime.fingerprint import weights_digest
from maple.runtime.journal import Journal

if TYPE_CHECKING:
    from maple.engines.engine import Engine


# A piece of work, in engine loads: what a kill costs. Larger ones would keep the engine busier at their ends.
LOADS = 4


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
    weights: str,
    engine: str,
    settings: dict,
    previous: pl.DataFrame,
    journal: Journal,
    start_engine: Callable[[Encoder], "Engine"],
    progress: Callable,
) -> tuple[pl.DataFrame, dict]:
    """Complete the prompts of one run that are missing, and carry over the rest.

    `prompts` has the columns of maple.evaluation.prompts.PROMPT_SCHEMA; faulty rows are left out, and each way of
    answering is a row of its own (column `answer`: generate or rank). `weights` is the digest of the model and of what
    is attached to it, `engine` the engine's name and version, both part of every key; `settings` has batch, max_length
    (tokens of prompt and completion) and flip_sample (completions to compute a second time, alone); `start_engine` is
    called only when something is missing; `progress` is tqdm.

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


class Run(NamedTuple):
    """Where one run's completions go.

    outputs: {language: file}; journal: the file of the unfinished job; adapter: the folder of what is attached to the
    model, if anything.
    """

    outputs: Mapping[str, str | Path]
    journal: str | Path
    adapter: str | Path | None = None


def generate(
    prompts: pl.DataFrame,
    weights: str | Path,
    runs: Sequence[Run],
    *,
    settings: dict,
    model: dict,
    service: dict | None = None,
    threads: int,
    gpus: int,
    progress: Callable,
) -> list[dict]:
    """Complete the prompts of runs that share a model, and write one file a run and language; return the run cards.

    What a run's outputs and journal hold already is carried over. Its files are replaced, one after the other, once all
    its completions are there; the journals are kept until all runs are done, for a job that fails loses its outputs.
    `weights` is the folder of the model, `settings` is the config's `generate:` block, `model` the base's definition,
    `gpus` how many devices share the work (as many processes, where there are none). At most one engine is started, and
    serves run after run. A model behind an endpoint has no weights, and is asked as `service` says
    (maple.evaluation.endpoint_generation). A card says what the engine's arithmetic depended on, how many prompt tokens
    it found in its prefix cache, and how many of a sample of answers were others when computed alone.
    """
    if "openai" in model:
        from maple.evaluation.endpoint_generation import generate as generate_remotely

        return [
            generate_remotely(
                prompts,
                {**model["openai"], **service},
                outputs=run.outputs,
                journal=Journal(run.journal),
                progress=progress,
            )
            for run in runs
        ]
    name = choose(settings["engine"])
    version = engine_version(name) + (", batch-invariant" if settings.get("batch_invariant") else "")
    adapters = [run.adapter for run in runs if run.adapter]
    digest = weights_digest(weights)
    engine, cards = None, []
    # One run after the other. Four adapters of ranks 4 to 32 on tiny-llama (vLLM 0.32, CPU, 64 prompts each, 16 at
    # once) took 6 s so, and 8 s where every piece of the same size mixed all four.
    for run in runs:
        start_time = time.perf_counter()
        card = {"engine": version, "settings": settings, "started": False}
        if run.adapter:
            card["adapter"] = "attached"

        def engine_of_run(encoder: Encoder, run: Run = run, card: dict = card) -> "Engine":
            nonlocal engine
            before = time.perf_counter()
            card["energy_joules"] = energy_joules()
            if engine is None:
                merged = {**settings, "trust_remote_code": model.get("trust_remote_code", False)}
                options = {"adapters": adapters, "eos": encoder.eos, "pad": encoder.pad, "threads": threads}
                engine = start_on(gpus, name, weights, merged, **options)
                card.update(started=True, start_seconds=round(time.perf_counter() - before, 2))
            if run.adapter:
                engine.use(run.adapter)
            card.update(engine.facts, cached_prompt_tokens=engine.cached_tokens)
            return engine

        journal = Journal(run.journal)
        completed, counts = complete(
            prompts,
            weights,
            weights=f"{digest}+{weights_digest(run.adapter)}" if run.adapter else digest,
            engine=version,
            settings=settings,
            previous=previous_completions(run.outputs.values(), journal),
            journal=journal,
            start_engine=engine_of_run,
            progress=progress,
        )
        for language, path in run.outputs.items():
            rows = completed.filter(pl.col("language") == language)
            write_parquet(rows, path)
            reasons = rows["finish_reason"]
            print(
                f"{language}: {rows.height} answers, {reasons.eq('stop').sum()} completions ended by themselves, "
                f"{reasons.eq(TOO_LONG).sum()} prompts too long, {rows['shots_dropped'].sum()} demonstrations left out"
            )
        if "cached_prompt_tokens" in card:  # what it had found before this run is none of its own
            found = engine.cached_tokens
            card["cached_prompt_tokens"] = None if found is None else found - card["cached_prompt_tokens"]
            card["energy_joules"] = energy_since(card["energy_joules"])
        cards.append({**card, **counts, "seconds": round(time.perf_counter() - start_time, 2)})
    for run in runs:
        Journal(run.journal).remove()
    return cards


def compare_attached(
    prompts: pl.DataFrame,
    base: str | Path,
    adapter: str | Path,
    generations: pl.DataFrame,
    *,
    count: int,
    settings: dict,
    **options,
) -> dict:
    """Complete prompts of a merged run again with its adapter attached to the base; return a card of what differs.

    `generations` are the run's (the columns of generate's files). Of its completions the `count` with the smallest
    keys, which are digests, are compared token by token; the other arguments are generate's. The card has
    `attached_differ`: {"compared", "different"}.
    """
    cell = ["task", "language", "item"]
    completed = generations.filter(pl.col("answer") == "generate", pl.col("finish_reason") != TOO_LONG)
    sample = completed.unique("key", keep="first", maintain_order=True).sort("key").head(count)
    with TemporaryDirectory() as folder:
        outputs = {language: Path(folder) / f"{language}.parquet" for language in sample["language"].unique()}
        run = Run(outputs, Path(folder) / "journal.jsonl", adapter)
        asked = prompts.join(sample, on=cell, how="semi")
        (card,) = generate(asked, base, [run], settings={**settings, "flip_sample": 0}, **options)
        attached = pl.concat([generations.clear(), *map(pl.read_parquet, outputs.values())])
    both = sample.join(attached.filter(pl.col("answer") == "generate"), on=cell, validate="1:1")
    different = both.filter(pl.col("token_ids") != pl.col("token_ids_right")).height
    return {**card, "attached_differ": {"compared": both.height, "different": different}}
