"""Into which weights is an adapter folded so that it stays the model that was trained? Measured over bits and methods.

    python benchmarks/merge_lab.py [--results FOLDER] [--models NAME ...] [--methods NAME ...] [--ranks N ...] [...]

FOLDER (results/) is a finished study of config/config.yaml: its bases, a mixture to train on and what was held out of
it. An adapter is trained a cell as the study does, and merged with a bound that nothing reaches, so that every way is
measured. Methods are those of config/methods/; rsLoRA and DoRA are made of LoRA's where they have no file. A cell that
cannot be trained or merged is told with the reason.
"""

import argparse
import logging
import math
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DATASET = "generated"
# Settings with which LoRA is another method. rsLoRA's alpha is one that makes its scale LoRA's 2 at rank 64.
VARIANTS = {
    "rslora": {"alpha_over_rank": 0.25, "adapter": {"use_rslora": True}},
    "dora": {"adapter": {"use_dora": True}},
}


def methods() -> dict[str, dict]:
    """Return the definitions of methods: those with a file, and the variants of LoRA that have none."""
    from maple.definitions import read_definitions

    known = read_definitions(ROOT / "config/methods", ROOT / "workflow/schemas/method.schema.yaml")
    lora = known["lora"]
    for name, change in VARIANTS.items():
        adapter = {**lora["adapter"], **change["adapter"]}
        known.setdefault(name, {**lora, **change, "adapter": adapter})
    return known


def measure(results: Path, model: str, cell: dict, settings: dict) -> dict[str, dict]:
    """Train one cell's adapter on one base, and return the ways of its merge card."""
    import polars as pl

    from maple.finetuning import finetune
    from maple.merging import merge

    mixture = pl.read_parquet(results / f"mixtures/{DATASET}.parquet")
    held_out = pl.read_parquet(results / f"held_out/{DATASET}.parquet")
    base, max_length = results / "base" / model, cell["training"]["max_length"]
    with tempfile.TemporaryDirectory() as folder:
        adapter, merged = Path(folder) / "adapter", Path(folder) / "merged"
        adapter.mkdir()
        merged.mkdir()
        checkpoints = {"folder": f"{folder}/checkpoints", "steps": cell["training"]["steps"]}
        told = {"model": {}, "seed": 1, "threads": 1, "checkpoints": checkpoints, "code": ""}
        finetune(base, mixture, held_out, adapter, cell=cell, **told)
        how = {"bits": cell["bits"], "max_length": max_length, "settings": settings, "model": {}, "threads": 1}
        return merge(base, adapter, held_out, merged, **how)["ways"]


def line(*cells: object) -> None:
    """Print a row of a Markdown table."""
    print("|", " | ".join(map(str, cells)), "|", flush=True)


def main() -> None:
    """Print a row a run and way, then the smallest and the largest figures of all runs by bits and way."""
    from maple.definitions import method_cells, read_yaml

    logging.disable(logging.WARNING)
    config = read_yaml(ROOT / "config/config.yaml")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    parser.add_argument("--models", nargs="+", default=["tiny-llama", "tiny-mistral"])
    parser.add_argument("--methods", nargs="+", default=["lora", *VARIANTS])
    parser.add_argument("--ranks", nargs="+", type=int, default=[8, 64])
    parser.add_argument("--bits", nargs="+", type=int, default=[4, 8, 16])
    asked = parser.parse_args()
    known = methods()
    cells = {}
    for name in asked.methods:
        axes = {
            key: value for key, value in (("rank", asked.ranks), ("bits", asked.bits)) if key in known[name]["axes"]
        }
        cells.update(method_cells(name, known[name], axes))
    settings = {**config["merge"], "into": "dequantized", "bound": math.inf}
    figures = ("kl", "worst_kl", "worst_language", "agreement", "bits_per_byte_change", "largest_logit_difference")
    found = []
    line("model", "method", "way", *figures)
    line(*["---"] * (3 + len(figures)))
    for model in asked.models:
        for name, cell in cells.items():
            training = {**config["finetune"], **cell["training"]}
            try:
                ways = measure(asked.results, model, {**cell, "training": training}, settings)
            except Exception as error:  # of any of PEFT's methods: what cannot be done is a result here
                line(model, name, f"fails: {' '.join(str(error).split())[:120]}", *[""] * len(figures))
                continue
            for way, row in ways.items():
                shown = (f"{row[key]:.2g}" if isinstance(row[key], float) else row[key] for key in figures)
                line(model, name, way, *shown)
                found.append({"bits": cell["bits"], "way": way, **row})
    print()
    line("bits", "way", "runs", *(key for key in figures if key != "worst_language"))
    line(*["---"] * (2 + len(figures)))
    for bits, way in sorted({(row["bits"], row["way"]) for row in found}):
        rows = [row for row in found if (row["bits"], row["way"]) == (bits, way)]
        ranges = (
            f"{min(row[key] for row in rows):.2g} to {max(row[key] for row in rows):.2g}"
            for key in figures
            if key != "worst_language"
        )
        line(bits, way, len(rows), *ranges)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
