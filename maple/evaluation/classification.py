"""Classification: a model with a classification head answers by the log-probabilities of a task's labels.

One forward pass of the texts per answer: no prompt, no demonstrations, nothing is generated.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from maple.definitions.generation import GenerateSettings
from maple.engines.classifier import Classifier, classifier_kind
from maple.engines.machine import Machine
from maple.engines.start import engine_version
from maple.evaluation.asked_model import Weights
from maple.evaluation.cards import CompletionCounts, EngineUse, GenerateCard
from maple.evaluation.completions import (
    COMPLETION_SCHEMA,
    PromptRequest,
    RunOutputs,
    completion_key,
    is_completion,
    joined,
    previous_completions,
    rows_by_answer,
    write_completions,
)
from maple.evaluation.engine_rows import NotFiniteError, check_finite
from maple.evaluation.finish_reasons import CLASSIFY
from maple.evaluation.thinking_columns import without_thinking
from maple.methods.adapter_files import virtual_tokens
from maple.models.classifier_text import ClassifierEncoder
from maple.models.example import EncodedExample
from maple.models.limits import positions_of
from maple.runtime.devices import energy_joules, energy_since
from maple.runtime.files import read_json
from maple.runtime.fingerprint import weights_digest
from maple.runtime.journal import Journal, JournaledRows

# Texts are computed in pieces of so many batches and journaled after each; a killed job loses at most one piece.
BATCHES_PER_PIECE = 16


class LabelError(ValueError):
    """The labels of a task are not those of the model; the message has both lists."""


class RunClassifier:
    """The model of a run, with a classification head; it is loaded by `start`, once something is missing."""

    def __init__(self, weights: Weights, adapter: str | Path | None, settings: GenerateSettings, threads: int):
        self.weights, self.adapter, self.settings, self._threads = weights, adapter, settings, threads
        folder = Path(weights.folder)
        self.kind, self.encoder = classifier_kind(weights.kind), ClassifierEncoder.of(folder)
        self.digest = weights_digest(folder) + (f"+{weights_digest(adapter)}" if adapter else "")
        dtype = "" if settings.dtype == "auto" else f", {settings.dtype}"
        self.engine = f"{engine_version('transformers')}, classify{dtype}"
        positions = positions_of(read_json(folder / "config.json"))
        self.room = settings.max_length
        """The most tokens of a row of texts, special tokens among them."""
        if positions is not None:
            self.room = min(self.room, positions - virtual_tokens(adapter))
        self._classifier: Classifier | None = None
        self._joules: float | None = None
        self._start_seconds = 0.0

    def start(self) -> Classifier:
        """Load the model."""
        begin, self._joules = time.perf_counter(), energy_joules()
        self._classifier = Classifier(
            self.kind,
            self.weights.folder,
            self.adapter,
            pad=self.encoder.pad,
            dtype=self.settings.dtype,
            threads=self._threads,
            trust_remote_code=self.weights.trust_remote_code,
        )
        self._start_seconds = round(time.perf_counter() - begin, 2)
        return self._classifier

    @property
    def use(self) -> EngineUse | None:
        """What was computed so far; None if the model was not loaded."""
        if self._classifier is None:
            return None
        return EngineUse(energy_since(self._joules), self._start_seconds, self._classifier.info, None)

    @property
    def forward_seconds(self) -> float:
        """The seconds of the forward passes so far."""
        return 0.0 if self._classifier is None else self._classifier.seconds

    def read(self, row: Mapping) -> "_Texts":
        """Return the texts of a row of `rows_by_answer`; those that do not fit have no key.

        They are encoded as in training. The gold label, which an example has, is no part of what the model reads.
        """
        places = _places(row["labels"], row["task"], self.encoder.labels)
        example = {"language": row["language"], "texts": row["texts"], "label": row["targets"][0]}
        encoded = self.kind.encode(example, self.encoder)
        tokens, decoding = encoded.input_ids.tolist(), {"labels": row["labels"]}
        request = PromptRequest(
            key=completion_key(self.digest, tokens, 0, decoding, self.engine) if len(tokens) <= self.room else "",
            item=f"{row['task']}, {row['language']}, item {row['item']}",
            tokens=tokens,
            limit=0,
            choices=[],
            item_tokens=sum(len(self.encoder.piece(text)) for text in row["texts"]),
            shots=0,
            shots_dropped=0,
        )
        return _Texts(request, encoded, places)


@dataclass(frozen=True)
class _Texts:
    """One row's texts, to be classified."""

    request: PromptRequest
    encoded: EncodedExample
    places: list[int]
    """Of the task's labels, in their order, among the model's."""

    def row(self, log_probabilities: Sequence[float]) -> dict:
        """Return the columns of COMPLETION_SCHEMA but `flipped`; the numbers come in the order of the model's labels.

        Raises NotFiniteError.
        """
        check_finite(self.request, log_probabilities)
        return {
            "key": self.request.key,
            "completion": "",
            "token_ids": [],
            "finish_reason": CLASSIFY,
            "log_probability": None,
            "log_likelihoods": [log_probabilities[place] for place in self.places],
        }


def classifies(prompts: pl.DataFrame) -> bool:
    """Return True for a run that classifies; `prompts` has the columns of maple.evaluation.prompts.ASKED_SCHEMA.

    No kind of model has another answer mode beside it.
    """
    return bool(prompts["answers"].list.contains("classify").any())


def _places(labels: Sequence[str], task: str, known: Mapping[str, int]) -> list[int]:
    """Return the places of a task's labels among the model's: by name, since a model may have them in another order."""
    if set(labels) != set(known):
        raise LabelError(
            f"{task}: its labels are {', '.join(labels)}, and those of the model {', '.join(known) or 'none'} "
            "(label2id of its config.json); finetune it on a dataset of this task"
        )
    return [known[label] for label in labels]


def classify(
    prompts: pl.DataFrame, model: RunClassifier, *, previous: pl.DataFrame, journal: Journal, progress: Callable
) -> tuple[pl.DataFrame, CompletionCounts]:
    """Classify the texts of one run whose answers are missing, and carry over the rest.

    `prompts` has the columns of maple.evaluation.prompts.ASKED_SCHEMA, with `texts`; rows with a fault are left out.
    `previous` has those of COMPLETION_SCHEMA, and `progress` is tqdm. An answer is known by the digest of the weights,
    the tokens and the task's labels, so that a prompt in other words classifies nothing again.

    Returns the columns that maple.evaluation.generation.complete returns. Rows that were classified have the answer
    and the finish_reason classify, no completion, and log_likelihoods: the natural logarithms of the softmax, in the
    order of the column `labels`. The columns `prompt` and `words` are those of the texts. Texts are never cut: those
    that are longer than generate.max_length or the model's positions have finish_reason TOO_LONG and no
    log_likelihoods. Raises LabelError for a model with other labels than the task, and NotFiniteError.
    """
    asked = rows_by_answer(prompts).with_columns(prompt=pl.col("texts").list.join("\n"), words="text_words")
    texts = [model.read(row) for row in asked.iter_rows(named=True)]
    by_key = {each.request.key: each for each in texts if each.request.key}
    carried_over = [row for row in previous.to_dicts() if row["key"] in by_key]
    rows = JournaledRows(journal, carried_over, is_completion)
    # The longest first: what does not fit the memory fails at once. Neighbours are of one length, with little padding.
    missing = sorted(
        (by_key[key] for key in rows.missing(by_key)), key=lambda each: (-len(each.request.tokens), each.request.tokens)
    )
    if missing:
        with progress(total=len(missing), unit=" texts") as bar:
            rows.compute(_classified(model.start(), missing, model.settings.batch, bar.update))
    completions = pl.DataFrame([rows[key] for key in by_key], schema=COMPLETION_SCHEMA)
    counts = CompletionCounts(
        prompts=len(texts),
        distinct=len(by_key),
        carried_over=len(by_key) - len(missing),
        computed=len(missing),
        too_long=sum(not each.request.key for each in texts),
        compared_alone=0,
        flipped=0,
    )
    return without_thinking(joined(asked, [each.request for each in texts], completions)), counts


def _classified(
    classifier: Classifier, missing: Sequence[_Texts], batch: int, update: Callable[[int], object]
) -> Iterator[list[dict]]:
    """Yield the rows of each piece; the pieces are the same in an undisturbed job and in one that resumes."""
    size = BATCHES_PER_PIECE * batch
    for at in range(0, len(missing), size):
        piece = missing[at : at + size]
        computed = classifier.log_probabilities([each.encoded for each in piece], batch)
        yield [each.row(numbers) for each, numbers in zip(piece, computed, strict=True)]
        update(len(piece))


def generate(
    prompts: pl.DataFrame,
    weights: Weights,
    run: RunOutputs,
    *,
    settings: GenerateSettings,
    machine: Machine,
    progress: Callable,
) -> GenerateCard:
    """Classify the texts of a run and write one file per language; return the run card.

    The arguments are those of maple.evaluation.generation.generate; one GPU computes, also if the job has more.
    """
    begin, journal = time.perf_counter(), Journal(run.journal)
    model = RunClassifier(weights, run.adapter, settings, machine.threads)
    previous = previous_completions(run.outputs.values(), journal)
    try:
        completed, counts = classify(prompts, model, previous=previous, journal=journal, progress=progress)
    except (NotFiniteError, LabelError) as error:
        raise type(error)(f"{journal.path.parent}: {error}; the weights: {run.adapter or weights.folder}") from None
    card = GenerateCard(
        engine=model.engine,
        settings=settings,
        attached=bool(run.adapter),  # Snakemake gives an empty list for an input without files
        weights=model.digest,
        use=model.use,
        counts=counts,
        seconds=round(time.perf_counter() - begin, 2),
        rows_per_second=round(counts.computed / model.forward_seconds, 1) if counts.computed else None,
    )
    write_completions(completed, run.outputs)
    journal.remove()
    return card
