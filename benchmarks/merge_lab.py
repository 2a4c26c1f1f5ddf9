"""Into which weights is an adapter folded so that it stays the model that was trained? Measured over bits and methods.

    python benchmarks/merge_lab.py [--results FOLDER] [--models NAME ...] [--methods NAME ...] [--ranks N ...]
        [--bits N ...] [--arithmetic bfloat16]

FOLDER (results/) is a finished study of config/config.yaml: its bases, a mixture to train on and what was held out of
it. An adapter is trained a cell as the study does, and merged with a bound that nothing reaches, so that every way is
measured. Methods are those of config/methods/ that merge, all of them by default. A cell that cannot be trained or
merged is told with the reason. With bfloat16 models are merged and compared in the arithmetic of a GPU; training is in
that of the machine.
"""

import argparse
import logging
import math
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[1]
DATASET = "generated"
WAYS = ("dequantized", "original", "attached_dequantized", "attached_original", "untouched")
FIGURES = ("kl", "worst_kl", "agreement", "bits_per_byte_change", "largest_logit_difference")


def cells_of(names: list[str] | None, ranks: list[int], bits: list[int]) -> dict[str, dict]:
    """Return the cells of the methods that merge; one that has none of the `ranks` has the first of its own."""
    from maple.definitions.loading import read_definitions
    from maple.methods.capabilities import merges
    from maple.study.grid import method_cells

    known = read_definitions(ROOT / "config/methods", ROOT / "workflow/schemas/method.schema.yaml")
    cells = {}
    for name in names or known:
        own = known[name]["axes"]
        axes = {"bits": [value for value in bits if value in own["bits"]]}
        if "rank" in own:
            axes["rank"] = [value for value in ranks if value in own["rank"]] or own["rank"][:1]
        cells.update(method_cells(name, known[name], axes))
    return {name: cell for name, cell in cells.items() if merges(cell)}


def measure(results: Path, model: str, cell: dict, settings: dict, arithmetic: str | None) -> dict[str, dict]:
    """Train one cell's adapter on one base, and return the ways of its merge card."""
    import polars as pl
    import torch

    from maple.runtime.devices import compute_dtype
    from maple.training.finetuning import finetune
    from maple.training.merging import merge

    mixture, held_out = (results / f"{folder}/{DATASET}.parquet" for folder in ("mixtures", "held_out"))
    base, max_length = results / "base" / model, cell["training"]["max_length"]
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(sys.stderr):  # the trainer prints its loss
        adapter, merged = Path(folder) / "adapter", Path(folder) / "merged"
        adapter.mkdir()
        merged.mkdir()
        checkpoints = {"folder": f"{folder}/checkpoints", "steps": cell["training"]["steps"]}
        told = {"model": {}, "seed": 1, "threads": 1, "checkpoints": checkpoints, "code": ""}
        finetune(base, mixture, held_out, adapter, cell=cell, **told)
        how = {"bits": cell["bits"], "max_length": max_length, "settings": settings, "model": {}, "threads": 1}
        dtype = getattr(torch, arithmetic) if arithmetic else compute_dtype()
        with patch("maple.runtime.devices.compute_dtype", lambda: dtype):
            return merge(base, adapter, pl.read_parquet(held_out), merged, **how)["ways"]


def line(*cells: object) -> None:
    """Print a row of a Markdown table, floats short."""
    print("|", " | ".join(f"{cell:.2g}" if isinstance(cell, float) else str(cell) for cell in cells), "|", flush=True)


def main() -> None:
    """Print each run's divergence by way, then of all figures the smallest and the largest by bits and way."""
    from maple.definitions.loading import read_yaml

    logging.disable(logging.WARNING)
    config = read_yaml(ROOT / "config/config.yaml")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    parser.add_argument("--models", nargs="+", default=["tiny-llama"])
    parser.add_argument("--methods", nargs="+")
    parser.add_argument("--ranks", nargs="+", type=int, default=[8, 64])
    parser.add_argument("--bits", nargs="+", type=int, default=[4, 8, 16])
    parser.add_argument("--arithmetic", choices=["bfloat16", "float32"])
    asked = parser.parse_args()
    settings = {**config["merge"], "into": "dequantized", "bound": math.inf}
    found = []
    line("model", "method", *WAYS)
    line(*["---"] * (2 + len(WAYS)))
    for model in asked.models:
        for name, cell in cells_of(asked.methods, asked.ranks, asked.bits).items():
            cell["training"] = {**config["finetune"], **cell["training"]}
            try:
                ways = measure(asked.results, model, cell, settings, asked.arithmetic)
            except Exception as error:  # of any of PEFT's methods: what cannot be done is a result here
                line(model, name, " ".join(str(error).split())[:120], *[""] * (len(WAYS) - 1))
                continue
            line(model, name, *(ways[way]["kl"] if way in ways else "" for way in WAYS))
            found += [{"bits": cell["bits"], "way": way, **row} for way, row in ways.items()]
    print()
    line("bits", "way", "runs", *FIGURES)
    line(*["---"] * (3 + len(FIGURES)))
    for bits in asked.bits:
        for way in WAYS:
            rows = [row for row in found if (row["bits"], row["way"]) == (bits, way)]
            ends = [(min(row[key] for row in rows), max(row[key] for row in rows)) for key in FIGURES if rows]
            if rows:
                line(bits, way, len(rows), *(f"{low:.2g} to {high:.2g}" for low, high in ends))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
