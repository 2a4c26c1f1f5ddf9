"""What a study will take, before it runs: jobs, hours, disk, downloads and energy of each stage.

Each figure is arithmetic on token counts and a row of config/hardware.tsv, and names its basis: finished parts of the
study (measured), the table, what the study's files declare, or an assumption beside the constants of this package.
"""

from collections import defaultdict
from dataclasses import dataclass, field, replace

from maple.definitions.hardware import Hardware
from maple.planning.costs import GB
from maple.planning.detectable import ExpectedEffect, expected_effects
from maple.planning.estimates import Estimates, ResultPaths
from maple.planning.plan import Plan
from maple.planning.seconds import SECONDS, measured_seconds
from maple.planning.sizes import ModelSizes
from maple.planning.stages import StageForecast, Stages, transient_bytes


@dataclass(frozen=True)
class StudyFigures:
    """The size of a study."""

    runs: int
    answers: int
    hardware: str
    """The row of config/hardware.tsv."""
    devices: int


@dataclass(frozen=True)
class Totals:
    """Sums over all stages."""

    jobs: int
    device_hours: float
    core_hours: float
    disk_gb: float
    download_gb: float
    kwh: float


@dataclass(frozen=True)
class CellItems:
    """The prompts of a task in a language."""

    task: str
    """The task."""
    language: str
    """The language's code."""
    items: int
    """How many there are: measured, declared or assumed."""


@dataclass(frozen=True)
class Forecast:
    """What a study will take."""

    study: StudyFigures
    stages: list[StageForecast]
    total: Totals
    peak_disk_gb: float
    days: float
    """If no device ever waits."""
    cells: list[CellItems]
    """The items of each task and language."""
    left_out: list[str]
    """Models whose size is unknown: what they compute is in no figure."""
    notes: list[str]
    questions: list[ExpectedEffect] = field(default_factory=list)
    """What each question that claims an effect will be able to detect; empty until it is asked (with_questions)."""


def forecast(plan: Plan, hardware: Hardware, results: ResultPaths, sizes: ModelSizes, *, core_watts: float) -> Forecast:
    """Forecast a study on a device; `core_watts` is the power of one core of its host.

    Results that exist are measured: prompts and the baselines' answers give token counts, and cards give rates, which
    replace the table's for the same stage, model and bits on the same device.
    """
    estimates = Estimates(plan, hardware, results, sizes)
    stages = [stage for stage in Stages(estimates, core_watts).all() if stage.jobs]
    total = Totals(
        jobs=sum(stage.jobs for stage in stages),
        device_hours=sum(stage.device_hours for stage in stages),
        core_hours=sum(stage.core_hours for stage in stages),
        disk_gb=sum(stage.disk_gb for stage in stages),
        download_gb=sum(stage.download_gb for stage in stages),
        kwh=sum(stage.kwh for stage in stages),
    )
    return Forecast(
        study=StudyFigures(len(plan.runs), estimates.answers, plan.hardware, plan.devices),
        stages=stages,
        total=total,
        peak_disk_gb=total.disk_gb + transient_bytes(estimates, plan.devices) / GB,
        days=total.device_hours / plan.devices / 24,
        cells=[CellItems(*cell, prompts.items) for cell, prompts in estimates.prompts.items()],
        left_out=list(sizes.unknown),
        notes=estimates.notes(),
    )


def with_questions(made: Forecast, plan: Plan) -> Forecast:
    """Return the forecast of a study with what each of its questions will be able to detect; it takes seconds."""
    items = {(cell.task, cell.language): cell.items for cell in made.cells}
    return replace(made, questions=expected_effects(plan, items))


@dataclass
class RateCheck:
    """What the finished jobs of one stage and precision took, and what the table forecasts for them."""

    measured: float = 0.0
    """Seconds."""
    forecast: float = 0.0
    """Seconds."""
    jobs: int = 0


def check_rates(
    plan: Plan, hardware: Hardware, results: ResultPaths, sizes: ModelSizes
) -> dict[tuple[str, int | None], RateCheck]:
    """Compare a row of the hardware table with the cards of finished runs, by stage and bits."""
    estimates = Estimates(plan, hardware, results, sizes)
    checks: dict[tuple[str, int | None], RateCheck] = defaultdict(RateCheck)
    for stage, seconds in SECONDS.items():
        for run in estimates.sized(estimates.finetuned):
            if measured := measured_seconds(estimates, stage, run):
                check = checks[stage, run.bits]
                check.measured += measured
                check.forecast += seconds(estimates, run)
                check.jobs += 1
    return dict(checks)
