"""Translation: a sequence-to-sequence model answers with the translation of a task's text, found by beam search.

It reads the text alone, with the tags of its languages: no prompt, no demonstrations.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from maple.definitions.generation import BeamSearch, GenerateSettings
from maple.engines.ctranslate2_engine import CTranslate2Translator
from maple.engines.engine import Completion
from maple.engines.machine import Machine
from maple.engines.start import engine_version
from maple.engines.translator import Source, TransformersTranslator, Translator, TranslatorOptions, batches
from maple.evaluation.asked_model import Weights
from maple.evaluation.cards import CompletionCounts, EngineComparison, EngineUse, GenerateCard
from maple.evaluation.completions import (
    COMPLETION_SCHEMA,
    PromptRequest,
    RunOutputs,
    completion_key,
    is_completion,
    joined,
    previous_completions,
    rows_by_answer,
)
from maple.evaluation.engine_rows import NotFiniteError, check_finite
from maple.evaluation.thinking_columns import without_thinking
from maple.methods.adapter_files import virtual_tokens
from maple.models.language_tags import UnknownTagError
from maple.models.limits import positions_of
from maple.models.translation_text import Seq2SeqEncoder
from maple.runtime.devices import energy_joules, energy_since
from maple.runtime.files import read_json
from maple.runtime.fingerprint import weights_digest
from maple.runtime.journal import Journal, JournaledRows


@dataclass(frozen=True)
class Sentence:
    """One row's text, to be translated."""

    request: PromptRequest
    source: Source

    def row(self, completion: Completion, encoder: Seq2SeqEncoder) -> dict:
        """Return the columns of COMPLETION_SCHEMA but `flipped`. Raises NotFiniteError."""
        check_finite(self.request, [completion.log_probability])
        return {
            "key": self.request.key,
            "completion": encoder.text(completion.tokens),
            "token_ids": completion.tokens,
            "finish_reason": completion.finish_reason,
            "log_probability": completion.log_probability,
            "log_likelihoods": [],
        }


class JobTranslator:
    """The translator of a job, which is loaded once a translation is missing, and answers for run after run."""

    def __init__(self, weights: Weights, settings: GenerateSettings, threads: int, *, attaches: bool = False):
        """`attaches` is True if runs of the job have adapters, which CTranslate2 cannot attach."""
        self.weights, self.settings, self._threads = weights, settings, threads
        self.name = "ctranslate2" if settings.engine == "ctranslate2" and not attaches else "transformers"
        self.search = settings.beam_search or BeamSearch()
        folder = Path(weights.folder)
        self.digest = weights_digest(folder)
        self.encoder = Seq2SeqEncoder.of(folder, weights.tags, weights.new_tags)
        self.positions = positions_of(read_json(folder / "config.json"))
        self.engine = self.version(self.name)
        """Name and version, and the dtype if it is stated."""
        self._translator: Translator | None = None
        self._use: EngineUse | None = None
        self._seconds = 0.0

    def ready(self, adapter: str | Path | None) -> Translator:
        """Return the translator with the run's adapter attached, if it has one."""
        begin, joules, start_seconds = time.perf_counter(), energy_joules(), None
        if self._translator is None:
            self._translator = self.started(self.name)
            start_seconds = round(time.perf_counter() - begin, 2)
        if adapter:
            self._translator.use(adapter)
        self._use, self._seconds = (
            EngineUse(joules, start_seconds, self._translator.info, None),
            self._translator.seconds,
        )
        return self._translator

    def version(self, name: str) -> str:
        """Return name and version of an engine, and the dtype if it is stated."""
        return engine_version(name) + ("" if self.settings.dtype == "auto" else f", {self.settings.dtype}")

    def started(self, name: str) -> Translator:
        """Load the model by an engine. Raises EngineError for what CTranslate2 cannot do."""
        start = CTranslate2Translator if name == "ctranslate2" else TransformersTranslator
        return start(
            TranslatorOptions(
                kind=self.weights.kind,
                model=self.weights.folder,
                search=self.search,
                start=self.encoder.decoder_start,
                eos=self.encoder.eos,
                pad=self.encoder.pad,
                threads=self._threads,
                dtype=self.settings.dtype,
                trust_remote_code=self.weights.trust_remote_code,
            )
        )

    def compared(self, sentences: Sequence[Sentence], rows: Mapping[str, dict]) -> EngineComparison:
        """Translate sentences again by transformers; return how many of their `rows`, by key, have other tokens."""
        translator, sources, different = self.started("transformers"), [each.source for each in sentences], 0
        for places in batches(sources, self.search):
            completions = translator.translate([sources[place] for place in places])
            for place, completion in zip(places, completions, strict=True):
                different += completion.tokens != rows[sentences[place].request.key]["token_ids"]
        comparison = EngineComparison(self.version("transformers"), len(sentences), different)
        print(f"{self.engine}: {different} of {len(sentences)} translations differ from those of {comparison.engine}")
        return comparison

    def use_of_run(self) -> tuple[EngineUse | None, float]:
        """Return what was done since `ready`, and the seconds of translating; None and 0.0 if nothing was."""
        use, self._use = self._use, None
        if use is None or self._translator is None:
            return None, 0.0
        energy = energy_since(use.energy_joules)
        return EngineUse(energy, use.start_seconds, use.info, None), self._translator.seconds - self._seconds


class RunTranslator:
    """The model of a run: the job's translator, and the run's adapter if it has one."""

    def __init__(self, job: JobTranslator, adapter: str | Path | None = None):
        self.job, self.adapter = job, adapter
        self.digest = job.digest + (f"+{weights_digest(adapter)}" if adapter else "")
        self.engines_differ: EngineComparison | None = None
        """By `translate`, if CTranslate2 has translated something new."""
        # A soft prompt takes positions of the encoder, PEFT's prefix those of the decoder: both sides leave them free.
        self._positions = None if job.positions is None else job.positions - virtual_tokens(adapter)

    def start(self) -> Translator:
        """Load the model, if no run of the job has yet."""
        return self.job.ready(self.adapter)

    def read(self, row: Mapping) -> Sentence:
        """Return the text of a row of `rows_by_answer`; one that does not fit has no key.

        Raises UnknownTagError for a language of which the model has no tag.
        """
        encoder, (text,) = self.job.encoder, row["texts"]
        item = f"{row['task']}, {row['language']}, item {row['item']}"
        try:
            tokens = encoder.source(text, row["source_language"], row["target_language"])
            start = encoder.forced_start(row["target_language"])
        except UnknownTagError as error:
            raise UnknownTagError(f"{item}: {error}") from None
        limit, longest = row["max_new_tokens"], self.job.settings.max_length
        if self._positions is not None:
            limit, longest = min(limit, self._positions - len(start)), min(longest, self._positions)
        decoding = {**self.job.search.decoding, "start": start}
        fits = len(tokens) <= longest
        request = PromptRequest(
            key=completion_key(self.digest, tokens, limit, decoding, self.job.engine) if fits else "",
            item=item,
            tokens=tokens,
            limit=limit,
            choices=[],
            item_tokens=len(encoder.piece(text)),
            shots=0,
            shots_dropped=0,
        )
        return Sentence(request, Source(tokens, start, limit))


def translate(
    prompts: pl.DataFrame, model: RunTranslator, *, previous: pl.DataFrame, journal: Journal, progress: Callable
) -> tuple[pl.DataFrame, CompletionCounts]:
    """Translate the texts of one run whose translations are missing, and carry over the rest.

    `prompts` has the columns of maple.evaluation.prompts.ASKED_SCHEMA, of tasks with a pair of languages; rows with a
    fault are left out. `previous` has those of COMPLETION_SCHEMA, and `progress` is tqdm. A translation is known by the
    digest of the weights, the tokens of its source, the tag of its target, the search, and the engine with its version.

    Returns the columns that maple.evaluation.generation.complete returns; `prompt` and `words` are those of the source,
    `prompt_tokens` with its tag and its end. Its translation has at most `max_new_tokens` tokens, or as many as the
    model has positions for. Sources are never cut: those that are longer than generate.max_length or the model's
    positions have finish_reason TOO_LONG. Raises UnknownTagError and NotFiniteError.
    """
    asked = rows_by_answer(prompts).with_columns(prompt=pl.col("texts").list.first(), words="text_words")
    sentences = [model.read(row) for row in asked.iter_rows(named=True)]
    by_key = {each.request.key: each for each in sentences if each.request.key}
    carried_over = [row for row in previous.to_dicts() if row["key"] in by_key]
    rows = JournaledRows(journal, carried_over, is_completion)
    missing = [by_key[key] for key in rows.missing(by_key)]
    # Keys are digests, so that the smallest are a random sample.
    fresh = sorted(by_key.keys() - {row["key"] for row in carried_over})[: model.job.settings.flip_sample]
    alone = [by_key[key] for key in fresh if key not in rows or rows[key].get("flipped") is None]
    if missing or alone:
        translator = model.start()
        with progress(total=len(missing) + len(alone), unit=" translations") as bar:
            rows.compute(_translated(translator, missing, model.job, bar.update))
            rows.compute(_flipped(translator, alone, rows, bar.update))
        if model.job.name != "transformers" and fresh:
            model.engines_differ = model.job.compared([by_key[key] for key in fresh], rows)
    completions = pl.DataFrame([rows[key] for key in by_key], schema=COMPLETION_SCHEMA)
    counts = CompletionCounts(
        prompts=len(sentences),
        distinct=len(by_key),
        carried_over=len(by_key) - len(missing),
        computed=len(missing),
        too_long=sum(not each.request.key for each in sentences),
        compared_alone=completions["flipped"].count(),
        flipped=int(completions["flipped"].sum()),
    )
    return without_thinking(joined(asked, [each.request for each in sentences], completions)), counts


def _translated(
    translator: Translator, missing: Sequence[Sentence], job: JobTranslator, update: Callable[[int], object]
) -> Iterator[list[dict]]:
    """Yield the rows of each batch; the batches are the same in an undisturbed job and in one that resumes."""
    for places in batches([each.source for each in missing], job.search):
        batch = [missing[place] for place in places]
        completions = translator.translate([each.source for each in batch])
        yield [each.row(completion, job.encoder) for each, completion in zip(batch, completions, strict=True)]
        update(len(batch))


def _flipped(
    translator: Translator, alone: Sequence[Sentence], rows: JournaledRows, update: Callable[[int], object]
) -> Iterator[list[dict]]:
    """Yield the row of each sentence with `flipped`, True if its translation is another one when it is alone."""
    for each in alone:
        row, (completion,) = rows[each.request.key], translator.translate([each.source])
        yield [{**row, "flipped": completion.tokens != row["token_ids"]}]
        update(1)


def complete_runs(
    prompts: pl.DataFrame,
    weights: Weights,
    runs: Sequence[RunOutputs],
    settings: GenerateSettings,
    machine: Machine,
    progress: Callable,
) -> Iterator[tuple[pl.DataFrame, GenerateCard]]:
    """Yield the translations and the card of each run; the model is loaded once at most, by one GPU.

    The arguments are those of maple.evaluation.generation.generate.
    """
    job = JobTranslator(weights, settings, machine.threads, attaches=any(run.adapter for run in runs))
    for run in runs:
        begin, journal = time.perf_counter(), Journal(run.journal)
        model = RunTranslator(job, run.adapter)
        previous = previous_completions(run.outputs.values(), journal)
        try:
            completed, counts = translate(prompts, model, previous=previous, journal=journal, progress=progress)
        except (NotFiniteError, UnknownTagError) as error:
            raise type(error)(f"{journal.path.parent}: {error}; the weights: {run.adapter or weights.folder}") from None
        use, seconds = job.use_of_run()
        card = GenerateCard(
            engine=job.engine,
            settings=settings,
            attached=bool(run.adapter),  # Snakemake gives an empty list for an input without files
            weights=model.digest,
            use=use,
            counts=counts,
            seconds=round(time.perf_counter() - begin, 2),
            rows_per_second=round(counts.computed / seconds, 1) if counts.computed else None,
            engines_differ=model.engines_differ,
        )
        yield completed, card
