"""The stages of a study as lines of its forecast."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from maple.definitions.run import Run
from maple.planning.costs import GB, HOUR, KWH, TERA
from maple.planning.estimates import Estimates
from maple.planning.plan import PlannedDataset
from maple.planning.seconds import stage_seconds
from maple.runtime.files import read_json

# Bytes of files: of a completion and of a score beside their text, and the share of text that compression leaves; the
# default study's.
COMPLETION_BYTES, SCORE_BYTES, COMPRESSED = 50, 25, 0.4
# Seconds of a processor core, assumed: to start a job without a model, and per row in those that read many.
LIGHT_JOB = 4.0
LIGHT_ROW = {
    **dict.fromkeys(("curate", "curate_labelled", "curate_parallel", "curate_pictures", "score"), 0.002),
    "guard": 0.001,
    "render_prompts": 0.0005,
    "summarize": 0.00001,
}
# The rules that make and curate datasets, and the latter by recipe where it is not `curate`.
RULES_OF_DATASETS = (
    *("synthesize", "curate", "label", "back_translate"),
    *("curate_labelled", "curate_parallel", "curate_pictures"),
)
CURATED_BY = {"task": "curate_labelled", "parallel": "curate_parallel", "pictures": "curate_pictures"}
# Bytes per trained parameter: float32 in an adapter, with Adam's two moments in a checkpoint.
ADAPTER_BYTES, CHECKPOINT_BYTES = 4, 12
CHECKPOINTS = 3  # two are kept, and the next is written before the older one is removed


@dataclass(frozen=True)
class StageForecast:
    """One stage, all its jobs together."""

    stage: str
    """The rule."""
    jobs: int
    tokens: float
    device_hours: float
    core_hours: float
    disk_gb: float
    download_gb: float
    kwh: float
    basis: str
    """What the figures rest on."""


class Stages:
    """The lines of a forecast."""

    def __init__(self, estimates: Estimates, core_watts: float):
        self.estimates, self.plan, self.hardware = estimates, estimates.plan, estimates.hardware
        self.core_watts = core_watts
        self.items = sum(prompts.items for prompts in estimates.prompts.values())
        """Prompts of all tasks."""

    def all(self) -> Iterator[StageForecast]:
        """Yield the stages in the order in which they run, also those without a job."""
        yield from self._models()
        yield from self._datasets()
        yield self._finetune()
        yield self._merge()
        yield self._light("pictures", self.plan.pictures, "assumed")
        yield self._render_prompts()
        yield from self._generate()
        yield from self._results()

    def _line(
        self,
        stage: str,
        jobs: int,
        basis: str,
        *,
        tokens: float = 0.0,
        device: float = 0.0,
        core: float = 0.0,
        disk: float = 0.0,
        download: float = 0.0,
    ) -> StageForecast:
        """Return one line; `device` and `core` are seconds, `disk` and `download` bytes."""
        return StageForecast(
            stage=stage,
            jobs=jobs,
            tokens=tokens,
            device_hours=device / HOUR,
            core_hours=core / HOUR,
            disk_gb=disk / GB,
            download_gb=download / GB,
            kwh=(device * self.hardware.watts + core * self.core_watts) / KWH,
            basis=basis,
        )

    def _light(self, stage: str, jobs: int, basis: str, *, rows: int = 0, disk: float = 0.0) -> StageForecast:
        """Return the line of jobs without a model."""
        core = jobs * LIGHT_JOB + rows * LIGHT_ROW.get(stage, 0)
        return self._line(stage, jobs, basis, core=core, disk=disk)

    def _models(self) -> Iterator[StageForecast]:
        jobs = len(self.plan.repositories)
        size, basis = self._download()
        yield self._line("fetch", jobs, basis, core=jobs * LIGHT_JOB, disk=size, download=size)
        jobs = len(self.estimates.local)
        seconds, weights, basis = self._pretraining()
        yield self._line("base", jobs, basis, device=seconds + jobs * self.hardware.job_s, disk=weights)
        heads = self.plan.heads
        disk = sum(2 * self.estimates.sizes[name].parameters for name in heads if name in self.estimates.sizes)
        yield self._line("head", len(heads), "2 bytes a parameter", device=len(heads) * self.hardware.job_s, disk=disk)

    def _datasets(self) -> Iterator[StageForecast]:
        datasets = self.plan.datasets
        rows = {name: dataset.rows * len(dataset.languages) for name, dataset in datasets.items()}
        total = sum(rows.values())
        disk = COMPRESSED * sum(count * datasets[name].bytes for name, count in rows.items())
        basis = "rows declared or assumed, seconds assumed"
        for stage in RULES_OF_DATASETS:
            names = [name for name, one in datasets.items() if stage in _rules(one)]
            jobs = sum(len(datasets[name].languages) for name in names)
            written = COMPRESSED * sum(rows[name] * datasets[name].bytes for name in names)
            count = sum(rows[name] for name in names)
            yield self._light(stage, jobs, basis, rows=count, disk=written)
        mixed = sorted({run.dataset for run in self.estimates.finetuned})
        yield self._light("mix", len(mixed), basis, disk=disk)
        finetuned = {self.plan.mixtures[name] for name in mixed}
        guarded = sum(len(datasets[name].languages) for name in finetuned) if self.plan.decontaminated else 0
        yield self._light("guard", guarded, basis, rows=total)

    def _finetune(self) -> StageForecast:
        runs = self.estimates.sized(self.estimates.finetuned)
        seconds, basis = stage_seconds(self.estimates, "finetune", runs)
        settings = [training for run in runs if (training := self.plan.methods[run.method].training)]
        return self._line(
            "finetune",
            len(self.estimates.finetuned),
            f"tokens by steps and batch_tokens; {basis}",
            tokens=sum(training.steps * training.batch_tokens for training in settings),
            device=seconds + len(runs) * self.hardware.job_s,
            disk=sum(self._saved(run) for run in runs),
        )

    def _saved(self, run: Run) -> float:
        """Return the bytes of what a run saves: a whole model is in 16 bits."""
        whole = self.plan.methods[run.method].trains == "all"
        return 2 * self.estimates.parameters(run) if whole else ADAPTER_BYTES * self.estimates.trained(run)

    def _merge(self) -> StageForecast:
        merges = [run for run in self.estimates.finetuned if self.plan.methods[run.method].merged]
        runs = self.estimates.sized(merges)
        seconds, basis = stage_seconds(self.estimates, "merge", runs)
        disk = sum(2 * self.estimates.parameters(run) for run in runs) if self.plan.keep_merged else 0
        device = seconds + len(runs) * self.hardware.job_s
        return self._line("merge", len(merges), basis, device=device, disk=disk)

    def _render_prompts(self) -> StageForecast:
        prompts = self.estimates.prompts.values()
        disk = COMPRESSED * sum(figures.items * figures.bytes for figures in prompts)
        basis = f"items {' and '.join(sorted({figures.basis for figures in prompts}))}, seconds assumed"
        return self._light("render_prompts", len(prompts), basis, rows=self.items, disk=disk)

    def _generate(self) -> Iterator[StageForecast]:
        all_runs, methods = self.plan.runs, self.plan.methods
        runs = self.estimates.sized(all_runs)
        seconds, basis = stage_seconds(self.estimates, "generate", runs)
        on_one = set(self.plan.on_one_engine)
        sharing = [run for run in all_runs if run.path in on_one]
        jobs_saved = len(sharing) - len({run.model for run in sharing})
        starts = [job.start_seconds for job in self.estimates.jobs.values() if job.start_seconds is not None]
        start = self.hardware.job_s + (sum(starts) / len(starts) if starts else self.hardware.engine_s)
        loads = [load for run in runs for load in self.estimates.loads(run)]
        counted = any(self.estimates.counts.values())
        lengths = "answers at their limit"
        if any(model.search for model in self.plan.models.values()):
            lengths += ", translations as long as their sources"
        tokens = "measured on the bases" if counted else f"bytes per token assumed, {lengths}"
        yield self._line(
            "generate",
            len(all_runs) + len({run.model for run in sharing}),
            f"tokens: {tokens}; {basis}",
            tokens=sum(load.items * (load.prompt + load.demonstrations + load.answer) for load in loads),
            device=seconds + (len(runs) - jobs_saved) * start,
            disk=sum(load.items * (COMPLETION_BYTES + COMPRESSED * load.bytes) for load in loads),
        )
        jobs = sum(
            methods[run.method].comparable and self.plan.models[run.model].generates(run.tasks)
            for run in self.estimates.finetuned
        )
        jobs *= self.plan.compare_attached
        yield self._line("compare_attached", jobs, "an engine's start each", device=jobs * start)

    def _results(self) -> Iterator[StageForecast]:
        runs, tasks = len(self.plan.runs), self.plan.tasks.values()
        rows = sum(self.estimates.items(task) for run in self.plan.runs for task in run.tasks)
        basis = "items as above, seconds a row assumed"
        metrics = sum(task.metrics for task in tasks) / len(tasks)
        yield self._light("score", runs, basis, rows=rows, disk=rows * metrics * SCORE_BYTES)
        yield self._light("summarize", 1, basis, rows=rows)
        yield self._light("cluster", sum(len(task.languages) for task in tasks if task.clustered), "assumed")
        yield self._light("sample_answers", int(any(task.pictured for task in tasks)), "assumed")
        for stage in ("count_labels", "report", "tabulate", "draw", "export"):
            yield self._light(stage, 1, "assumed")
        yield self._light("describe", int(bool(self.estimates.finetuned)), "assumed")

    def _download(self) -> tuple[float, str]:
        """Return the bytes that are fetched, and their basis."""
        models = {model.hub: name for name, model in self.estimates.local.items() if model.hub}
        sizes, measured = [], 0
        for folder, repository in self.plan.repositories.items():
            card = Path(self.estimates.results.fetched.format(repository=folder))
            if card.is_file():
                measured += 1
                sizes.append(read_json(card)["bytes"])
            elif models.get(repository) in self.estimates.sizes:
                sizes.append(2 * self.estimates.sizes[models[repository]].parameters)
            else:  # rows, of which only those in the grid's languages are known
                prompts = (
                    figures
                    for (task, _), figures in self.estimates.prompts.items()
                    if self.plan.tasks[task].hub == repository
                )
                sizes.append(sum(figures.items * figures.bytes for figures in prompts))
        basis = f"{measured} of {len(sizes)} measured; weights at 2 bytes a parameter, rows as their prompts"
        return sum(sizes), basis

    def _pretraining(self) -> tuple[float, float, str]:
        """Return the seconds in which models are pretrained here, the bytes of their weights, and the basis."""
        seconds, weights, basis = 0.0, 0.0, "hard links of what is fetched"
        for name, model in self.estimates.local.items():
            training, path = model.pretraining, Path(self.estimates.results.build.format(model=name))
            if training is None or name not in self.estimates.sizes:
                continue
            size = self.estimates.sizes[name]
            weights += 2 * size.parameters
            card = read_json(path) if path.is_file() else {}
            if card.get("hardware", {}).get("device", "").startswith(self.hardware.reported):
                seconds, basis = seconds + card["seconds"], "measured"
            else:
                operations = 6 * size.active * training.steps * training.batch * training.length
                seconds += operations / (self.hardware.peak_tflops * TERA * self.hardware.train_16)
                basis = f"6 operations a parameter and token; rate of {self.hardware.device} in the table"
        return seconds, weights, basis


def _rules(dataset: PlannedDataset) -> tuple[str, str]:
    """Return the rules that make and curate a dataset; a model that translates targets back is on this machine."""
    if dataset.recipe not in CURATED_BY:
        return "synthesize", "curate"
    return "back_translate" if dataset.local_models else "label", CURATED_BY[dataset.recipe]


def transient_bytes(estimates: Estimates, devices: int) -> float:
    """Return the most bytes that are on disk for a while only: checkpoints, and merged weights that are removed."""
    runs = estimates.sized(estimates.finetuned)
    per_job = CHECKPOINTS * CHECKPOINT_BYTES * max(map(estimates.trained, runs), default=0)
    merged = [run for run in runs if estimates.plan.methods[run.method].merged]
    if not estimates.plan.keep_merged:  # those that are generated with, and the next
        per_job += 2 * 2 * max(map(estimates.parameters, merged), default=0)
    return per_job * min(devices, len(runs))
