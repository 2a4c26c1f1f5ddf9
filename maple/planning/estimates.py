"""Sizes and token counts of a study: measured on finished parts of it, declared by its files, or assumed."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import polars as pl

from maple.definitions.hardware import Hardware
from maple.definitions.looks import items_asked
from maple.definitions.record import Record
from maple.definitions.run import Run
from maple.planning.costs import GB, TaskLoad
from maple.planning.plan import ITEMS, Plan
from maple.planning.sizes import ModelSizes
from maple.runtime.files import read_json, scan_parquet

# UTF-8 bytes per token of LLaMA-2's 32,000, assumed until a model's own prompts have been counted: its vocabulary is of
# Latin text, and splits other scripts into characters or their bytes.
TOKEN_BYTES, OTHER_TOKEN_BYTES = {"Latn": 3.0}, 1.7
BUILT_TOKEN_BYTES = 4.3  # of models built here, in every script: the default study's
RANK = 16  # a method without a rank counts as LoRA of this rank until its card has counted its parameters: assumed


class ResultPaths(Record):
    """Where the workflow writes what a forecast reads; none of it needs to exist."""

    card: str
    """Of {run} and {stage}."""
    base: str
    """The folder of {model}."""
    build: str
    """The card of building {model}."""
    fetched: str
    """The card of fetching {repository}."""
    prompts: str
    """Of {task} and {language}."""
    completions: str
    """Of {run} in {language}."""


@dataclass(frozen=True)
class FinishedJob:
    """What the card of a finished job says of its cost."""

    seconds: float
    start_seconds: float | None
    """Of them, those in which the engine started; None if there was none."""
    devices: int
    device: str | None
    """As torch names it; None if the card does not say it."""
    whole: bool
    """False if part of the work was done by an earlier job."""
    trainable_parameters: int | None

    @property
    def device_seconds(self) -> float:
        """The seconds of one device that it computed."""
        return (self.seconds - (self.start_seconds or 0)) * self.devices


def read_finished_job(path: Path) -> FinishedJob | None:
    """Read the card of a finished job; None if it is not there."""
    if not path.is_file():
        return None
    card = read_json(path)
    parallel = card.get("settings", {}).get("tensor_parallel", 1)
    return FinishedJob(
        seconds=card["seconds"],
        start_seconds=card.get("start_seconds"),
        devices=card.get("processes", 1) * card.get("replicas", 1) * parallel,
        device=card["hardware"]["device"] if "hardware" in card else None,
        whole=not (card.get("carried_over") or card.get("computed") == 0 or card.get("resumed_from")),
        trainable_parameters=card.get("trainable_parameters"),
    )


@dataclass(frozen=True)
class PromptFigures:
    """The prompts of a task in one language."""

    items: int
    bytes: float
    """UTF-8, the mean of a prompt without demonstrations."""
    text_bytes: float
    """UTF-8, the mean of the texts that an encoder reads in its place; those of the prompt until they are rendered."""
    demonstration_bytes: float
    """UTF-8, of the demonstrations before each."""
    basis: str
    """measured, declared or assumed."""


class Estimates:
    """The sizes, tokens and finished jobs of a study."""

    def __init__(self, plan: Plan, hardware: Hardware, results: ResultPaths, sizes: ModelSizes):
        self.plan, self.hardware, self.results = plan, hardware, results
        self.sizes, self.unknown_sizes = sizes.known, sizes.unknown
        self.runs = plan.runs
        self.finetuned = [run for run in plan.runs if not run.is_baseline]
        self.local = {name: model for name, model in plan.models.items() if not model.endpoint}
        self.jobs: dict[tuple[str, str], FinishedJob] = {}
        """By path of the run and stage."""
        for run in plan.runs:
            for stage in ("finetune", "merge", "generate"):
                if job := read_finished_job(Path(results.card.format(run=run.path, stage=stage))):
                    self.jobs[run.path, stage] = job
        self.prompts = {
            (task, code): self._prompts(task, code)
            for task, planned in plan.tasks.items()
            for code in planned.languages
        }
        self.counts = {name: self._counts(name) for name in self.sizes}
        self._loads = {name: self._loads_of(name) for name in self.sizes}

    @cached_property
    def answers(self) -> int:
        """Answers of all runs."""
        models = self.plan.models
        return sum(self.items(task) * len(models[run.model].answers[task]) for run in self.runs for task in run.tasks)

    def items(self, task: str) -> int:
        """Return the prompts of a task in all languages."""
        return sum(prompts.items for (name, _), prompts in self.prompts.items() if name == task)

    def loads(self, run: Run) -> list[TaskLoad]:
        """Return what a run is asked, by task and language; what it is asked blindly as well comes twice."""
        asked = [(task, load) for (task, _), load in self._loads[run.model].items() if task in run.tasks]
        modes = self.plan.models[run.model].answers
        blind = [replace(load, choices=0) for task, load in asked if "blind" in modes[task]]
        return [load for _, load in asked] + blind

    def sized(self, runs: Iterable[Run]) -> list[Run]:
        """Return the runs whose model has a known size; the others cost nothing here, and a note says so."""
        return [run for run in runs if run.model in self.sizes]

    def parameters(self, run: Run) -> int:
        """Return the parameters of a run's base."""
        return self.sizes[run.model].parameters

    def active(self, run: Run) -> int:
        """Return the parameters of a run's base that compute for one token."""
        return self.sizes[run.model].active

    def trained(self, run: Run) -> float:
        """Return the parameters that a run trains; biases, heads and connectors are too few to count."""
        job = self.jobs.get((run.path, "finetune"))
        if job and job.trainable_parameters is not None:
            return job.trainable_parameters
        trains = self.plan.methods[run.method].trains
        if trains is not None:
            return self.sizes[run.model].parameters if trains == "all" else 0
        rank = run.axis("rank")
        return self.sizes[run.model].linear * (rank if isinstance(rank, int) else RANK)

    def example_tokens(self, run: Run) -> float:
        """Return the tokens of one example per language of a run's dataset."""
        dataset = self.plan.dataset(run)
        return sum(dataset.bytes / self._token_bytes(run.model, self.plan.scripts[code]) for code in dataset.languages)

    def notes(self) -> list[str]:
        """Return what the forecast leaves out, and what does not fit."""
        datasets, hardware = self.plan.datasets, self.hardware
        remote = [name for name in self.plan.models if name not in self.local]
        heavy = [name for name, size in self.sizes.items() if 2 * size.parameters > hardware.memory_gb * GB]
        by_model = [name for name, dataset in datasets.items() if dataset.local_models]
        by_endpoint = [name for name, dataset in datasets.items() if dataset.endpoint]
        whole = {run.model for run in self.sized(self.finetuned) if self.plan.methods[run.method].trains == "all"}
        # Weights, gradients and Adam's two moments, each in float32.
        trained = {name: 4 * 4 * self.sizes[name].parameters / GB for name in sorted(whole)}
        return [
            *(f"{name}: {why}. The sums leave out what it computes." for name, why in self.unknown_sizes.items()),
            *(f"{name}: {note}." for name, size in self.sizes.items() for note in size.notes),
            *(f"{name}: made by a model on this machine, whose hours are left out." for name in by_model),
            *(
                f"{name}: made by a model behind an endpoint, whose time and price are left out."
                for name in by_endpoint
            ),
            *(f"{name}: answers behind an endpoint, whose time and price are left out." for name in remote),
            *(
                f"{name}: full finetuning holds about {size:.2g} GB beside the activations, more than one "
                f"{hardware.device} has; name a smaller model, or an adapter."
                for name, size in trained.items()
                if size > hardware.memory_gb
            ),
            *(f"{name}: its 16-bit weights are larger than the memory of one {hardware.device}." for name in heavy),
        ]

    def _prompts(self, task: str, code: str) -> PromptFigures:
        path, planned = Path(self.results.prompts.format(task=task, language=code)), self.plan.tasks[task]
        if path.is_file():
            rows = scan_parquet([path]).filter(pl.col("fault").is_null())
            prompt = pl.col("prompt").str.len_bytes().mean()
            texts = pl.concat_str(pl.element().struct.field("prompt"), pl.element().struct.field("answer"))
            demonstrations = pl.col("demonstrations").first().list.eval(texts.str.len_bytes()).list.sum()
            has_texts = "texts" in rows.collect_schema()  # files of an earlier version have none
            texts_read = pl.col("texts").list.join("").str.len_bytes().mean() if has_texts else pl.lit(None)
            figures = rows.select(pl.len(), prompt, texts=texts_read, demonstrations=demonstrations).collect()
            items, prompt_bytes, text_bytes, demonstration_bytes = figures.row(0)
            if items and self.plan.share is not None:  # the file may be of another look
                items = self._asked(rows.select(pl.first("available")).collect().item())
            return PromptFigures(
                items, prompt_bytes or 0, text_bytes or prompt_bytes or 0, demonstration_bytes or 0, "measured"
            )
        items = planned.items if isinstance(planned.items, int) else planned.items.get(code, ITEMS)
        return PromptFigures(
            items=self._asked(items),
            bytes=planned.bytes,
            text_bytes=planned.bytes,
            demonstration_bytes=planned.shots * planned.bytes,
            basis="declared" if planned.declared else "assumed",
        )

    def _asked(self, items: int) -> int:
        """Return how many of a set's items are asked at the present look."""
        return items_asked(items, self.plan.items, self.plan.share or 1.0)

    def _token_bytes(self, model: str, script: str) -> float:
        return BUILT_TOKEN_BYTES if self.local[model].pretraining else TOKEN_BYTES.get(script, OTHER_TOKEN_BYTES)

    def _counts(self, model: str) -> dict[tuple[str, str], tuple[float, float]]:
        """Return the baseline's mean tokens of prompts and answers, by task and language; empty if it has not run."""
        run = Run.baseline(model).path
        paths = [Path(self.results.completions.format(run=run, language=code)) for code in self.plan.languages]
        if not (paths := [path for path in paths if path.is_file()]):
            return {}
        completions = scan_parquet(paths).filter(pl.col("answer") == "generate")
        means = completions.group_by("task", "language").agg(
            pl.col("item_tokens").mean(), pl.col("completion_tokens").mean()
        )
        return {(task, code): (prompt, answer) for task, code, prompt, answer in means.collect().iter_rows()}

    def _loads_of(self, model: str) -> dict[tuple[str, str], TaskLoad]:
        loads = {}
        for (task, code), prompts in self.prompts.items():
            planned, modes = self.plan.tasks[task], self.plan.models[model].answers.get(task, [])
            bytes_per_token = self._token_bytes(model, self.plan.scripts[code])
            if "classify" in modes:  # one forward pass of the texts
                read = min(prompts.text_bytes / bytes_per_token, self.plan.max_length)
                loads[task, code] = TaskLoad(
                    items=prompts.items, prompt=read, demonstrations=0, answer=0, choices=0, bytes=prompts.text_bytes
                )
                continue
            if (search := self.plan.models[model].search) and "generate" in modes:
                # A translation is about as long as its source: assumed.
                tokens = prompts.text_bytes / bytes_per_token
                read, answer = self.counts[model].get((task, code), (tokens, min(tokens, planned.max_new_tokens)))
                loads[task, code] = TaskLoad(
                    items=prompts.items,
                    prompt=read,
                    demonstrations=0,
                    answer=answer,
                    choices=0,
                    bytes=prompts.text_bytes,
                    beams=search.beams,
                    at_once=max(1.0, search.batch_tokens / (search.beams * max(1.0, read))),
                )
                continue
            tokens = prompts.bytes / bytes_per_token
            longest = planned.max_new_tokens + self.local[model].thinking_tokens
            prompt, answer = self.counts[model].get((task, code), (tokens, longest))
            demonstrations = prompts.demonstration_bytes * prompt / prompts.bytes if prompts.bytes else 0
            loads[task, code] = TaskLoad(
                items=prompts.items,
                prompt=prompt,
                demonstrations=max(0, min(demonstrations, self.plan.max_length - prompt - answer)),
                answer=answer if "generate" in modes else 0,
                choices=planned.choices if "rank" in modes else 0,
                bytes=prompts.bytes,
            )
        return loads
