"""A toy training, for the tests that need an adapter."""

from pathlib import Path

import polars as pl

TRAINING = {
    "steps": 6,
    "batch_tokens": 160,
    "micro_batch_tokens": 160,
    "packing": True,
    "learning_rate": 1e-2,
    "warmup": 0.1,
    "max_length": 128,
    "weight_decay": 0.0,
    "max_grad_norm": 1.0,
    "held_out_rows": 2,
    "held_out_steps": 3,
}


def questions(days: dict[str, tuple[str, ...]], asked: dict[str, str]) -> pl.DataFrame:
    """Return an example a day of each language: which day it is."""
    rows = [
        {"language": language, "instruction": asked[language], "input": day, "output": day}
        for language, of_language in days.items()
        for day in of_language
    ]
    return pl.DataFrame(rows)


ASKED = {"eng_Latn": "Which day is it?", "swh_Latn": "Leo ni siku gani?"}
EXAMPLES = questions(
    {
        "eng_Latn": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"),
        "swh_Latn": ("Jumatatu", "Jumanne", "Jumatano", "Alhamisi", "Ijumaa"),
    },
    ASKED,
)
HELD_OUT = questions({"eng_Latn": ("Saturday", "Sunday"), "swh_Latn": ("Jumamosi", "Jumapili")}, ASKED)


def cell(bits: int = 16, rank: int = 4, dropout: float = 0.0, **training) -> dict:
    adapter = {"r": rank, "lora_alpha": 2 * rank, "lora_dropout": dropout, "target_modules": "all-linear"}
    return {"peft": "LORA", "bits": bits, "adapter": adapter, "training": TRAINING | training}


def files(folder: Path, examples: pl.DataFrame = EXAMPLES) -> list[Path]:
    """Write what is learnt and what is held out to files in `folder`; return their paths."""
    paths = [folder / "mixture.parquet", folder / "held_out.parquet"]
    for frame, path in zip((examples, HELD_OUT), paths, strict=True):
        frame.write_parquet(path)
    return paths


def finetuned(
    base: Path, folder: Path, cell: dict, *, examples: pl.DataFrame = EXAMPLES, seed: int = 1, save_steps: int = 4
) -> dict:
    """Train an adapter to `folder`/adapter, with its checkpoints beside it; return the run card."""
    from maple.training.finetuning import finetune

    (folder / "adapter").mkdir(parents=True, exist_ok=True)
    checkpoints = {"folder": str(folder / "checkpoints"), "steps": save_steps}
    told = {"model": {}, "seed": seed, "threads": 1, "checkpoints": checkpoints, "code": "toy"}
    return finetune(base, *files(folder, examples), folder / "adapter", cell=cell, **told)
