"""What the benchmarks of finetuning share: this project's side, the clock, and a process for each side."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl

from maple.definitions.local_model import LocalModel
from maple.definitions.method import MethodVariant, PeftVariant, WeightsVariant
from maple.definitions.training import TrainingSettings
from maple.runtime.files import write_parquet
from maple.training.checkpoints import CheckpointPlan
from maple.training.finetuning import finetune

SEED = 1
LORA = {"r": 8, "lora_alpha": 16, "lora_dropout": 0.05, "target_modules": "all-linear"}


def step_clock() -> Any:
    """Return a callback of transformers' Trainer; its `seconds` are from the start of a training to its last step."""
    from transformers import TrainerCallback

    class Clock(TrainerCallback):
        seconds = 0.0

        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            self.start = time.perf_counter()

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            self.seconds = time.perf_counter() - self.start

    return Clock()


def method(lora: bool, training: TrainingSettings) -> MethodVariant:
    """Return LoRA of rank 8, or all weights."""
    if lora:
        return PeftVariant(peft="LORA", axes={"rank": 8, "bits": 16}, adapter=LORA, training=training)
    return WeightsVariant(trains="all", axes={"bits": 16}, training=training)


def finetuned_here(
    base: Path,
    frames: tuple[pl.DataFrame, pl.DataFrame],
    folder: Path,
    variant: MethodVariant,
    model: LocalModel,
    threads: int,
) -> float:
    """Train as the workflow does, into `folder`/model; return the seconds of the steps.

    `frames` are the rows to learn and those held out.
    """
    from transformers import Trainer

    files = folder / "learnt.parquet", folder / "held_out.parquet"
    for frame, file in zip(frames, files, strict=True):
        write_parquet(frame, file)
    (folder / "model").mkdir()
    train, clock = Trainer.train, step_clock()

    def timed(trainer: Any, *args: Any, **kwargs: Any) -> Any:
        trainer.add_callback(clock)
        return train(trainer, *args, **kwargs)

    Trainer.train = timed  # pyright: ignore[reportAttributeAccessIssue]
    finetune(
        base,
        *files,
        folder / "model",
        method=variant,
        model=model,
        seed=SEED,
        threads=threads,
        checkpoints=CheckpointPlan(folder / "checkpoints", 10**6),
        code=[],
    )
    return clock.seconds


def figures_of(script: str, sides: tuple[str, str]) -> dict[str, dict[str, float]]:
    """Run a benchmark's script once per side, with --side; return the figures that each prints last, as JSON."""
    figures = {}
    for name in sides:
        command = [sys.executable, script, *sys.argv[1:], "--side", name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{name} failed with exit status {done.returncode}:\n{done.stderr}")
        figures[name] = json.loads(done.stdout.splitlines()[-1])
    return figures
