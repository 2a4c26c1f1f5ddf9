"""A toy training, for the tests that need an adapter."""

from pathlib import Path

import polars as pl
from sharding import finetune_on_cpus

from maple.definitions.local_model import BuiltModel
from maple.definitions.method import PeftVariant, WeightsVariant
from maple.definitions.training import MergeSettings
from maple.runtime.files import write_parquet

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


MODEL = BuiltModel(
    build={
        "vocabulary": 400,
        "architecture": {
            "model_type": "llama",
            "hidden_size": 128,
            "intermediate_size": 256,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 4,
            "max_position_embeddings": 256,
            "tie_word_embeddings": True,
        },
        "documents": 100,
        "training": {"steps": 5, "batch": 4, "length": 16, "learning_rate": 1e-2, "seed": 1},
    }
)
MERGE = MergeSettings(into="dequantized", bound=1e-3, rows=8, tokens=64)


def questions(days: dict[str, tuple[str, ...]], question: dict[str, str]) -> pl.DataFrame:
    """Return one example per day and language: which day it is."""
    rows = [
        {"language": language, "instruction": question[language], "input": day, "output": day}
        for language, of_language in days.items()
        for day in of_language
    ]
    return pl.DataFrame(rows)


QUESTION = {"eng_Latn": "Which day is it?", "swh_Latn": "Leo ni siku gani?"}
EXAMPLES = questions(
    {
        "eng_Latn": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"),
        "swh_Latn": ("Jumatatu", "Jumanne", "Jumatano", "Alhamisi", "Ijumaa"),
    },
    QUESTION,
)
HELD_OUT = questions({"eng_Latn": ("Saturday", "Sunday"), "swh_Latn": ("Jumamosi", "Jumapili")}, QUESTION)


def variant(peft: str, bits: int, adapter: dict, **training) -> PeftVariant:
    return PeftVariant(peft=peft, axes={"bits": bits}, adapter=adapter, training=TRAINING | training)


def trains(what: str, bits: int = 16, **training) -> WeightsVariant:
    return WeightsVariant(trains=what, axes={"bits": bits}, training=TRAINING | training)


def lora(bits: int = 16, rank: int = 4, dropout: float = 0.0, adapter: dict | None = None, **training) -> PeftVariant:
    arguments = {"r": rank, "lora_alpha": 2 * rank, "lora_dropout": dropout, "target_modules": "all-linear"}
    return variant("LORA", bits, arguments | (adapter or {}), **training)


def files(folder: Path, examples: pl.DataFrame = EXAMPLES) -> list[Path]:
    """Write the examples to learn from and those held out to files in `folder`; return their paths."""
    paths = [folder / "mixture.parquet", folder / "held_out.parquet"]
    for frame, path in zip((examples, HELD_OUT), paths, strict=True):
        write_parquet(frame, path)
    return paths


def finetuned(
    base: Path,
    folder: Path,
    method: PeftVariant | WeightsVariant,
    *,
    examples: pl.DataFrame = EXAMPLES,
    seed: int = 1,
    save_steps: int = 4,
    tracking=None,
):
    """Train an adapter to `folder`/adapter, with its checkpoints beside it; return the run card."""
    from maple.training.checkpoints import CheckpointPlan
    from maple.training.finetuning import finetune

    (folder / "adapter").mkdir(parents=True, exist_ok=True)
    return finetune(
        base,
        *files(folder, examples),
        folder / "adapter",
        method=method,
        model=MODEL,
        seed=seed,
        threads=1,
        checkpoints=CheckpointPlan(folder / "checkpoints", save_steps),
        code=["toy"],
        tracking=tracking,
    )


def finetuned_in_two_processes(
    base: Path, folder: Path, method: PeftVariant | WeightsVariant, *, sharded: bool = False, function=None
):
    """Train as `finetuned` does, in two processes, which must find this folder on PYTHONPATH.

    `function` is called in each instead of finetune.
    """
    from maple.runtime.processes import on_processes
    from maple.training.checkpoints import CheckpointPlan
    from maple.training.finetuning import finetune

    (folder / "adapter").mkdir(parents=True, exist_ok=True)
    return on_processes(
        2,
        function or (finetune_on_cpus if sharded else finetune),
        base,
        *files(folder),
        folder / "adapter",
        method=method,
        model=MODEL,
        seed=1,
        threads=1,
        checkpoints=CheckpointPlan(folder / "checkpoints", 4),
        code=["toy"],
        sharded=sharded,
    )
