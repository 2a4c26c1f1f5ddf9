"""Generation: every completion computed once, kept under its key, and found again after any interruption."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import polars as pl

from maple.definitions.generation import GenerateSettings
from maple.engines.blocks import EndpointBlock
from maple.engines.engine import Engine, EngineOptions
from maple.engines.launch import start_on
from maple.engines.machine import Machine
from maple.engines.start import choose, engine_version
from maple.evaluation import classification, endpoint_generation, translation
from maple.evaluation.asked_model import ModelFolder, Weights
from maple.evaluation.cards import CompletionCounts, EndpointCard, EngineUse, GenerateCard
from maple.evaluation.completions import (
    COMPLETION_SCHEMA,
    PromptRequest,
    RunOutputs,
    check_sighted,
    is_completion,
    joined,
    previous_completions,
    rows_by_answer,
    write_completions,
)
from maple.evaluation.engine_rows import NotFiniteError, flipped_rows, generated_rows, ranked_rows
from maple.evaluation.prompt_requests import print_raised_limits, prompt_requests
from maple.evaluation.thinking_columns import with_thinking
from maple.models.completion_text import CompletionDecoder
from maple.models.encoding import Encoder
from maple.models.sight import sees
from maple.models.vision_text import VisionEncoder
from maple.runtime.devices import energy_joules, energy_since
from maple.runtime.fingerprint import weights_digest
from maple.runtime.journal import Journal, JournaledRows

# Prompts are computed in chunks of so many batches and journaled after each chunk; a killed job loses at most one
# chunk. A batch's last prompts leave the engine partly idle, and larger chunks make that rarer.
BATCHES_PER_CHUNK = 4


@dataclass(frozen=True)
class _Work:
    """What one job computes; requests in the order in which they are computed."""

    missing: list[PromptRequest]
    alone: list[PromptRequest]
    """Of the requests, those to complete a second time, each alone in its batch."""

    @classmethod
    def of(
        cls, requests: Mapping[str, PromptRequest], rows: JournaledRows, carried_over: set[str], sample: int
    ) -> "_Work":
        """Return what is missing of the requests, and the smallest `sample` keys among those that are new."""
        # Prompts with a common beginning are neighbours, so that an engine computes it once; so are those of a picture.
        missing = sorted(
            (requests[key] for key in rows.missing(requests)),
            key=lambda request: (
                bool(request.choices),
                request.pictures.files if request.pictures else (),
                request.tokens,
            ),
        )
        # Keys are digests, so that the smallest are a random sample: of all that this job computes, also before a kill.
        fresh = sorted(key for key, request in requests.items() if key not in carried_over and not request.choices)
        alone = [key for key in fresh[:sample] if key not in rows or rows[key].get("flipped") is None]
        return cls(missing, [requests[key] for key in alone])

    def compute(
        self, engine: Engine, decoder: CompletionDecoder, rows: JournaledRows, batch: int, progress: Callable
    ) -> None:
        """Compute and journal all rows; the chunks are the same in an undisturbed job and in one that resumes."""
        with progress(total=len(self.missing) + len(self.alone), unit=" prompts") as bar:
            started, tokens = time.perf_counter(), 0

            def counted(chunks: Iterable[Sequence[dict]]) -> Iterator[Sequence[dict]]:
                nonlocal tokens
                for chunk in chunks:
                    yield chunk
                    tokens += sum(len(row["token_ids"]) for row in chunk)
                    bar.set_postfix_str(f"{tokens / (time.perf_counter() - started):,.0f} tokens/s", refresh=False)
                    bar.update(len(chunk))

            rows.compute(self._completed(engine, decoder, BATCHES_PER_CHUNK * batch), counted)
            for requests in _chunks(self.alone, batch):
                rows.add(flipped_rows(engine, requests, rows))
                bar.update(len(requests))

    def _completed(self, engine: Engine, decoder: CompletionDecoder, size: int) -> Iterator[list[dict]]:
        for requests in _chunks(self.missing, size):
            generated = [request for request in requests if not request.choices]
            ranked = [request for request in requests if request.choices]
            rows = generated_rows(engine, generated, decoder) if generated else []
            yield rows + (ranked_rows(engine, ranked) if ranked else [])


def _chunks(requests: Sequence[PromptRequest], size: int) -> Iterator[Sequence[PromptRequest]]:
    for at in range(0, len(requests), size):
        yield requests[at : at + size]


def complete(
    prompts: pl.DataFrame,
    model: ModelFolder,
    *,
    engine: str,
    settings: GenerateSettings,
    previous: pl.DataFrame,
    journal: Journal,
    start_engine: Callable[[Encoder | VisionEncoder], Engine],
    progress: Callable,
) -> tuple[pl.DataFrame, CompletionCounts]:
    """Complete the prompts of one run that are missing, and carry over the rest.

    `prompts` has the columns of maple.evaluation.prompts.ASKED_SCHEMA; rows with a fault are left out, and each
    of the task's answer modes becomes a row of its own (column `answer`: generate, rank, or blind, which is to generate
    with grey in the place of each picture). `engine` is the engine's name and version, which are part of every key, as
    the model's digest is; `start_engine` is called only if something is missing; `progress` is tqdm.

    Returns the rows with the columns of COMPLETION_SCHEMA, REQUEST_SCHEMA and THINKING_SCHEMA: log_probability
    (natural, of the completion), log_likelihoods (natural, of the choices that are ranked), flipped (is the completion
    another one when it is computed alone? null if that was not tried), prompt_tokens, item_tokens (of its text alone),
    completion_tokens, shots and shots_dropped. A prompt is never cut: one that does not fit has finish_reason TOO_LONG
    and no completion.
    """
    encoder = model.weights.encoder()
    decoder = CompletionDecoder.of(encoder.tokenizer.whole.get_added_tokens_decoder(), encoder.tokenizer.text)
    asked = rows_by_answer(prompts)
    room = model.weights.thinking_tokens
    requests = prompt_requests(asked, encoder, model.digest, engine, settings.max_length, room)
    print_raised_limits(asked, requests, room)
    by_key = {request.key: request for request in requests if request.key}
    carried_over = [row for row in previous.to_dicts() if row["key"] in by_key]
    rows = JournaledRows(journal, carried_over, is_completion)
    work = _Work.of(by_key, rows, {row["key"] for row in carried_over}, settings.flip_sample)
    if work.missing or work.alone:
        work.compute(start_engine(encoder), decoder, rows, settings.batch, progress)
    completions = pl.DataFrame([rows[key] for key in by_key], schema=COMPLETION_SCHEMA)
    counts = CompletionCounts(
        prompts=len(requests),
        distinct=len(by_key),
        carried_over=len(by_key) - len(work.missing),
        computed=len(work.missing),
        too_long=sum(not request.key for request in requests),
        compared_alone=completions["flipped"].count(),
        flipped=int(completions["flipped"].sum()),
    )
    return with_thinking(joined(asked, requests, completions), requests, decoder), counts


class _SharedEngine:
    """The engine of a job, started when the first run needs it, and what it did for the current run."""

    def __init__(self, weights: Weights, adapters: Sequence[str | Path], settings: GenerateSettings, machine: Machine):
        self._weights, self._adapters, self._settings, self._machine = weights, adapters, settings, machine
        self._engine: Engine | None = None
        self._use: EngineUse | None = None
        self._name = choose(settings.engine, weights.folder, settings.max_length)
        dtype = "" if settings.dtype == "auto" else f", {settings.dtype}"
        self.version = engine_version(self._name) + (", batch-invariant" if settings.batch_invariant else "") + dtype

    def ready(self, adapter: str | Path | None, encoder: Encoder | VisionEncoder) -> Engine:
        """Return the engine with the run's adapter attached, if it has one."""
        begin, joules, start_seconds = time.perf_counter(), energy_joules(), None
        if self._engine is None:
            self._engine = self._started(encoder)
            start_seconds = round(time.perf_counter() - begin, 2)
        if adapter:
            self._engine.use(adapter)
        self._use = EngineUse(joules, start_seconds, dict(self._engine.info), self._engine.cached_tokens)
        return self._engine

    def _started(self, encoder: Encoder | VisionEncoder) -> Engine:
        settings = EngineOptions(
            model=self._weights.folder,
            kind=self._weights.kind,
            batch=self._settings.batch,
            max_length=self._settings.max_length,
            eos=encoder.eos,
            pad=encoder.pad,
            threads=self._machine.threads,
            adapters=self._adapters,
            cpu_cache_gib=self._settings.cpu_cache_gib,
            tensor_parallel=self._settings.tensor_parallel,
            batch_invariant=self._settings.batch_invariant,
            gpu_memory_utilization=self._machine.gpu_memory_utilization,
            max_loras=self._machine.max_loras,
            dtype=self._settings.dtype,
            trust_remote_code=self._weights.trust_remote_code,
        )
        return start_on(self._machine.gpus, self._name, settings)

    def use_of_run(self) -> EngineUse | None:
        """Return what the engine did since `ready`, and forget it; None if the run did not need the engine."""
        use, self._use = self._use, None
        if use is None or self._engine is None:
            return None
        # Tokens that were cached before this run belong to other runs.
        total, earlier = self._engine.cached_tokens, use.cached_prompt_tokens
        cached = None if total is None or earlier is None else total - earlier
        return replace(use, energy_joules=energy_since(use.energy_joules), cached_prompt_tokens=cached)


def generate(
    prompts: pl.DataFrame,
    source: Weights | EndpointBlock,
    runs: Sequence[RunOutputs],
    *,
    settings: GenerateSettings,
    machine: Machine,
    progress: Callable,
) -> Sequence[GenerateCard | EndpointCard]:
    """Complete the prompts of runs of one model, and write one file per run and language; return the run cards.

    The completions in a run's outputs and journal are carried over. Its files are replaced, one after the other, once
    all its completions are there; the journals are kept until all runs are done, since a job that fails loses its
    outputs. At most one engine is started, and completes run after run. A model behind an endpoint has no weights
    (maple.evaluation.endpoint_generation), and one that classifies completes nothing (maple.evaluation.classification).
    One that translates reads no prompts (maple.evaluation.translation). Raises ValueError for a prompt with pictures
    if the model sees none.
    """
    _check_sighted(prompts, source)
    if isinstance(source, EndpointBlock):
        return [
            endpoint_generation.generate(
                prompts, source, outputs=run.outputs, journal=Journal(run.journal), progress=progress
            )
            for run in runs
        ]
    if classification.classifies(prompts):
        return [
            classification.generate(prompts, source, run, settings=settings, machine=machine, progress=progress)
            for run in runs
        ]
    return generate_with_weights(prompts, source, runs, settings=settings, machine=machine, progress=progress)


def _check_sighted(prompts: pl.DataFrame, source: Weights | EndpointBlock) -> None:
    if isinstance(source, EndpointBlock):
        check_sighted(prompts, source.model)
    elif not sees(source.kind):
        check_sighted(prompts, source.folder)


def fill_journals(
    prompts: pl.DataFrame,
    source: Weights | EndpointBlock,
    runs: Sequence[RunOutputs],
    *,
    settings: GenerateSettings,
    machine: Machine,
    progress: Callable,
) -> list[GenerateCard]:
    """Complete the prompts of runs of one model into their journals, and leave their files to `generate`.

    The arguments are generate's; so each run has a job of its own, and all of them share one engine.
    """
    if isinstance(source, EndpointBlock):
        raise TypeError("a model behind an endpoint has no weights to attach adapters to")
    _check_sighted(prompts, source)
    return [card for _, card in _complete_runs(prompts, source, runs, settings, machine, progress)]


def generate_with_weights(
    prompts: pl.DataFrame,
    weights: Weights,
    runs: Sequence[RunOutputs],
    *,
    settings: GenerateSettings,
    machine: Machine,
    progress: Callable,
) -> list[GenerateCard]:
    """As `generate`, of a model whose weights are on this machine."""
    cards = []
    for run, (completed, card) in zip(
        runs, _complete_runs(prompts, weights, runs, settings, machine, progress), strict=True
    ):
        write_completions(completed, run.outputs)
        cards.append(card)
    for run in runs:
        Journal(run.journal).remove()
    return cards


def _complete_runs(
    prompts: pl.DataFrame,
    weights: Weights,
    runs: Sequence[RunOutputs],
    settings: GenerateSettings,
    machine: Machine,
    progress: Callable,
) -> Iterator[tuple[pl.DataFrame, GenerateCard]]:
    """Yield the completions and the card of each run; at most one engine is started."""
    if settings.beam_search is not None:
        yield from translation.complete_runs(prompts, weights, runs, settings, machine, progress)
        return
    engine = _SharedEngine(weights, [run.adapter for run in runs if run.adapter], settings, machine)
    digest = weights_digest(weights.folder)
    adapters = [weights_digest(run.adapter) if run.adapter else "" for run in runs]
    # One run after the other. Four adapters of ranks 4 to 32 on tiny-llama (vLLM 0.32, CPU, 64 prompts each, 16 at
    # once) took 6 s so, and 8 s when chunks of the same size mixed all four.
    for run, adapter in zip(runs, adapters, strict=True):
        begin, journal = time.perf_counter(), Journal(run.journal)
        attached = f"{digest}+{adapter}" if adapter else digest
        try:
            completed, counts = complete(
                prompts,
                ModelFolder(weights, attached),
                engine=engine.version,
                settings=settings,
                previous=previous_completions(run.outputs.values(), journal),
                journal=journal,
                start_engine=partial(engine.ready, run.adapter),
                progress=progress,
            )
        except NotFiniteError as error:
            raise NotFiniteError(
                f"{journal.path.parent}: {error}; nothing it answers is an answer: see the loss in its run card, and "
                f"the weights in {run.adapter or weights.folder}"
            ) from None
        card = GenerateCard(
            engine=engine.version,
            settings=settings,
            attached=bool(run.adapter),  # Snakemake gives an empty list for an input without files
            weights=attached,
            use=engine.use_of_run(),
            counts=counts,
            seconds=round(time.perf_counter() - begin, 2),
        )
        yield completed, card
