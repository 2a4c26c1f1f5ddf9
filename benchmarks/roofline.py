"""Which share of what this machine can compute do finetuning and generation reach, beside the field's tools?

    python benchmarks/roofline.py STUDY [--sizes tiny 135M] [--threads 1] [--steps 20] [--items 4]

STUDY is a folder in which `make run` has ended: its examples and prompts are used. The peaks are measured first, with
as many threads as all sides have: a product of two square float32 matrices, and a copy, whose bytes are read and
written. Then each side finetunes the same LoRA (benchmarks/finetune.py) and answers the same prompts
(benchmarks/generate.py, with lm-eval where `make .lm-eval/done` has installed it), each in a process of its own; starts
are not counted.

Printed is the share of the roofline (Williams et al. 2009, doi 10.1145/1498765.1498785): the least seconds that the
peaks allow, over the seconds taken. Only what the tokens need is counted, as in PaLM (arXiv 2204.02311, appendix B),
without attention. Finetuning takes four operations for each weight of the base and token (two forward, two backward),
and six for each of the adapter. Generation takes two for each weight and token, where a prefix that prompts share
counts once; the next tokens of all answers are computed in one step, which reads the weights once.
"""

# ruff: noqa: E402 (modules of the project are found once its folder is in the path)

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

import polars as pl
import torch

from benchmarks import finetune, generate
from benchmarks.hardware import seconds
from maple.engines.transformers_engine import common_prefix
from maple.evaluation.completions import asked
from maple.models.encoding import Encoder
from maple.runtime.files import read_parquet

# Layers of SmolLM-135M; with this benchmark's vocabulary of 4,096 tokens the model has 111 million weights.
SMOLLM = {"hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9}
SIZES = {"tiny": {}, "135M": {**SMOLLM, "num_key_value_heads": 3}}
TASKS = ("xcopa", "xnli", "xquad")
ANSWERING = ("maple, vLLM", "maple, transformers", "generate, batch 1", "generate, batch 32", "lm-eval, vLLM")
RANK = 16


@dataclass(frozen=True)
class Peaks:
    """What the machine can do."""

    operations: float
    """Per second, of a product of matrices."""
    bytes: float
    """Per second, read and written by a copy."""

    @classmethod
    def measured(cls, threads: int) -> "Peaks":
        """Measure them."""
        torch.set_num_threads(threads)
        width, text = 2048, torch.zeros(2**28, dtype=torch.uint8)
        left, right, copy = torch.randn(width, width), torch.randn(width, width), torch.empty_like(text)
        return cls(
            2 * width**3 / seconds(lambda: left @ right),
            2 * text.numel() / seconds(lambda: copy.copy_(text)),
        )


@dataclass(frozen=True)
class Weights:
    """The weights that each token is multiplied with."""

    base: int
    """Those of the linear layers and of the head."""
    adapter: int
    """Those of a LoRA on all linear layers but the head."""

    @classmethod
    def of(cls, folder: Path) -> "Weights":
        """Count them in a model's folder."""
        from transformers import AutoConfig, AutoModelForCausalLM

        with torch.device("meta"):
            network = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
        layers = {name: part for name, part in network.named_modules() if isinstance(part, torch.nn.Linear)}
        inner = [part for name, part in layers.items() if name != "lm_head"]
        return cls(
            sum(part.weight.numel() for part in layers.values()),
            RANK * sum(part.in_features + part.out_features for part in inner),
        )


def unshared(prompts: Sequence[list[int]]) -> int:
    """Return how many tokens prompts have if each prefix that several share counts once."""
    tokens, before = 0, []
    for prompt in sorted(prompts):
        tokens += len(prompt) - len(common_prefix([before, prompt]))
        before = prompt
    return tokens


def least_to_answer(weights: Weights, peaks: Peaks, prompts: Sequence[list[int]], limits: Sequence[int]) -> float:
    """Return the seconds that the peaks allow for answers that all go to their limits of tokens."""
    each = 2 * weights.base / peaks.operations
    least = unshared(prompts) * each
    for step in range(1, max(limits)):  # the first token of an answer comes with its prompt
        least += max(sum(limit > step for limit in limits) * each, 4 * weights.base / peaks.bytes)
    return least


def run(script: str, *arguments: str, threads: int) -> str:
    """Run a side of another benchmark, and return what it prints; if it fails, exit with its error."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false"}
    command = [sys.executable, ROOT / "benchmarks" / script, *arguments]
    done = subprocess.run(command, env=environment, text=True, capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"{script} {' '.join(arguments)} failed:\n{done.stderr[-4000:]}")
    return done.stdout


def finetuning(folder: Path, weights: Weights, peaks: Peaks, options: argparse.Namespace) -> None:
    """Print a line for each side that finetunes the model in `folder`/base/tiny-llama."""
    each = (4 * weights.base + 6 * weights.adapter) / peaks.operations
    taken = {}
    for side in finetune.SIDES:
        arguments = ("--results", str(folder), "--steps", str(options.steps), "--threads", str(options.threads))
        figures = json.loads(run("finetune.py", *arguments, "--side", side, threads=options.threads).splitlines()[-1])
        taken[side] = figures["seconds"] / figures["tokens"]
    for side, token in taken.items():
        print(f"  finetune  {side:22}{1 / token:10.0f} tokens/s {each / token:7.1%}", end="")
        print(f"{taken[finetune.SIDES[1]] / token:7.2f} x the padded Trainer", flush=True)


def answering(folder: Path, prompts: pl.DataFrame, peaks: Peaks, weights: Weights, options: argparse.Namespace) -> None:
    """Print a line for each side that answers by the model in `folder`/base/tiny-llama."""
    model = folder / "base/tiny-llama"
    rows = list(prompts.iter_rows(named=True))
    pieces = Encoder.of(model).pieces([generate.whole(row) for row in rows])
    least = least_to_answer(weights, peaks, pieces, [row["max_new_tokens"] for row in rows])
    prompts.write_parquet(folder / "prompts.parquet")
    taken = {}
    for side in ANSWERING:
        if side.startswith("lm-eval") and not generate.HARNESS.is_dir():
            continue
        place = folder / side.replace(", ", "-").replace(" ", "-")
        place.mkdir()
        job = {
            "prompts": str(folder / "prompts.parquet"),
            "model": str(model),
            "folder": str(place),
            "max_length": max(map(len, pieces)) + 512,
            "batch": 256,
            "threads": options.threads,
        }
        run("generate.py", "--side", side, "--job", json.dumps(job), threads=options.threads)
        taken[side] = json.loads((place / "answer.json").read_text())["seconds"]
    for side, wall in taken.items():
        print(f"  generate  {side:22}{len(rows) / wall:10.1f} prompts/s{least / wall:7.1%}", end="")
        print(f"{taken['generate, batch 1'] / wall:7.2f} x batch 1", flush=True)


def main() -> None:
    """Measure the peaks, then all sides at each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=20, help="of finetuning")
    parser.add_argument("--items", type=int, default=4, help="of each task and language, to answer")
    options = parser.parse_args()
    peaks = Peaks.measured(options.threads)
    print(f"{options.threads} threads: {peaks.operations / 1e9:.0f} GFLOP/s, {peaks.bytes / 1e9:.1f} GB/s", flush=True)
    results = options.study / "results"
    files = [file for task in TASKS for file in sorted((results / "prompts" / task).glob("*.parquet"))]
    frames = [read_parquet(file).head(options.items) for file in files]
    prompts = asked(pl.concat(frames), {name: ["generate"] for name in TASKS}).filter(pl.col("fault").is_null())
    texts = [generate.whole(row) for row in prompts.iter_rows(named=True)]
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            (folder / "mixtures").symlink_to((results / "mixtures").resolve())
            generate.ARCHITECTURE.update(SIZES[size])
            generate.tiny_model(texts, folder / "base/tiny-llama")
            weights = Weights.of(folder / "base/tiny-llama")
            print(f"{size}: {weights.base / 1e6:.1f} million weights, {weights.adapter / 1e6:.2f} of the adapter")
            finetuning(folder, weights, peaks, options)
            answering(folder, prompts, peaks, weights, options)


if __name__ == "__main__":
    main()
