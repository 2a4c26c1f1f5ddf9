"""Seconds that runs compute: by the hardware table, corrected by what finished runs took."""

import math
from collections import defaultdict
from collections.abc import Sequence

from maple.definitions.hardware import Hardware
from maple.definitions.run import Run
from maple.planning.costs import GB, MEMORY_SHARE, TERA, generation_seconds, training_operations
from maple.planning.estimates import Estimates


def training_share(hardware: Hardware, bits: int | None) -> float:
    """Return the share of the peak that finetuning beside a base of so many bits reaches."""
    return {4: hardware.train_4, 8: hardware.train_8}.get(bits or 16, hardware.train_16)


def _finetune_seconds(estimates: Estimates, run: Run) -> float:
    plan, hardware = estimates.plan, estimates.hardware
    training = plan.methods[run.method].training
    assert training is not None, "a baseline is not finetuned"
    tokens = training.steps * training.batch_tokens
    measurements = 1 + math.ceil(training.steps / training.held_out_steps)
    rows = min(training.held_out_rows, plan.dataset(run).held_out)
    active = estimates.active(run)
    operations = training_operations(active, estimates.trained(run), tokens, recomputed=hardware.device != "cpu")
    operations += 2 * active * measurements * rows * estimates.example_tokens(run)
    return operations / (hardware.peak_tflops * TERA * training_share(hardware, run.bits))


def _merge_seconds(estimates: Estimates, run: Run) -> float:
    # Four ways of computing the model are compared; its weights are read twice and written once.
    plan, hardware = estimates.plan, estimates.hardware
    operations = 4 * 2 * estimates.active(run) * plan.merge_rows * estimates.example_tokens(run)
    comparison = operations / (hardware.peak_tflops * TERA * hardware.prefill)
    return comparison + 3 * 2 * estimates.parameters(run) / (hardware.disk_gb_s * GB)


def _generate_seconds(estimates: Estimates, run: Run) -> float:
    method = estimates.plan.methods[run.method]
    cached = method.engine != "transformers"
    size, loads = estimates.sizes[run.model], estimates.loads(run)
    share = estimates.plan.gpu_memory_utilization or MEMORY_SHARE
    return generation_seconds(size, estimates.hardware, loads, batch=method.batch, cached=cached, memory_share=share)


SECONDS = {"finetune": _finetune_seconds, "merge": _merge_seconds, "generate": _generate_seconds}


def measured_seconds(estimates: Estimates, stage: str, run: Run) -> float | None:
    """Return the device seconds of a finished job on the forecast's hardware; None if no card tells them."""
    job = estimates.jobs.get((run.path, stage))
    if job is None or not job.whole:
        return None
    # The card of a generation names no device: it is the one of the model's other cards.
    others = (other for (path, _), other in estimates.jobs.items() if path.startswith(f"{run.model}/"))
    device = next((each.device for each in (job, *others) if each.device is not None), "")
    return job.device_seconds if device.startswith(estimates.hardware.reported) else None


def stage_seconds(estimates: Estimates, stage: str, runs: Sequence[Run]) -> tuple[float, str]:
    """Return the device seconds of a stage's runs, and their basis.

    The table's seconds are multiplied by the ratio that the finished runs of the same model and bits have of measured
    to forecast seconds.
    """
    forecast = {run.path: SECONDS[stage](estimates, run) for run in runs}
    sums = defaultdict(lambda: [0.0, 0.0])
    for run in runs:
        if measured := measured_seconds(estimates, stage, run):
            pair = sums[run.model, run.bits]
            pair[0] += measured
            pair[1] += forecast[run.path]
    factors = {key: measured / by_table for key, (measured, by_table) in sums.items()}
    seconds = sum(forecast[run.path] * factors.get((run.model, run.bits), 1) for run in runs)
    count = sum((run.model, run.bits) in factors for run in runs)
    table = f"rate of {estimates.hardware.device} in the table"
    if not count:
        return seconds, table
    rest = f", {len(runs) - count} by the {table}" if count < len(runs) else ""
    return seconds, f"rate measured for {count} runs{rest}"
