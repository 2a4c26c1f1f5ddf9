"""How fast is finetuning a translator, compared with transformers' Seq2SeqTrainer as its translation guide uses it?

    python benchmarks/finetune_translator.py --data FOLDER [--model FOLDER] [--languages amh_Ethi,som_Latn] [--rows N]
                                             [--epochs 1] [--micro 2048] [--lora] [--threads 1]

FOLDER holds parallel/eng_Latn-{code}/news.train.jsonl and news.dev.jsonl, with the keys source and target. Both sides
train all weights of the same model, or LoRA of rank 8 on its linear layers, on the same rows for the same number of
epochs, in float32. The Seq2SeqTrainer takes 16 rows a step in random order and pads both sides to their longest row, by
DataCollatorForSeq2Seq; this project takes as many tokens a step, and pads rows of similar length together, in
micro-batches of `--micro` tokens. Each side runs in a process of its own. Only the steps are timed. The loss is that of
the dev rows after training, in nats per token, as this project measures it on both sides.
"""

# ruff: noqa: E402 (modules of the project are found once its folder is in the path)

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import polars as pl

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.two_sides import LORA, SEED, figures_of, finetuned_here, method, step_clock
from maple.definitions.local_model import HubModel
from maple.definitions.reading import read_yaml
from maple.definitions.training import TrainingSettings
from maple.methods import peft_method
from maple.models import seq2seq
from maple.models.example import EncodedExample
from maple.models.translation_text import Seq2SeqEncoder
from maple.runtime import devices
from maple.training.batches import micro_batches

SIDES = ("maple", "Seq2SeqTrainer")
ROWS_A_STEP, RATE, MAX_LENGTH = 16, 1e-3, 600
MODEL = HubModel(hub="none/translator", revision="0" * 40, kind="seq2seq")  # only its defaults count here


def pairs(arguments: argparse.Namespace, split: str) -> pl.DataFrame:
    """Return the rows of a split in all languages, those that fit the model, as a dataset's columns."""
    encoder, rows = Seq2SeqEncoder.of(arguments.model), []
    for code in arguments.languages.split(","):
        frame = pl.read_ndjson(arguments.data / f"parallel/eng_Latn-{code}/news.{split}.jsonl")
        of_language = [
            {
                "language": code,
                "texts": [row["source"]],
                "output": row["target"],
                "source_language": "eng_Latn",
                "target_language": code,
            }
            for row in frame.iter_rows(named=True)
        ]
        rows += [row for row in of_language if len(seq2seq.encode(row, encoder)) <= MAX_LENGTH]
    frame = pl.DataFrame(rows)
    return frame.sample(min(arguments.rows, frame.height), seed=SEED)


def encoded(arguments: argparse.Namespace, split: str) -> list[EncodedExample]:
    """Return the rows of a split in tokens."""
    encoder = Seq2SeqEncoder.of(arguments.model)
    return [seq2seq.encode(row, encoder) for row in pairs(arguments, split).iter_rows(named=True)]


def ours(arguments: argparse.Namespace, folder: Path) -> float:
    """Train as the workflow does; return the seconds of the steps."""
    lengths = [len(example) for example in encoded(arguments, "train")]
    step = round(ROWS_A_STEP * statistics.mean(lengths))
    training = read_yaml(ROOT / "config/config.yaml")["finetune"] | {
        "steps": round(arguments.epochs * sum(lengths) / step),
        "batch_tokens": step,
        "micro_batch_tokens": max(arguments.micro, max(lengths)),
        "learning_rate": RATE,
        "max_length": MAX_LENGTH,
        "held_out_rows": 0,
    }
    variant = method(arguments.lora, TrainingSettings(**training))
    frames = pairs(arguments, "train"), pairs(arguments, "dev")
    return finetuned_here(arguments.model, frames, folder, variant, MODEL, arguments.threads)


def theirs(arguments: argparse.Namespace, folder: Path) -> float:
    """Train as transformers' guide does; return the seconds of the steps."""
    import torch
    from datasets import Dataset
    from transformers import (
        AutoModelForSeq2SeqLM,
        AutoTokenizer,
        DataCollatorForSeq2Seq,
        Seq2SeqTrainer,
        Seq2SeqTrainingArguments,
    )

    devices.prepare(arguments.threads, SEED)
    model: Any = AutoModelForSeq2SeqLM.from_pretrained(arguments.model, dtype=torch.float32)
    if arguments.lora:
        from peft import LoraConfig, get_peft_model

        model = get_peft_model(model, LoraConfig(task_type="SEQ_2_SEQ_LM", **LORA))
    encoder = Seq2SeqEncoder.of(arguments.model)
    rows = [
        {
            "input_ids": encoder.source(row["texts"][0], row["source_language"], row["target_language"]),
            "labels": [*encoder.forced_start(row["target_language"])[1:], *encoder.target(row["output"])],
        }
        for row in pairs(arguments, "train").iter_rows(named=True)
    ]
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    trainer = Seq2SeqTrainer(
        model,
        Seq2SeqTrainingArguments(
            output_dir=str(folder),
            learning_rate=RATE,
            per_device_train_batch_size=ROWS_A_STEP,
            num_train_epochs=arguments.epochs,
            weight_decay=0.01,
            use_cpu=devices.device() == "cpu",
            save_strategy="no",
            report_to="none",
            seed=SEED,
        ),
        DataCollatorForSeq2Seq(tokenizer, model),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
    )
    clock = step_clock()
    trainer.add_callback(clock)
    trainer.train()
    model.save_pretrained(folder / "model")
    return clock.seconds


def loss(arguments: argparse.Namespace, folder: Path) -> float:
    """Return the mean -ln p per token of the dev rows."""
    import torch

    base = seq2seq.load(arguments.model if arguments.lora else folder, 16, dtype="float32")
    network = (peft_method.load(base, folder) if arguments.lora else base).eval()
    pad, found = Seq2SeqEncoder.of(arguments.model).pad, []
    for batch in micro_batches(encoded(arguments, "dev"), tokens=2000, packing=False):
        with torch.inference_mode():
            found.append(seq2seq.losses(network, seq2seq.collate(batch, pad))[0])
    return float(torch.cat(found).mean())


def side(name: str, arguments: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Train one side; return its figures."""
    seconds = ours(arguments, folder) if name == SIDES[0] else theirs(arguments, folder)
    memory = devices.peak_memory_gib()
    return {"seconds": seconds, "loss": loss(arguments, folder / "model"), "peak_memory_gib": memory}


def main() -> None:
    """Print each side's figures, and how many times as fast as the Seq2SeqTrainer it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=ROOT / "results/base/tiny-nllb")
    parser.add_argument("--languages", default="amh_Ethi,som_Latn")
    parser.add_argument("--rows", type=int, default=800, help="so many rows of all languages together")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--micro", type=int, default=2048, help="tokens of this project's micro-batches, with padding")
    parser.add_argument("--lora", action="store_true", help="train LoRA, not all weights")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--side", choices=SIDES, help="one side, in this process; its figures are the last line")
    arguments = parser.parse_args()
    if arguments.side:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(side(arguments.side, arguments, Path(folder))))
        return
    figures = figures_of(__file__, SIDES)
    lengths = [len(example) for example in encoded(arguments, "train")]
    spread = ", ".join(f"{cut:.0f}" for cut in statistics.quantiles(lengths, n=4))
    print(f"{len(lengths)} rows, {arguments.epochs} epochs; quartiles of source and target together: {spread} tokens")
    print(f"{'':16}{'seconds':>9}{'tokens/s':>10}{'times as fast':>15}{'loss':>8}{'GiB':>7}")
    for name, one in figures.items():
        per_second = sum(lengths) * arguments.epochs / one["seconds"]
        times = figures[SIDES[1]]["seconds"] / one["seconds"]
        print(f"{name:16}{one['seconds']:9.1f}{per_second:10.0f}{times:15.2f}", end="")
        print(f"{one['loss']:8.3f}{one['peak_memory_gib']:7.2f}")


if __name__ == "__main__":
    main()
