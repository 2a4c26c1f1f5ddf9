"""Runs one generate job again and again, each time killed at another moment, and writes what each left: report.json.

A program of its own: it loads the libraries once and forks, which a process with threads of its own could not.
"""

import gc
import json
import math
import os
import random
import signal
import sys
import time
from functools import partial
from hashlib import blake2b
from pathlib import Path

import polars as pl
from tqdm import tqdm

from maple.definitions.generation import GenerateSettings
from maple.engines.machine import Machine
from maple.evaluation.asked_model import Weights
from maple.evaluation.generation import RunOutputs, generate
from maple.models.behaviour import behaviour_of
from maple.runtime.journal import Journal


def job(base: Path, prompts: Path, kind: str, folder: Path) -> dict:
    """Run the job in `folder`; return its card."""
    (card,) = generate(
        pl.read_parquet(prompts),
        Weights(base, kind),
        [RunOutputs({"eng_Latn": folder / "eng_Latn.parquet"}, folder / "journal.jsonl")],
        settings=GenerateSettings(
            engine="transformers",
            batch=2,
            max_length=128,
            cpu_cache_gib=1,
            flip_sample=3,
            batch_invariant=False,
            tensor_parallel=1,
        ),
        machine=Machine(),
        progress=partial(tqdm, disable=True),
    )
    return card.values()


def forked(folder: Path, arguments: list, answers: float = math.inf, seconds: float = 0):
    """Run the job in a child; it is killed some seconds after its journal holds so many answers."""
    folder.mkdir(exist_ok=True)
    journal = folder / "journal.jsonl"
    if (child := os.fork()) == 0:
        (folder / "card.json").write_text(json.dumps(job(*arguments, folder)))
        os._exit(0)
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if journal.exists() and journal.read_bytes().count(b"\n") >= answers:
            time.sleep(seconds)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return
        time.sleep(0.001)


def left(folder: Path) -> int:
    """Return how many completions the journal in `folder` holds."""
    return len({row["key"] for row in Journal(folder / "journal.jsonl").read()})


if __name__ == "__main__":
    base, prompts, place, kills = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
    arguments = [base, prompts, kind := sys.argv[5]]
    behaviour_of(kind).load(
        base, 16
    )  # imports what every child needs; polars has threads, and must not be used before a fork
    gc.freeze()  # no child walks that for garbage
    forked(place / "undisturbed", arguments)
    whole = json.loads((place / "undisturbed" / "card.json").read_text())["computed"]
    moments = random.Random(1)
    report = []
    for number in range(kills + 1):
        folder = place / (f"killed-{number}" if number else "undisturbed")
        survived = 0
        if number:
            # Moments of the clock would all lie before or after the work on a machine that starts slower than it works.
            forked(folder, arguments, moments.randrange(whole), moments.uniform(0, 0.02))
            survived = left(folder)
            forked(folder, arguments)
        report.append(
            {
                "survived": survived,
                "digest": blake2b((folder / "eng_Latn.parquet").read_bytes()).hexdigest(),
                "card": json.loads((folder / "card.json").read_text()),
            }
        )
    (place / "report.json").write_text(json.dumps(report))
