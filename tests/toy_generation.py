"""Toy prompts, a toy engine, and a job in which the one completes the others."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import polars as pl
from tqdm import tqdm

from maple.definitions.generation import GenerateSettings
from maple.engines.engine import Completion
from maple.evaluation.asked_model import ModelFolder, Weights
from maple.evaluation.completions import COMPLETION_SCHEMA
from maple.evaluation.generation import BATCHES_PER_CHUNK, complete
from maple.evaluation.prompts import ASKED_SCHEMA
from maple.runtime.fingerprint import weights_digest
from maple.runtime.journal import Journal

ROOT = Path(__file__).resolve().parents[1]
NOTHING = pl.DataFrame(schema=COMPLETION_SCHEMA)
SETTINGS = GenerateSettings(
    engine="toy",
    batch=1,
    max_length=60,
    cpu_cache_gib=1,
    flip_sample=0,
    batch_invariant=False,
    tensor_parallel=1,
)


class Echo:
    """Repeats the last token of each text, which a newline follows; remembers the prompts; dies at one in `dies_at`."""

    def __init__(self, dies_at=None):
        self.prompts, self.dies_at = [], dies_at

    def complete(self, prompts, limits, pictures=(), stops=()):
        self.prompts += prompts
        if any(prompt[-4:-3] == [self.dies_at] for prompt in prompts):
            raise RuntimeError("killed")
        return [Completion([prompt[-2]], "stop", -1.0) for prompt in prompts]

    def log_likelihoods(self, prompts, continuations, pictures=()):
        """The earlier in the alphabet, the likelier."""
        self.prompts += prompts
        return [-float(sum(continuation)) for continuation in continuations]


def prompts(*texts, **changes):
    rows = [
        {
            "task": "toy",
            "language": "eng_Latn",
            "item": str(number),
            "prompt": text,
            "words": 1,
            "targets": ["a"],
            "labels": [],
            "verbalizers": [],
            "demonstrations": [],
            "answers": ["generate"],
            "max_new_tokens": 4,
            "repaired": False,
            "fault": None,
        }
        | changes
        for number, text in enumerate(texts)
    ]
    return pl.DataFrame(rows, schema=ASKED_SCHEMA)


def run(model, frame, path, engine, previous=NOTHING, asked=None, **settings):
    return complete(
        frame,
        ModelFolder(Weights(model, **(asked or {"frame": "none"})), weights_digest(model)),
        engine="toy 1",
        settings=SETTINGS.changed(**settings),
        previous=previous,
        journal=Journal(path / "journal.jsonl"),
        start_engine=lambda encoder: engine,
        progress=partial(tqdm, disable=True),
    )


def check_kills(base, frame, path, kills, kind="causal"):
    """Run a job that is killed at as many moments: it ends with the same bytes each time, and no chunk is in parts."""
    frame.write_parquet(path / "prompts.parquet")
    program = ROOT / "tests/kills.py"
    subprocess.run(
        [sys.executable, program, base, path / "prompts.parquet", path, str(kills), kind],
        # A forked child does not have the threads of its parent, so the parent must start none.
        env=os.environ | {"PYTHONPATH": str(ROOT), "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"},
        check=True,
        timeout=300,
    )
    undisturbed, *killed = json.loads((path / "report.json").read_text())
    assert undisturbed["card"]["computed"] == frame.height and undisturbed["card"]["compared_alone"] == 3
    assert {job["digest"] for job in killed} == {undisturbed["digest"]}
    assert any(0 < job["survived"] < frame.height for job in killed), "no kill came in the middle"
    for job in killed:
        assert job["survived"] % (2 * BATCHES_PER_CHUNK) == 0, "a chunk was written in part"
        assert job["card"]["carried_over"] == job["survived"]
