"""What a study will take, before it runs: jobs, hours, disk, downloads and energy of each stage.

Every figure is arithmetic over token counts and a row of config/hardware.tsv, and names what it rests on: what is there
already (measured), the table, what the definitions declare, or an assumption below.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl

from maple.definitions.hardware import Hardware, read_hardware
from maple.definitions.loading import DefinitionError
from maple.definitions.model import BuiltModel, EndpointModel, HubModel
from maple.definitions.run import Run
from maple.models.size import Size, size_of
from maple.planning.costs import GB, HOUR, KWH, Asked, generation_seconds, training_operations
from maple.runtime.files import read_json
from maple.study.study import Study
from maple.study.tasks import StudyTask

# Bytes of UTF-8 a token of LLaMA-2's 32,000, assumed until a model's own prompts have been counted: its vocabulary is
# of Latin text, and cuts other scripts into characters or their bytes.
TOKEN_BYTES, OTHER_TOKEN_BYTES = {"Latn": 3.0}, 1.7
BUILT_TOKEN_BYTES = 4.3  # of models built here, in every script: the default study's
# Bytes of an example and of a prompt where none are declared, as of what is made here: the default study's.
EXAMPLE_BYTES, PROMPT_BYTES = 280, 370
ITEMS = 1000  # test rows, or examples, a language where none are declared: assumed
# Bytes of files: what a completion and a score take beside their text, and the share of text that compression leaves;
# the default study's.
COMPLETION_BYTES, SCORE_BYTES, COMPRESSED = 50, 25, 0.4
# Seconds of a processor core, assumed: to start a job without a model, and a row in those that read many.
LIGHT_JOB = 4.0
LIGHT_ROW = {"curate": 0.002, "guard": 0.001, "score": 0.002, "render_prompts": 0.0005, "summarize": 0.00001}
# Bytes a trained parameter: float32 in an adapter, with Adam's two moments in a checkpoint.
ADAPTER_BYTES, CHECKPOINT_BYTES = 4, 12
CHECKPOINTS = 3  # two are kept, and the next is written before the older one goes
RANK = 16  # a method without a rank counts as LoRA of this one until its card has counted its parameters: assumed


def merged_kept(config: Mapping) -> bool:
    """Say whether merged weights stay once they have been generated with."""
    return config["merge"].get("keep", True)


def forecast(study: Study, config: Mapping, hardware: str | Path, results: str | Path) -> dict:
    """Forecast a study on the hardware that its config names.

    `config` is the study's whole config, `hardware` the table, `results` the folder in which finished parts are looked
    for: prompts and the untouched bases' answers for token counts, cards for rates, which replace the table's for the
    same stage, model and bits on the same device. Nothing needs to be there.

    Returns {"study": {"runs", "answers", "hardware", "devices"}, "stages", "total", "peak_disk_gb", "days", "notes"}; a
    stage has "stage", "jobs", "tokens", "device_hours", "core_hours", "disk_gb", "download_gb", "kwh" and "basis".
    """
    table, chosen = read_hardware(hardware), config["forecast"]["hardware"]
    known = _Known(study, config, table[chosen], Path(results))
    stages = [stage for stage in _stages(known, table["cpu"].watts) if stage["jobs"]]
    keys = ("jobs", "device_hours", "core_hours", "disk_gb", "download_gb", "kwh")
    total = {key: sum(stage[key] for stage in stages) for key in keys}
    devices = config["forecast"]["devices"]
    answers = sum(
        prompts["items"] * len(study.tasks[task].settings.answers) for (task, _), prompts in known.prompts.items()
    )
    return {
        "study": {
            "runs": len(study.runs),
            "answers": len(study.runs) * answers,
            "hardware": chosen,
            "devices": devices,
        },
        "stages": stages,
        "total": total,
        "peak_disk_gb": total["disk_gb"] + _passing(known, devices) / GB,
        "days": total["device_hours"] / devices / 24,
        "notes": known.notes(),
    }


class _Known:
    """What is known of a study: its sizes, its tokens, and the cards of what is finished."""

    def __init__(self, study: Study, config: Mapping, row: Hardware, results: Path):
        self.study, self.config, self.row, self.results = study, config, row, results
        self.adapted = [run for run in study.runs if not run.is_baseline]
        self.local = {name: model for name, model in study.models.items() if not isinstance(model, EndpointModel)}
        self.unknown: dict[str, str] = {}
        self.sizes = {name: size for name in self.local if (size := self._size(name))}
        self.cards = {
            (run.path, stage): read_json(path)
            for run in study.runs
            for stage in ("finetune", "merge", "generate")
            if (path := results / f"cards/{run.path}/{stage}.json").is_file()
        }
        self.prompts = {
            (task, code): self._prompts(task, code)
            for task, of_study in study.tasks.items()
            for code in of_study.languages
        }
        self.counted = {name: self._counted(name) for name in self.sizes}
        self.asked = {name: self._asked(name) for name in self.sizes}

    def sized(self, runs: Iterable[Run]) -> list[Run]:
        """Return the runs whose model has a known size; the others cost nothing here, and a note says so."""
        return [run for run in runs if run.model in self.sizes]

    def parameters(self, run: Run) -> int:
        return self.sizes[run.model].parameters

    def trained(self, run: Run) -> float:
        card = self.cards.get((run.path, "finetune"))
        return card["trainable_parameters"] if card else self.sizes[run.model].linear * (run.rank or RANK)

    def example_bytes(self, dataset: str) -> int:
        return getattr(self.study.datasets[dataset].definition.size, "bytes", EXAMPLE_BYTES)

    def example_tokens(self, run: Run) -> float:
        """Return the tokens of one example of each language of a run's dataset."""
        return sum(
            self.example_bytes(run.dataset) / self._token_bytes(run.model, self.study.languages.table[code].script)
            for code in self.study.datasets[run.dataset].languages
        )

    def rows(self, dataset: str) -> int:
        """Return the rows of a dataset in one language, before curation."""
        definition = self.study.datasets[dataset].definition
        stated = getattr(definition, definition.recipe).max_rows
        return stated or getattr(definition.size, "rows", ITEMS)

    def notes(self) -> list[str]:
        made = [name for name, dataset in self.study.datasets.items() if dataset.makers]
        bought = [
            name
            for name, dataset in self.study.datasets.items()
            if getattr(dataset.definition, "teacher", None) == "openai"
        ]
        remote = [name for name in self.study.models if name not in self.local]
        heavy = [name for name, size in self.sizes.items() if 2 * size.parameters > self.row.memory_gb * GB]
        return [
            *(f"{name}: {why}; what it computes is left out." for name, why in self.unknown.items()),
            *(f"{name}: made by a model on this machine, whose hours are left out." for name in made),
            *(f"{name}: made by a model behind an endpoint, whose time and price are left out." for name in bought),
            *(f"{name}: answers behind an endpoint, whose time and price are left out." for name in remote),
            *(f"{name}: its 16-bit weights are larger than the memory of one {self.row.device}." for name in heavy),
        ]

    def _size(self, model: str) -> Size | None:
        definition, fetched = self.local[model], self.results / f"base/{model}/config.json"
        try:
            if fetched.is_file():
                return size_of(read_json(fetched))
            if isinstance(definition, BuiltModel):
                return size_of({**definition.build.architecture, "vocab_size": definition.build.vocabulary})
            if definition.architecture:
                return size_of(definition.architecture)
        except DefinitionError as error:
            self.unknown[model] = str(error)
            return None
        self.unknown[model] = f"config/models/{model}.yaml has no `architecture`, and it is not fetched"
        return None

    def _prompts(self, task: str, code: str) -> dict:
        """Return items, the mean bytes of a prompt, those of the demonstrations before it, and the basis."""
        definition, shots = self.study.tasks[task].definition.params(), self.study.tasks[task].settings.shots
        path = self.results / f"prompts/{task}/{code}.parquet"
        if path.is_file():
            asked = pl.scan_parquet(path).filter(pl.col("fault").is_null())
            text = pl.col("prompt").str.len_bytes().mean()
            shown = pl.col("demonstrations").first().list.join("").str.len_bytes()
            items, text, shown = asked.select(items=pl.len(), text=text, shown=shown).collect().row(0)
            return {"items": items, "text": text or 0, "shown": shown or 0, "basis": "measured"}
        declared = "size" in definition and self.config["task_source"] != "embedded"
        size = definition["size"] if declared else {"items": self.config["items"] or ITEMS, "bytes": PROMPT_BYTES}
        items = size["items"] if isinstance(size["items"], int) else size["items"].get(code, ITEMS)
        return {
            "items": min(items, self.config["items"] or items),
            "text": size["bytes"],
            "shown": shots * size["bytes"],
            "basis": "declared" if declared else "assumed",
        }

    def _token_bytes(self, model: str, script: str) -> float:
        return (
            BUILT_TOKEN_BYTES
            if isinstance(self.local[model], BuiltModel)
            else TOKEN_BYTES.get(script, OTHER_TOKEN_BYTES)
        )

    def _counted(self, model: str) -> dict[tuple[str, str], tuple[float, float]]:
        """Return the mean tokens of prompts and answers of the untouched base, by task and language, if it has run."""
        folder = self.results / f"generations/{Run.baseline(model).path}"
        paths = [path for code in self.study.languages.codes if (path := folder / f"{code}.parquet").is_file()]
        if not paths:
            return {}
        completed = pl.scan_parquet(paths).filter(pl.col("finish_reason") != "rank")
        means = completed.group_by("task", "language").agg(
            pl.col("item_tokens").mean(), pl.col("completion_tokens").mean()
        )
        return {(task, code): (own, written) for task, code, own, written in means.collect().iter_rows()}

    def _asked(self, model: str) -> dict[tuple[str, str], Asked]:
        length, asked = self.config["generate"]["max_length"], {}
        for (task, code), prompts in self.prompts.items():
            ways = self.study.tasks[task].settings.answers
            text = prompts["text"]
            own = text / self._token_bytes(model, self.study.languages.table[code].script)
            own, written = self.counted[model].get(
                (task, code), (own, self.study.tasks[task].prompt_spec.max_new_tokens)
            )
            shown = prompts["shown"] * own / text if text else 0
            asked[task, code] = Asked(
                items=prompts["items"],
                own=own,
                shown=max(0, min(shown, length - own - written)),
                written=written if "generate" in ways else 0,
                choices=len(self.study.tasks[task].prompt_spec.choices) if "rank" in ways else 0,
                text=text,
            )
        return asked


def _finetune_seconds(known: _Known, run: Run) -> float:
    training = known.study.methods[run.method].variant.training.params()
    tokens = training["steps"] * training["batch_tokens"]
    measures = 1 + math.ceil(training["steps"] / training["held_out_steps"])
    rows = min(training["held_out_rows"], known.study.datasets[run.dataset].definition.mix.held_out)
    operations = training_operations(
        known.parameters(run), known.trained(run), tokens, recomputed=known.row.device != "cpu"
    )
    operations += 2 * known.parameters(run) * measures * rows * known.example_tokens(run)
    return operations / (known.row.peak_tflops * 1e12 * known.row.train_share(run.bits))


def _merge_seconds(known: _Known, run: Run) -> float:
    # Four ways of computing the model are compared; its weights are read twice and written once.
    operations = 4 * 2 * known.parameters(run) * known.config["merge"]["rows"] * known.example_tokens(run)
    compared = operations / (known.row.peak_tflops * 1e12 * known.row.prefill)
    return compared + 3 * 2 * known.parameters(run) / (known.row.disk_gb_s * GB)


def _generate_seconds(known: _Known, run: Run) -> float:
    settings = known.study.settings(run.method)
    return generation_seconds(
        known.sizes[run.model],
        known.row,
        known.asked[run.model].values(),
        batch=settings["batch"],
        cached=settings["engine"] != "transformers",
    )


SECONDS = {"finetune": _finetune_seconds, "merge": _merge_seconds, "generate": _generate_seconds}


def _took(known: _Known, stage: str, run: Run) -> float | None:
    """Return the seconds of one device that a finished job computed on the forecast's; None where no card says it."""
    card = known.cards.get((run.path, stage))
    if card is None or card.get("carried_over") or card.get("computed") == 0 or card.get("resumed_from"):
        return None
    # A card of generation names no device: it is that of the model's other cards.
    others = (card for (path, _), card in known.cards.items() if path.startswith(f"{run.model}/"))
    device = next((each["hardware"]["device"] for each in (card, *others) if "hardware" in each), "")
    if not device.startswith(known.row.reported):
        return None
    devices = card.get("processes", 1) * card.get("replicas", 1) * card.get("settings", {}).get("tensor_parallel", 1)
    return (card["seconds"] - card.get("start_seconds", 0)) * devices


def _computed(known: _Known, stage: str, runs: Sequence[Run]) -> tuple[float, str]:
    """Return the seconds in which runs are computed, and their basis.

    The table's are multiplied by what the finished runs of the same model and bits took, over what it says of them.
    """
    estimated = {run.path: SECONDS[stage](known, run) for run in runs}
    sums = defaultdict(lambda: [0.0, 0.0])
    for run in runs:
        if took := _took(known, stage, run):
            pair = sums[run.model, run.bits]
            pair[0] += took
            pair[1] += estimated[run.path]
    factors = {key: took / told for key, (took, told) in sums.items()}
    seconds = sum(estimated[run.path] * factors.get((run.model, run.bits), 1) for run in runs)
    measured = sum((run.model, run.bits) in factors for run in runs)
    table = f"rate of {known.row.device} in the table"
    if not measured:
        return seconds, table
    rest = f", {len(runs) - measured} by the {table}" if measured < len(runs) else ""
    return seconds, f"rate measured for {measured} runs{rest}"


def finished(study: Study, config: Mapping, row: Hardware, results: Path) -> dict[tuple[str, int], tuple]:
    """Hold the table's row against the cards of finished runs: {(stage, bits): (seconds taken, forecast, cards)}."""
    known = _Known(study, config, row, results)
    found = defaultdict(lambda: (0.0, 0.0, 0))
    for stage, seconds in SECONDS.items():
        for run in known.sized(known.adapted):
            if took := _took(known, stage, run):
                taken, estimated, cards = found[stage, run.bits]
                found[stage, run.bits] = (taken + took, estimated + seconds(known, run), cards + 1)
    return dict(found)


def _stages(known: _Known, core_watts: float) -> Iterator[dict]:
    study, config, row = known.study, known.config, known.row

    def stage(name, jobs, basis, *, tokens=0.0, device=0.0, core=0.0, disk=0.0, download=0.0):
        """Return one line: `device` and `core` are seconds, `disk` and `download` bytes."""
        return {
            "stage": name,
            "jobs": jobs,
            "tokens": tokens,
            "device_hours": device / HOUR,
            "core_hours": core / HOUR,
            "disk_gb": disk / GB,
            "download_gb": download / GB,
            "kwh": (device * row.watts + core * core_watts) / KWH,
            "basis": basis,
        }

    def light(name, jobs, rows=0):
        return jobs * LIGHT_JOB + rows * LIGHT_ROW.get(name, 0)

    jobs, download, basis = len(study.repositories), *_download(known)
    yield stage("fetch", jobs, basis, core=light("fetch", jobs), disk=download, download=download)
    building, weights, basis = _building(known)
    yield stage("base", len(known.local), basis, device=building + len(known.local) * row.job_s, disk=weights)

    made = {
        name: known.rows(name) * len(codes) for name, dataset in study.datasets.items() for codes in [dataset.languages]
    }
    jobs, rows = sum(len(dataset.languages) for dataset in study.datasets.values()), sum(made.values())
    text = COMPRESSED * sum(count * known.example_bytes(name) for name, count in made.items())
    basis = "rows declared or assumed, seconds assumed"
    yield stage("synthesize", jobs, basis, core=light("synthesize", jobs), disk=text)
    yield stage("curate", jobs, basis, core=light("curate", jobs, rows), disk=text)
    mixed = sorted({run.dataset for run in known.adapted})
    yield stage("mix", len(mixed), basis, core=light("mix", len(mixed)), disk=text)
    guarded = sum(len(study.datasets[name].languages) for name in mixed) if study.tests else 0
    yield stage("guard", guarded, basis, core=light("guard", guarded, rows))

    runs = known.sized(known.adapted)
    seconds, basis = _computed(known, "finetune", runs)
    training = [study.methods[run.method].variant.training.params() for run in runs]
    yield stage(
        "finetune",
        len(known.adapted),
        f"tokens by steps and batch_tokens; {basis}",
        tokens=sum(each["steps"] * each["batch_tokens"] for each in training),
        device=seconds + len(runs) * row.job_s,
        disk=sum(ADAPTER_BYTES * known.trained(run) for run in runs),
    )
    merged = [run for run in runs if not study.methods[run.method].attached]
    seconds, basis = _computed(known, "merge", merged)
    kept = sum(2 * known.parameters(run) for run in merged) if merged_kept(config) else 0
    jobs = sum(not study.methods[run.method].attached for run in known.adapted)
    yield stage("merge", jobs, basis, device=seconds + len(merged) * row.job_s, disk=kept)

    items = sum(prompts["items"] for prompts in known.prompts.values())
    text = sum(prompts["items"] * prompts["text"] for prompts in known.prompts.values())
    basis = "items " + " and ".join(sorted({prompts["basis"] for prompts in known.prompts.values()}))
    core = light("render_prompts", len(known.prompts), items)
    yield stage("render_prompts", len(known.prompts), f"{basis}, seconds assumed", core=core, disk=COMPRESSED * text)

    runs = known.sized(study.runs)
    seconds, basis = _computed(known, "generate", runs)
    together = [run for run in study.runs if run.method in study.methods and study.methods[run.method].shares_engine]
    shared = len(together) - len({run.model for run in together})
    starts = [card["start_seconds"] for card in known.cards.values() if "start_seconds" in card]
    start = row.job_s + (sum(starts) / len(starts) if starts else row.engine_s)
    asked = [each for run in runs for each in known.asked[run.model].values()]
    tokens = "measured on the bases" if any(known.counted.values()) else "bytes a token assumed, answers at their limit"
    yield stage(
        "generate",
        len(study.runs) - shared,
        f"tokens: {tokens}; {basis}",
        tokens=sum(each.items * (each.own + each.shown + each.written) for each in asked),
        device=seconds + (len(runs) - shared) * start,
        disk=sum(each.items * (COMPLETION_BYTES + COMPRESSED * each.text) for each in asked),
    )
    compared = sum(study.methods[run.method].comparable for run in known.adapted)
    compared *= bool(config["generate"]["compare_attached"])
    yield stage("compare_attached", compared, "an engine's start each", device=compared * start)

    jobs, scored, basis = len(study.runs) * len(study.languages.codes), len(study.runs) * items, "seconds a row assumed"
    metrics = sum(len(task.metrics.metrics) for task in study.tasks.values()) / len(study.tasks)
    core, disk = light("score", jobs, scored), scored * metrics * SCORE_BYTES
    yield stage("score", jobs, f"items as above, {basis}", core=core, disk=disk)
    yield stage("summarize", 1, f"items as above, {basis}", core=light("summarize", 1, scored))
    clustered = [name for name, task in study.tasks.items() if task.clustering for _ in task.languages]
    yield stage("cluster", len(clustered), "assumed", core=light("cluster", len(clustered)))
    for name in ("report", "tabulate", "draw", "export"):
        yield stage(name, 1, "assumed", core=light(name, 1))
    described = bool(known.adapted)
    yield stage("describe", int(described), "assumed", core=light("describe", described))


def _download(known: _Known) -> tuple[float, str]:
    """Return the bytes of what is fetched, and their basis."""
    models = {model.hub: name for name, model in known.local.items() if isinstance(model, HubModel)}
    sizes, measured = [], 0
    for folder, repository in known.study.repositories.items():
        card = known.results / f"cards/fetch/{folder}.json"
        if card.is_file():
            measured += 1
            sizes.append(read_json(card)["bytes"])
        elif models.get(repository.id) in known.sizes:
            sizes.append(2 * known.sizes[models[repository.id]].parameters)
        else:  # rows, test and dev, of all languages that the set offers; of others than the grid's none is known
            tasks = [name for name, task in known.study.tasks.items() if _is_of(task, repository.id)]
            each = (prompts for (task, _), prompts in known.prompts.items() if task in tasks)
            sizes.append(sum(prompts["items"] * prompts["text"] for prompts in each))
    return sum(sizes), f"{measured} of {len(sizes)} measured; weights at 2 bytes a parameter, rows as their prompts"


def _is_of(task: StudyTask, repository: str) -> bool:
    hub = task.definition.sources.hub
    return hub is not None and hub.dataset == repository


def _building(known: _Known) -> tuple[float, float, str]:
    """Return the seconds in which bases are pretrained, the bytes of their weights, and the basis."""
    seconds, weights, basis = 0.0, 0.0, "hard links of what is fetched"
    for name, model in known.local.items():
        if not isinstance(model, BuiltModel) or name not in known.sizes:
            continue
        weights += 2 * known.sizes[name].parameters
        training, path = model.build.training, known.results / f"base/{name}/build.json"
        card = read_json(path) if path.is_file() else {}
        if card.get("hardware", {}).get("device", "").startswith(known.row.reported):
            seconds, basis = seconds + card["seconds"], "measured"
        else:
            operations = 6 * known.sizes[name].parameters * training.steps * training.batch * training.length
            seconds += operations / (known.row.peak_tflops * 1e12 * known.row.train_16)
            basis = f"6 operations a parameter and token; rate of {known.row.device} in the table"
    return seconds, weights, basis


def _passing(known: _Known, devices: int) -> float:
    """Return the most bytes that are on disk for a while alone: checkpoints, and merged weights that do not stay."""
    runs = known.sized(known.adapted)
    passing = CHECKPOINTS * CHECKPOINT_BYTES * max(map(known.trained, runs), default=0)
    merged = [run for run in runs if not known.study.methods[run.method].attached]
    if not merged_kept(known.config):  # one that is generated with, and the next
        passing += 2 * 2 * max(map(known.parameters, merged), default=0)
    return passing * min(devices, len(runs))
