"""Into which weights is an adapter folded so that it stays the model that was trained? Measured over bits and methods.

    python benchmarks/merge_lab.py [--results FOLDER] [--models NAME ...] [--methods NAME ...] [--ranks N ...]
        [--bits N ...] [--arithmetic bfloat16]

FOLDER (results/) is a finished study of config/config.yaml: its bases, a mixture to train on and what was held out of
it. One adapter per method variant is trained as in the study, and merged with a bound that no merge exceeds, so that
every way is measured, on all held-out examples of the mixture. Methods are those of config/methods/ that merge, all of
them by default. The reason is printed for a variant that cannot be trained or merged. With bfloat16 models are merged
and compared in the arithmetic of a GPU; training is in that of the machine.
"""

# ruff: noqa: E402 (modules of the project are found once its folder is in the path)

import argparse
import logging
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import polars as pl

from maple.definitions.local_model import HubModel
from maple.definitions.method import GridAxes, Method, MethodVariant, PeftMethod
from maple.definitions.reading import read_definitions, read_yaml
from maple.definitions.training import MergeBlock, MergeSettings, TrainingSettings
from maple.methods.capabilities import merges
from maple.runtime import devices
from maple.study.grid import method_variants
from maple.training.checkpoints import CheckpointPlan
from maple.training.finetuning import finetune
from maple.training.merging import merge

MODEL = HubModel(hub="none/base", revision="0" * 40)  # only its defaults count here
DATASET = "generated"
# More than are held out per language: all of them are compared.
ALL_ROWS = 10**6
WAYS = ("dequantized", "original", "attached_dequantized", "attached_original", "untouched")
FIGURES = ("kl", "worst_kl", "agreement", "bits_change", "largest_logit_difference")


def variants_of(
    names: list[str] | None, ranks: list[int], bits: list[int], training: TrainingSettings
) -> dict[str, MethodVariant]:
    """Return the variants of the methods that merge; a method with none of the `ranks` has the first of its own."""
    methods = read_definitions(ROOT / "config/methods", Method)
    variants = {}
    adapting = [name for name, method in methods.items() if isinstance(method, PeftMethod)]
    for name in names or adapting:
        axes = methods[name].axes
        values = {"bits": [value for value in bits if value in axes.bits]}
        if axes.rank:
            values["rank"] = [value for value in ranks if value in axes.rank] or axes.rank[:1]
        variants |= method_variants(name, methods[name], GridAxes(**values), training)
    return {name: variant for name, variant in variants.items() if merges(variant)}


def measure(
    results: Path, model: str, method: MethodVariant, settings: MergeSettings, arithmetic: str | None
) -> dict[str, dict]:
    """Train one variant's adapter on one base, and return the ways of its merge card."""
    import torch

    mixture, held_out = (results / f"{folder}/{DATASET}.parquet" for folder in ("mixtures", "held_out"))
    base = results / "base" / model
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(sys.stderr):  # the trainer prints its loss
        adapter, merged = Path(folder) / "adapter", Path(folder) / "merged"
        adapter.mkdir()
        merged.mkdir()
        checkpoints = CheckpointPlan(f"{folder}/checkpoints", method.training.steps)
        common = {"model": MODEL, "threads": 1}
        finetune(base, mixture, held_out, adapter, method=method, seed=1, checkpoints=checkpoints, code=[], **common)
        dtype = getattr(torch, arithmetic) if arithmetic else devices.compute_dtype()
        lengths = {"bits": method.bits, "max_length": method.training.max_length}
        with patch("maple.runtime.devices.compute_dtype", lambda *_: dtype):
            card = merge(base, adapter, pl.read_parquet(held_out), merged, settings=settings, **lengths, **common)
    return {way: vars(comparison) for way, comparison in card.ways.items()}


def line(*cells: object) -> None:
    """Print a row of a Markdown table, floats short."""
    print("|", " | ".join(f"{cell:.2g}" if isinstance(cell, float) else str(cell) for cell in cells), "|", flush=True)


def main() -> None:
    """Print the divergence per variant and way, then the smallest and largest of each figure per bits and way."""
    logging.disable(logging.WARNING)
    config = read_yaml(ROOT / "config/config.yaml")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    parser.add_argument("--models", nargs="+", default=["tiny-llama"])
    parser.add_argument("--methods", nargs="+")
    parser.add_argument("--ranks", nargs="+", type=int, default=[8, 64])
    parser.add_argument("--bits", nargs="+", type=int, default=[4, 8, 16])
    parser.add_argument("--arithmetic", choices=["bfloat16", "float32"])
    arguments = parser.parse_args()
    training = TrainingSettings(**config["finetune"])
    # All that was held out, whole: bits per byte of a few short completions would be those of a few bytes.
    compared = {"into": "dequantized", "bound": sys.float_info.max, "rows": ALL_ROWS, "tokens": training.max_length}
    settings = MergeBlock(**config["merge"] | compared).settings
    measured = []
    line("model", "method", *WAYS)
    line(*["---"] * (2 + len(WAYS)))
    for model in arguments.models:
        for name, variant in variants_of(arguments.methods, arguments.ranks, arguments.bits, training).items():
            try:
                ways = measure(arguments.results, model, variant, settings, arguments.arithmetic)
            except Exception as error:  # of any of PEFT's methods: a failure is a result here
                line(model, name, " ".join(str(error).split())[:120], *[""] * (len(WAYS) - 1))
                continue
            line(model, name, *(ways[way]["kl"] if way in ways else "" for way in WAYS))
            # Comparisons have bits, too: those per byte.
            measured += [{**row, "bits": variant.bits, "way": way} for way, row in ways.items()]
    print()
    line("bits", "way", "runs", *FIGURES)
    line(*["---"] * (3 + len(FIGURES)))
    for bits in arguments.bits:
        for way in WAYS:
            rows = [row for row in measured if (row["bits"], row["way"]) == (bits, way)]
            ends = [(min(row[key] for row in rows), max(row[key] for row in rows)) for key in FIGURES if rows]
            if rows:
                line(bits, way, len(rows), *(f"{low:.2g} to {high:.2g}" for low, high in ends))


if __name__ == "__main__":
    main()
