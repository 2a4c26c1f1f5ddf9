"""How fast is finetuning a classifier, compared with transformers' Trainer as its text classification guide uses it?

    python benchmarks/classification.py [--results FOLDER] [--model tiny-bert] [--task day-sentiment]
                                        [--dataset day-opinions] [--epochs 3] [--threads 1] [--rows N] [--lora]

Both sides train all weights of the same model, or LoRA of rank 8 on its linear layers, with the same head (of
`--results`, where a classification study has put it), on the same rows of the study's mixture, for the same number of
epochs, in float32. The Trainer takes 16 rows a step in random order and pads them to the longest, by
DataCollatorWithPadding; this project takes as many tokens a step, in one micro-batch whose layers compute no padding
where the architecture allows it (maple.models.unpadded). Each side runs in a process of its own. Only the steps are
timed; accuracy is that on the held-out rows.
"""

# ruff: noqa: E402 (modules of the project are found once its folder is in the path)

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

import polars as pl

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.two_sides import LORA, SEED, figures_of, finetuned_here, method, step_clock
from maple.definitions.local_model import HubModel
from maple.definitions.reading import read_yaml
from maple.definitions.training import TrainingSettings
from maple.methods import peft_method
from maple.models import encoder
from maple.models.classifier_text import ClassifierEncoder
from maple.runtime import devices

SIDES = ("maple", "Trainer")
ROWS_A_STEP, RATE, MAX_LENGTH = 16, 2e-5, 128
MODEL = HubModel(hub="none/encoder", revision="0" * 40, kind="encoder")  # only its defaults count here


def examples(arguments: argparse.Namespace) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows to learn, and those held out."""
    learnt, held_out = (
        pl.read_parquet(arguments.results / f"{part}/{arguments.dataset}.parquet") for part in ("mixtures", "held_out")
    )
    return learnt.sample(min(arguments.rows or learnt.height, learnt.height), seed=SEED), held_out


def head(arguments: argparse.Namespace) -> Path:
    """Return the folder of the model with its head."""
    return arguments.results / f"heads/{arguments.model}/{arguments.task}/seed{SEED}"


def lengths(arguments: argparse.Namespace, frame: pl.DataFrame) -> list[int]:
    """Return the lengths of rows in tokens."""
    text = ClassifierEncoder.of(head(arguments))
    return [len(text.texts(texts)[0]) for texts in frame["texts"]]


def ours(arguments: argparse.Namespace, folder: Path) -> float:
    """Train as the workflow does; return the seconds of the training."""
    learnt, held_out = examples(arguments)
    tokens = lengths(arguments, learnt)
    step = round(ROWS_A_STEP * statistics.mean(tokens))
    training = read_yaml(ROOT / "config/config.yaml")["finetune"] | {
        "steps": round(arguments.epochs * sum(tokens) / step),
        "batch_tokens": step,
        "micro_batch_tokens": 16 * step,
        "packing": False,
        "learning_rate": arguments.rate,
        "max_length": MAX_LENGTH,
        "held_out_rows": 0,
    }
    variant = method(arguments.lora, TrainingSettings(**training))
    return finetuned_here(head(arguments), (learnt, held_out), folder, variant, MODEL, arguments.threads)


def theirs(arguments: argparse.Namespace, folder: Path) -> float:
    """Train as transformers' guide does; return the seconds of the training."""
    import torch
    from datasets import Dataset
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
    )

    devices.prepare(arguments.threads, SEED)
    learnt, _ = examples(arguments)
    model = AutoModelForSequenceClassification.from_pretrained(head(arguments), dtype=torch.float32)
    if arguments.lora:
        from peft import LoraConfig, get_peft_model

        saved = ["classifier", "pooler", "head"]  # as this project saves them: what a base lacks is trained
        model = get_peft_model(model, LoraConfig(task_type="SEQ_CLS", modules_to_save=saved, **LORA))
    tokenizer = AutoTokenizer.from_pretrained(head(arguments))
    rows = {
        "text": [texts[0] for texts in learnt["texts"]],
        "label": [model.config.label2id[x] for x in learnt["label"]],
    }
    encoded = Dataset.from_dict(rows).map(
        lambda batch: tokenizer(batch["text"], truncation=True, max_length=MAX_LENGTH), batched=True
    )
    trainer = Trainer(
        model,
        TrainingArguments(
            output_dir=str(folder),
            learning_rate=arguments.rate,
            per_device_train_batch_size=ROWS_A_STEP,
            num_train_epochs=arguments.epochs,
            weight_decay=0.01,
            use_cpu=devices.device() == "cpu",
            save_strategy="no",
            report_to="none",
            seed=SEED,
        ),
        DataCollatorWithPadding(tokenizer),
        train_dataset=encoded,
        processing_class=tokenizer,
    )
    clock = step_clock()
    trainer.add_callback(clock)
    trainer.train()
    model.save_pretrained(folder / "model")
    return clock.seconds


def accuracy(arguments: argparse.Namespace, folder: Path) -> float:
    """Return the share of the held-out rows that a trained model labels right."""
    import torch

    _, held_out = examples(arguments)
    text = ClassifierEncoder.of(head(arguments))
    base = encoder.load(head(arguments) if arguments.lora else folder, 16, dtype="float32")
    network = (peft_method.load(base, folder) if arguments.lora else base).eval()
    rows = [encoder.encode(row, text) for row in held_out.iter_rows(named=True)]
    right = 0
    for row in rows:
        with torch.inference_mode():
            logits = encoder.label_logits(network, encoder.collate([row], text.pad))
        right += int(logits.argmax() == row.labels[0])
    return right / len(rows)


def side(name: str, arguments: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Train one side; return its figures."""
    seconds = ours(arguments, folder) if name == SIDES[0] else theirs(arguments, folder)
    memory = devices.peak_memory_gib()
    return {"seconds": seconds, "accuracy": accuracy(arguments, folder / "model"), "peak_memory_gib": memory}


def main() -> None:
    """Print each side's figures, and how many times as fast as the Trainer it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    parser.add_argument("--model", default="tiny-bert")
    parser.add_argument("--task", default="day-sentiment")
    parser.add_argument("--dataset", default="day-opinions")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rate", type=float, default=RATE, help="learning rate")
    parser.add_argument("--rows", type=int, help="so many rows of the mixture; left out: all")
    parser.add_argument("--lora", action="store_true", help="train LoRA, not all weights")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--side", choices=SIDES, help="one side, in this process; its figures are the last line")
    arguments = parser.parse_args()
    if arguments.side:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(side(arguments.side, arguments, Path(folder))))
        return
    figures = figures_of(__file__, SIDES)
    learnt, _ = examples(arguments)
    tokens = lengths(arguments, learnt)
    spread = ", ".join(f"{cut:.0f}" for cut in statistics.quantiles(tokens, n=4))
    print(f"{learnt.height} rows, {arguments.epochs} epochs; quartiles of their lengths: {spread} tokens")
    print(f"{'':10}{'seconds':>9}{'rows/s':>9}{'times as fast':>15}{'accuracy':>10}{'GiB':>7}")
    for name, one in figures.items():
        rows_per_second = learnt.height * arguments.epochs / one["seconds"]
        times = figures[SIDES[1]]["seconds"] / one["seconds"]
        print(f"{name:10}{one['seconds']:9.1f}{rows_per_second:9.1f}{times:15.2f}", end="")
        print(f"{one['accuracy']:10.3f}{one['peak_memory_gib']:7.2f}")


if __name__ == "__main__":
    main()
